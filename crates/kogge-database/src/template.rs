//! What the chart makes of the spec: the templates of every share, without their shape.

use kogge_api::FederatedClusterSpec;
use kogge_api::federated_cluster::{Component, PlacedComponent, Role};
use kogge_api::names;
use kogge_chart::{
    Capabilities, Chart, ChartError, ClusterContext, ComponentContext, DiscoveryContext, Layer, PlacementContext,
    RenderInput, check_values, merge_values, render,
};
use kogge_plan::Object;
use kogge_plan::workload::ShareKey;
use serde_json::Value;

use crate::identity::{Identity, PORT};
use crate::revisions::{Frozen, RenderedShare, Rollout};
use crate::secrets::Mounted;

/// Why the spec cannot be rendered.
#[derive(Debug, thiserror::Error)]
pub enum TemplateError {
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
        /// What is asked for, in MongoDB's word.
        mode: String,
    },
    /// There is no image.
    #[error("spec.global.image is not given, and chart {chart} names no image of its own; give one")]
    NoImage {
        /// The chart.
        chart: String,
    },
}

impl TemplateError {
    /// A stable word in CamelCase.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Chart(error) => error.reason(),
            Self::NoTls { .. } => "ChartWithoutTls",
            Self::NoImage { .. } => "NoImage",
        }
    }
}

/// What a database that begins now freezes: its config servers, voters first, what its workers can do, and the
/// image of Kogge's own containers.
pub fn freeze(spec: &FederatedClusterSpec, identity: &Identity, kube_version: &str, agent_image: &str) -> Frozen {
    let shares = spec.placed_components();
    let config_seeds = shares
        .iter()
        .filter(|share| share.component == Component::Config && share.placement.role == Role::Voter)
        .flat_map(|share| {
            (0..share.replicas).map(|ordinal| {
                let pod = names::member(&identity.name, Component::Config, &share.placement.name, ordinal);
                identity.member_host(Component::Config, &pod)
            })
        })
        .collect();
    Frozen {
        config_seeds,
        capabilities: Capabilities { kube_version: kube_version.to_owned() },
        agent_image: agent_image.to_owned(),
    }
}

/// Renders every share. All of them, before anything is written: an error in one stops them all.
pub fn render_all(
    spec: &FederatedClusterSpec,
    identity: &Identity,
    chart: &Chart,
    frozen: &Frozen,
    mounted: Mounted,
) -> Result<Rollout, TemplateError> {
    let shares = spec
        .placed_components()
        .iter()
        .map(|share| Ok((share_name(share), render_share(spec, identity, chart, frozen, mounted, share)?)))
        .collect::<Result<_, TemplateError>>()?;
    Ok(Rollout { chart_version: chart.version.to_string(), frozen: frozen.clone(), shares })
}

fn render_share(
    spec: &FederatedClusterSpec,
    identity: &Identity,
    chart: &Chart,
    frozen: &Frozen,
    mounted: Mounted,
    share: &PlacedComponent<'_>,
) -> Result<RenderedShare, TemplateError> {
    let source = format!("spec.placement[{}].values", share.placement.name);
    let layers = [
        Layer { source: "spec.values", values: &spec.values },
        Layer { source: &source, values: &share.placement.values },
    ];
    let merged = merge_values(chart, &layers)?;
    check_values(chart, &merged)?;
    let cluster = ClusterContext {
        name: identity.name.clone(),
        namespace: identity.namespace.clone(),
        id: identity.id.clone(),
    };
    let secrets = mounted.context(identity, share.component);
    let rendered = render(&RenderInput {
        chart,
        discovery: DiscoveryContext::new(
            &cluster,
            share.component,
            frozen.config_seeds.clone(),
            &identity.cluster_domain,
            PORT,
        ),
        cluster,
        component: ComponentContext::new(share.component, share.resources),
        placement: PlacementContext { name: share.placement.name.clone(), vdc: share.placement.vdc.clone() },
        secrets: secrets.clone(),
        image: image(spec, chart)?,
        agent_image: frozen.agent_image.clone(),
        values: &merged.values,
        capabilities: frozen.capabilities.clone(),
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

fn image(spec: &FederatedClusterSpec, chart: &Chart) -> Result<String, TemplateError> {
    let given = spec.global.image.as_ref().or(chart.image.as_ref());
    given.cloned().ok_or_else(|| TemplateError::NoImage { chart: format!("{} {}", chart.name, chart.version) })
}

/// `<component>/<placement>`: the key of a share among those that are kept.
pub fn share_name(share: &PlacedComponent<'_>) -> String {
    key_name(&ShareKey { component: share.component, placement: share.placement.name.clone() })
}

/// `<component>/<placement>`: the key of a share among those that are kept.
pub fn key_name(key: &ShareKey) -> String {
    format!("{}/{}", key.component, key.placement)
}
