//! `WorkerCluster`: a Kubernetes cluster that workloads run in, reached through a kubeconfig.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube_core::Duration;
use kube_derive::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::rules::{by, rule};

/// A worker cluster: one failure domain (vdc), one kubeconfig, one identity.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "kogge.dev",
    version = "v1alpha1",
    kind = "WorkerCluster",
    shortname = "wc",
    category = "kogge",
    status = "WorkerClusterStatus",
    derive = "PartialEq",
    doc = "A Kubernetes cluster that workloads run in, reached through a kubeconfig.",
    crates(kube_core = "::kube_core"),
    printcolumn(name = "VDC", type_ = "string", json_path = ".spec.vdc"),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type=='Ready')].status"),
    printcolumn(
        name = "Since",
        type_ = "date",
        json_path = ".status.conditions[?(@.type=='Ready')].lastTransitionTime"
    ),
    printcolumn(name = "Version", type_ = "string", json_path = ".status.version"),
    printcolumn(name = "In use", type_ = "integer", json_path = ".status.inUse"),
    printcolumn(
        name = "Why",
        type_ = "string",
        priority = 1,
        json_path = ".status.conditions[?(@.type=='Ready')].message"
    ),
    printcolumn(name = "UID", type_ = "string", priority = 1, json_path = ".status.uid"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [
    rule("has(self.allowedNamespaces.all) != has(self.allowedNamespaces.names)",
        "spec.allowedNamespaces: give either names, or all: true"),
]))]
pub struct WorkerClusterSpec {
    /// The virtual data centre, the failure domain that the cluster represents.
    #[schemars(length(min = 1, max = 63), extend("x-kubernetes-validations" = [
        rule("self == oldSelf", "spec.vdc cannot change: make another WorkerCluster and move the placements to it"),
        rule("self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",
            "spec.vdc must be lower-case letters, digits and dashes, because it is part of labels and names"),
    ]))]
    pub vdc: String,
    /// Where the kubeconfig is.
    pub kubeconfig: KubeconfigSource,
    /// How the operator reaches the members of a database.
    #[serde(default)]
    pub access: Access,
    /// How the pods of this cluster and of the others reach each other.
    #[serde(default)]
    #[schemars(extend("x-kubernetes-validations" = [
        rule("self == oldSelf", "spec.network cannot change: every member's host name depends on it"),
    ]))]
    pub network: Network,
    /// The namespaces in which Kogge may hold objects.
    pub allowed_namespaces: AllowedNamespaces,
    /// What Kogge may ask of the cluster's API server at a time.
    #[serde(default)]
    pub limits: Limits,
    /// Stops every write to this cluster; what runs goes on.
    #[serde(default)]
    pub suspend: bool,
}

/// Where a kubeconfig is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct KubeconfigSource {
    /// A Secret in Kogge's own namespace.
    pub secret_ref: SecretKey,
}

/// A key of a Secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecretKey {
    /// The Secret's name.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// The key in its data.
    #[serde(default = "kubeconfig_key")]
    #[schemars(length(min = 1, max = 253), regex(pattern = r"^[-._a-zA-Z0-9]+$"))]
    pub key: String,
}

fn kubeconfig_key() -> String {
    "kubeconfig".to_owned()
}

/// How the operator reaches the members of a database.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Access {
    /// Through the worker's API server: no route to pods is needed.
    #[default]
    PortForward,
    /// At the addresses of their pods, which must be routed to the operator. A member that has not joined its
    /// group yet is reached through the worker's API server all the same: the first users are made from
    /// the pod's own loopback, and from nowhere else.
    Direct,
}

/// How pods of different clusters reach each other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Network {
    /// The kind of network.
    #[serde(default)]
    pub mode: NetworkMode,
    /// The cluster's DNS domain; the same in all clusters that share a database.
    #[serde(default = "cluster_domain")]
    #[schemars(length(min = 1, max = 64), regex(pattern = r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"))]
    pub cluster_domain: String,
}

impl Default for Network {
    fn default() -> Self {
        Self { mode: NetworkMode::default(), cluster_domain: cluster_domain() }
    }
}

fn cluster_domain() -> String {
    "cluster.local".to_owned()
}

/// The kind of network between clusters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum NetworkMode {
    /// Pod addresses route between the clusters.
    #[default]
    Underlay,
}

/// The namespaces in which Kogge may hold objects: a list, or all.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AllowedNamespaces {
    /// These, each watched by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64), inner(length(min = 1, max = 63)), extend("x-kubernetes-list-type" = "set"))]
    pub names: Option<Vec<String>>,
    /// Every namespace; needs a ClusterRole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-kubernetes-validations" = [
        rule("self", "spec.allowedNamespaces.all is true or absent; to allow some, list them under names"),
    ]))]
    pub all: Option<bool>,
}

impl AllowedNamespaces {
    /// Whether objects may be held in `namespace`.
    pub fn allows(&self, namespace: &str) -> bool {
        self.all == Some(true) || self.names.iter().flatten().any(|name| name == namespace)
    }
}

/// Bounds of what Kogge asks of a worker's API server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Limits {
    /// Requests in flight at a time.
    #[serde(default = "concurrency")]
    #[schemars(range(min = 1, max = 256))]
    pub concurrency: u32,
    /// The deadline of one request.
    #[serde(default = "request_timeout", deserialize_with = "crate::duration::read")]
    #[schemars(length(max = 16), extend("x-kubernetes-validations" = [
        rule("duration(self) >= duration('1s') && duration(self) <= duration('2m')",
            "spec.limits.requestTimeout must be between 1s and 2m"),
    ]))]
    pub request_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { concurrency: concurrency(), request_timeout: request_timeout() }
    }
}

fn concurrency() -> u32 {
    16
}

fn request_timeout() -> Duration {
    std::time::Duration::from_secs(10).into()
}

/// What Kogge last saw of a worker cluster.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WorkerClusterStatus {
    /// The generation that the status speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// The UID of `kube-system`: the identity of the cluster behind the kubeconfig, pinned when first seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<String>,
    /// The API server's version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// How many databases are placed here.
    #[serde(default)]
    pub in_use: u32,
    /// ApiReachable, WatchHealthy, CredentialsValid, PermissionsSufficient, Claimed, MembersReachable, Ready.
    #[serde(default)]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = by("type")))]
    pub conditions: Vec<Condition>,
}
