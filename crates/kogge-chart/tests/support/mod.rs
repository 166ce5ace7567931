//! Charts made in tests, and a database to render them for.
#![allow(dead_code, reason = "each test file uses its own part")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use kogge_api::federated_cluster::{Component, ResourcesSpec};
use kogge_chart::{
    Capabilities, Chart, ChartError, ClusterContext, ComponentContext, DiscoveryContext, Layer, MergedValues,
    PlacementContext, RenderInput, Rendered, SecretsContext, check_values, merge_values, render,
};
use kogge_chart_store::ChartStore;
use kogge_engine::{Engine as _, Identity};
use kogge_mongo::MongoDb;
use serde_json::{Map, Value};

pub(crate) fn charts() -> ChartStore {
    ChartStore::new([PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../charts")])
}

pub(crate) fn bytedoc(version: &str) -> Arc<Chart> {
    charts().find("bytedoc", version).unwrap()
}

/// A chart `sample` whose component `shard` renders one template, beside the given partials.
pub(crate) fn sample(template: &str, partials: &[(&str, &str)], values: &str) -> Result<Chart, ChartError> {
    let manifest = "{name: sample, version: 1.0.0, appVersion: '1', description: d, kogge: {engine: none, components: {shard: [object.yaml.hbs]}}}";
    let mut files = BTreeMap::from([
        ("Chart.yaml".to_owned(), manifest.into()),
        ("values.yaml".to_owned(), values.into()),
        ("values.schema.json".to_owned(), b"{\"type\": \"object\"}".to_vec()),
        ("templates/object.yaml.hbs".to_owned(), template.into()),
    ]);
    for (name, text) in partials {
        files.insert(format!("templates/_{name}.hbs"), (*text).into());
    }
    Chart::from_files("sample", "1.0.0", &files)
}

pub(crate) fn merged(chart: &Chart, values: &Value) -> Result<MergedValues, ChartError> {
    let values = values.as_object().cloned().unwrap_or_default();
    let merged = merge_values(chart, &[Layer { source: "spec.values", values: &values }])?;
    check_values(chart, &merged)?;
    Ok(merged)
}

pub(crate) fn input<'a>(
    chart: &'a Chart,
    component: Component,
    placement: &str,
    values: &'a Map<String, Value>,
) -> RenderInput<'a> {
    let identity = Identity {
        name: "ll2022".to_owned(),
        namespace: "databases".to_owned(),
        id: "abcd2345".parse().unwrap(),
        cluster_domain: "cluster.local".to_owned(),
    };
    let component = MongoDb::component(&component.to_string()).unwrap();
    let seeds = ["ll2022-config-vdc1-0.ll2022-config.databases.svc.cluster.local:27017".to_owned()];
    RenderInput {
        chart,
        component: ComponentContext {
            name: component.key.to_string(),
            kind: component.kind.to_owned(),
            index: component.index,
            resources: ResourcesSpec::default(),
        },
        placement: PlacementContext { name: placement.to_owned(), vdc: placement.to_owned() },
        discovery: DiscoveryContext {
            service: kogge_api::names::service(&identity.name, &component.key),
            cluster_domain: identity.cluster_domain.clone(),
            port: MongoDb::PORT.number,
            of_engine: MongoDb::discovery(&identity, &component, &seeds),
        },
        cluster: ClusterContext { name: identity.name, namespace: identity.namespace, id: identity.id },
        secrets: SecretsContext { keyfile: "ll2022-keyfile-1".to_owned(), tls: None },
        image: "registry.example/mongod:7.0.14".to_owned(),
        agent_image: "registry.example/kogge-agent:1.0.0".to_owned(),
        values,
        settings: Map::new(),
        capabilities: Capabilities { kube_version: "1.34.4".to_owned() },
        waived: BTreeSet::new(),
    }
}

/// Renders the component `shard-0` in the placement `vdc1` of a chart with values.
pub(crate) fn render_with(chart: &Chart, values: &Value) -> Result<Rendered, ChartError> {
    let merged = merged(chart, values)?;
    render(&input(chart, Component::Shard(0), "vdc1", &merged.values))
}

/// The message of a failure, and the line it names.
pub(crate) fn failure<T: std::fmt::Debug>(outcome: Result<T, ChartError>) -> (String, Option<usize>) {
    let error = outcome.unwrap_err();
    let line = match &error {
        ChartError::Invalid { place, .. }
        | ChartError::Render { place, .. }
        | ChartError::Object { place, .. }
        | ChartError::Rule { place, .. }
        | ChartError::NotDeterministic { place } => place.line,
        _ => None,
    };
    (error.to_string(), line)
}
