//! What a template sees beside its values.
//!
//! Everything here is part of a revision's hash, so only what never changes for a placement, or what must
//! restart its pods when it changes, belongs here. A placement's role and the number of pods do not: they
//! change without a restart.

use std::collections::BTreeSet;

use kogge_api::federated_cluster::ResourcesSpec;
use kogge_api::{ClusterId, names};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::chart::Chart;
use crate::rule::Rule;
use crate::selector;

/// All that a rendering depends on.
#[derive(Clone, Debug)]
pub struct RenderInput<'a> {
    /// The chart.
    pub chart: &'a Chart,
    /// The database.
    pub cluster: ClusterContext,
    /// The component.
    pub component: ComponentContext,
    /// The placement.
    pub placement: PlacementContext,
    /// The names by which the parts find each other.
    pub discovery: DiscoveryContext,
    /// The Secrets that its pods mount.
    pub secrets: SecretsContext,
    /// The engine's image.
    pub image: String,
    /// The image of Kogge's own containers in the pods.
    pub agent_image: String,
    /// The merged values; see [`merge_values`](crate::merge_values).
    pub values: &'a Map<String, Value>,
    /// What the spec itself sets for the servers, beside the values; it is no part of the context where there is none.
    pub settings: Map<String, Value>,
    /// What the workers can do, frozen when the revision was made.
    pub capabilities: Capabilities,
    /// The rules for pods that the worker's administrator waives. It decides what is refused, not what is rendered, so it
    /// is in no revision.
    pub waived: BTreeSet<Rule>,
}

/// The database that is rendered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ClusterContext {
    /// The FederatedCluster's name; a prefix of every object's name.
    pub name: String,
    /// The namespace of all its objects, the same on every worker.
    pub namespace: String,
    /// Its identity.
    pub id: ClusterId,
}

/// The component that is rendered.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ComponentContext {
    /// Its name, such as `shard-0`.
    pub name: String,
    /// The name by which the chart lists its templates, such as `shard`.
    pub kind: String,
    /// Its number among its kind; 0 where there is one only.
    pub index: u16,
    /// CPU and memory of a pod's main container.
    pub resources: ResourcesSpec,
}

/// The placement that is rendered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PlacementContext {
    /// Its name.
    pub name: String,
    /// Its data centre.
    pub vdc: String,
}

/// The names by which the parts of the database find each other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DiscoveryContext {
    /// The component's Service.
    pub service: String,
    /// The DNS domain of the workers, such as `cluster.local`.
    pub cluster_domain: String,
    /// The port of every member and router.
    pub port: u16,
    /// What the engine's own charts need to know beside that.
    #[serde(flatten)]
    pub of_engine: Map<String, Value>,
}

/// The Secrets that the pods of a component mount. Their names change with what they hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SecretsContext {
    /// The Secret whose `keyfile` members authenticate to each other by.
    pub keyfile: String,
    /// TLS; none while it is disabled.
    pub tls: Option<TlsContext>,
}

/// TLS of a component.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TlsContext {
    /// `allowTLS`, `preferTLS` or `requireTLS`.
    pub mode: String,
    /// The Secret with `server.pem`, the certificate and its key, and `ca.pem`, the authorities that are trusted.
    pub secret: String,
}

/// What the workers can do. It is frozen in a revision, so that an upgrade of a worker restarts nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Capabilities {
    /// The oldest Kubernetes version among the workers, such as `1.34.4`.
    pub kube_version: String,
}

impl RenderInput<'_> {
    /// The name of the workload: a prefix of the name of every object that belongs to this placement alone.
    pub(crate) fn workload(&self) -> String {
        format!("{}-{}-{}", self.cluster.name, self.component.name, self.placement.name)
    }

    /// The context as templates see it.
    pub(crate) fn to_context(&self) -> Value {
        let Self { chart, cluster, component, placement, discovery, secrets, .. } = self;
        let Self { image, agent_image, values, settings, capabilities, .. } = self;
        let mut context = json!({
            "release": {
                "name": cluster.name,
                "namespace": cluster.namespace,
                "service": "Kogge",
                "chart": chart.name,
                "chartVersion": chart.version.to_string(),
                "appVersion": chart.app_version,
            },
            "cluster": cluster,
            "component": {
                "name": component.name,
                "kind": component.kind,
                "index": component.index,
                "resources": component.resources,
                "workload": self.workload(),
                "selector": selector::of_component(&cluster.id, &component.name),
            },
            "placement": {
                "name": placement.name,
                "vdc": placement.vdc,
                "selector": selector::of_placement(&cluster.id, &component.name, &placement.name),
            },
            "discovery": discovery,
            "secrets": secrets,
            "anchor": { "configMap": names::anchor(&cluster.name) },
            "agent": { "image": agent_image },
            "volumes": { "data": names::volume_claim_template(&cluster.id) },
            "image": image,
            "values": values,
            "capabilities": capabilities,
        });
        if !settings.is_empty() {
            context["settings"] = json!(settings);
        }
        context
    }
}
