//! What the chart makes of the spec: the templates of every share, without their shape.

use std::collections::BTreeSet;

use kogge_api::names;
use kogge_chart::{
    Capabilities, Chart, ChartError, ClusterContext, ComponentContext, DiscoveryContext, Layer, PlacementContext,
    RenderInput, check_values, merge_values, render,
};
use kogge_engine::{Database, Engine, Identity, InvalidSpec, Share};
use kogge_plan::Object;
use kogge_plan::workload::ShareKey;
use serde_json::Value;

use crate::archive::ChartArchive;
use crate::revisions::{Frozen, RenderedShare, Rollout};
use crate::secrets::Mounted;

/// Why the spec cannot be rendered.
#[derive(Debug, thiserror::Error)]
pub enum TemplateError {
    /// No plan could carry the spec out, whatever the chart.
    #[error("{}", .0.message)]
    Spec(InvalidSpec),
    /// The chart refuses.
    #[error(transparent)]
    Chart(#[from] ChartError),
    /// The chart has no TLS.
    #[error(
        "spec.security.tls.mode is {mode}, and chart {chart} mounts no secrets.tls.secret; take a chart that does, or set the mode to Disabled"
    )]
    NoTls {
        /// The chart.
        chart: String,
        /// What is asked for, in the engine's word.
        mode: String,
    },
    /// The chart is for another engine.
    #[error("chart {chart} runs {found}, and this is a database of {wanted}; name a chart that runs {wanted}")]
    OtherEngine {
        /// The chart.
        chart: String,
        /// The engine that it runs.
        found: String,
        /// The engine of the database.
        wanted: &'static str,
    },
    /// There is no image.
    #[error("{field} is not given, and chart {chart} names no image of its own; give one")]
    NoImage {
        /// The field that names it.
        field: &'static str,
        /// The chart.
        chart: String,
    },
}

impl From<InvalidSpec> for TemplateError {
    fn from(invalid: InvalidSpec) -> Self {
        Self::Spec(invalid)
    }
}

impl TemplateError {
    /// A stable word in CamelCase.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Spec(invalid) => invalid.reason,
            Self::Chart(error) => error.reason(),
            Self::NoTls { .. } => "ChartWithoutTls",
            Self::OtherEngine { .. } => "ChartOfOtherEngine",
            Self::NoImage { .. } => "NoImage",
        }
    }
}

/// What a database finds around it, and keeps as it was when it began.
#[derive(Clone, Copy, Debug)]
pub struct Surroundings<'a> {
    /// The oldest Kubernetes version among the workers; empty while none is known.
    pub kube_version: &'a str,
    /// The image of Kogge's own containers in the pods.
    pub agent_image: &'a str,
}

/// What a database that begins now freezes: the members that others begin with, what its workers can do, and the image
/// of Kogge's own containers.
pub fn freeze<E: Engine>(spec: &E::Spec, identity: &Identity, around: Surroundings<'_>) -> Frozen {
    Frozen {
        seeds: E::seeds(identity, spec),
        capabilities: Capabilities { kube_version: around.kube_version.to_owned() },
        agent_image: around.agent_image.to_owned(),
    }
}

/// Renders every share. All of them, before anything is written: an error in one stops them all.
pub fn render_all<E: Engine>(
    database: &Database,
    spec: &E::Spec,
    identity: &Identity,
    chart: &Chart,
    frozen: &Frozen,
    mounted: Mounted,
) -> Result<Rollout, TemplateError> {
    if chart.engine != E::NAME {
        return Err(TemplateError::OtherEngine {
            chart: format!("{} {}", chart.name, chart.version),
            found: chart.engine.clone(),
            wanted: E::NAME,
        });
    }
    let shares = database
        .components
        .iter()
        .flat_map(|component| E::shares(spec, component))
        .map(|share| {
            let rendered = render_share::<E>(database, spec, identity, chart, frozen, mounted, &share)?;
            Ok((key_name(&share.key()), rendered))
        })
        .collect::<Result<_, TemplateError>>()?;
    Ok(Rollout {
        chart_version: chart.version.to_string(),
        frozen: frozen.clone(),
        chart: Some(ChartArchive::of(chart)),
        shares,
    })
}

fn render_share<E: Engine>(
    database: &Database,
    spec: &E::Spec,
    identity: &Identity,
    chart: &Chart,
    frozen: &Frozen,
    mounted: Mounted,
    share: &Share,
) -> Result<RenderedShare, TemplateError> {
    let source = format!("spec.placement[{}].values", share.placement);
    let placement = database.placement(&share.placement);
    let mut layers = vec![Layer { source: "spec.values", values: &database.values }];
    layers.extend(placement.map(|placement| Layer { source: &source, values: &placement.values }));
    let merged = merge_values(chart, &layers)?;
    check_values(chart, &merged)?;
    let component = &share.component;
    let secrets = mounted.context(identity, &component.key);
    let rendered = render(&RenderInput {
        chart,
        cluster: ClusterContext {
            name: identity.name.clone(),
            namespace: identity.namespace.clone(),
            id: identity.id.clone(),
        },
        component: ComponentContext {
            name: component.key.to_string(),
            kind: component.kind.to_owned(),
            index: component.index,
            resources: share.resources.clone().unwrap_or_default(),
        },
        placement: PlacementContext { name: share.placement.clone(), vdc: share.vdc.clone() },
        discovery: DiscoveryContext {
            service: names::service(&identity.name, &component.key),
            cluster_domain: identity.cluster_domain.clone(),
            port: E::PORT.number,
            of_engine: E::discovery(identity, component, &frozen.seeds),
        },
        secrets: secrets.clone(),
        image: image::<E>(database, chart)?,
        agent_image: frozen.agent_image.clone(),
        values: &merged.values,
        settings: E::settings(spec),
        capabilities: frozen.capabilities.clone(),
        waived: BTreeSet::new(),
    })?;
    if let Some(tls) = secrets.tls.filter(|tls| !rendered.objects.iter().any(|object| mounts(object, &tls.secret)))
    {
        return Err(TemplateError::NoTls { chart: format!("{} {}", chart.name, chart.version), mode: tls.mode });
    }
    Ok(RenderedShare {
        revision: rendered.revision.to_string(),
        chart_version: chart.version.to_string(),
        objects: rendered.objects,
    })
}

fn mounts(object: &Object, secret: &str) -> bool {
    let volumes = object.data.pointer("/spec/template/spec/volumes").and_then(Value::as_array);
    volumes.into_iter().flatten().any(|volume| volume["secret"]["secretName"] == secret)
}

fn image<E: Engine>(database: &Database, chart: &Chart) -> Result<String, TemplateError> {
    let given = database.image.as_ref().or(chart.image.as_ref());
    given.cloned().ok_or_else(|| TemplateError::NoImage {
        field: E::IMAGE_FIELD,
        chart: format!("{} {}", chart.name, chart.version),
    })
}

/// `<component>/<placement>`: the key of a share among those that are kept.
pub fn key_name(key: &ShareKey) -> String {
    format!("{}/{}", key.component, key.placement)
}
