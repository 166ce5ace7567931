//! The chart etcd: everything that it renders, in every version.

#[cfg(test)]
mod support;

use std::collections::BTreeSet;
use std::sync::Arc;

use kogge_api::federated_cluster::ResourcesSpec;
use kogge_api::{FederatedEtcdSpec, federated_etcd};
use kogge_chart::{
    Capabilities, Chart, ClusterContext, ComponentContext, DiscoveryContext, PlacementContext, RenderInput,
    Rendered, SecretsContext, TlsContext, render,
};
use kogge_engine::{Engine as _, Identity};
use kogge_etcd::Etcd;
use rstest::rstest;
use serde_json::{Value, json};
use support::{charts, merged};

#[cfg(test)]
fn etcd(version: &str) -> Arc<Chart> {
    charts().find("etcd", version).unwrap()
}

/// Renders the members in `vdc1` of a spec with these fields beside version and placement.
#[cfg(test)]
fn rendered(version: &str, spec: &Value, tls: bool) -> Rendered {
    let chart = etcd(version);
    let mut whole = json!({"version": chart.app_version, "placement": [{"name": "vdc1", "vdc": "vdc1"}]});
    whole.as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
    let spec: FederatedEtcdSpec = serde_json::from_value(whole).unwrap();
    let values = merged(&chart, &Value::Object(spec.values.clone())).unwrap();
    let identity = Identity {
        name: "orders".to_owned(),
        namespace: "databases".to_owned(),
        id: "abcd2345".parse().unwrap(),
        cluster_domain: "cluster.local".to_owned(),
    };
    let component = Etcd::component(federated_etcd::COMPONENT).unwrap();
    let tls = tls.then(|| TlsContext { mode: "requireTLS".to_owned(), secret: "orders-etcd-tls-1".to_owned() });
    render(&RenderInput {
        chart: &chart,
        component: ComponentContext {
            name: component.key.to_string(),
            kind: component.kind.to_owned(),
            index: component.index,
            resources: ResourcesSpec::default(),
        },
        placement: PlacementContext { name: "vdc1".to_owned(), vdc: "vdc1".to_owned() },
        discovery: DiscoveryContext {
            service: kogge_api::names::service(&identity.name, &component.key),
            cluster_domain: identity.cluster_domain.clone(),
            port: Etcd::PORT.number,
            of_engine: Etcd::discovery(&identity, &component, &[]),
        },
        cluster: ClusterContext { name: identity.name, namespace: identity.namespace, id: identity.id },
        secrets: SecretsContext { keyfile: "orders-keyfile-1".to_owned(), tls },
        image: chart.image.clone().unwrap(),
        agent_image: "registry.example/kogge-agent:1.0.0".to_owned(),
        values: &values.values,
        settings: Etcd::settings(&spec),
        capabilities: Capabilities { kube_version: "1.34.4".to_owned() },
        waived: BTreeSet::new(),
    })
    .unwrap()
}

/// The arguments of the server.
#[cfg(test)]
fn arguments(rendered: &Rendered) -> Vec<String> {
    let sets = rendered.objects.iter().filter(|object| object.types.as_ref().unwrap().kind == "StatefulSet");
    let args = sets.map(|set| &set.data["spec"]["template"]["spec"]["containers"][0]["args"]).next().unwrap();
    args.as_array().unwrap().iter().map(|arg| arg.as_str().unwrap().to_owned()).collect()
}

#[rstest]
fn renders(#[values("1.0.0", "1.1.0")] version: &str, #[values(false, true)] tls: bool) {
    let name = format!("{version}{}", if tls { "-tls" } else { "" });
    insta::assert_yaml_snapshot!(name, rendered(version, &json!({}), tls).objects);
}

#[rstest]
fn the_quota_is_the_spec_s_and_a_change_of_it_another_revision(#[values("1.0.0", "1.1.0")] version: &str) {
    let quotas = |rendered: &Rendered| -> Vec<String> {
        arguments(rendered).into_iter().filter(|arg| arg.starts_with("--quota-backend-bytes")).collect()
    };
    let default = rendered(version, &json!({}), false);
    assert_eq!(quotas(&default), ["--quota-backend-bytes=2147483648"]);
    let larger = rendered(version, &json!({"quotaBackendBytes": "4Gi"}), false);
    assert_eq!(quotas(&larger), ["--quota-backend-bytes=4294967296"]);
    assert_ne!(larger.revision, default.revision);
    let same = rendered(version, &json!({"quotaBackendBytes": 4_294_967_296_u64}), false);
    assert_eq!(same.revision, larger.revision, "another way to write the same quota restarts nothing");
}

#[rstest]
#[case(json!({"flags": {"quota-backend-bytes": 5}}), "spec.quotaBackendBytes")]
#[case(json!({"flags": {"initial-cluster": "a=b"}}), "values.flags: ")]
fn what_is_not_the_values_to_set_is_refused(
    #[values("1.0.0", "1.1.0")] version: &str,
    #[case] values: Value,
    #[case] named: &str,
) {
    let error = merged(&etcd(version), &values).unwrap_err().to_string();
    assert!(error.contains(named), "{error}");
}
