//! What a user asks for.

use kube_derive::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::maintenance::MaintenanceSpec;
use super::quota::{self, Quota};
use crate::federated_cluster::{DeletionSpec, ResourcesSpec, RolloutSpec, SecuritySpec, StorageSpec};
use crate::limits::ETCD_VOTERS;
use crate::rules::{by, free_form, rule};
use crate::{ClusterId, DatabaseStatus};

/// The name of the one component, which is part of every member's host name.
pub const COMPONENT: &str = "etcd";

/// An etcd cluster, its members in each data centre, and how it changes and ends.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "kogge.dev",
    version = "v1alpha1",
    kind = "FederatedEtcd",
    plural = "federatedetcds",
    namespaced,
    shortname = "fe",
    category = "kogge",
    status = "DatabaseStatus",
    derive = "PartialEq",
    doc = "One etcd cluster across many Kubernetes clusters.",
    crates(kube_core = "::kube_core"),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type=='Ready')].status"),
    printcolumn(
        name = "Since",
        type_ = "date",
        json_path = ".status.conditions[?(@.type=='Ready')].lastTransitionTime"
    ),
    printcolumn(
        name = "Available",
        type_ = "string",
        json_path = ".status.conditions[?(@.type=='Available')].status"
    ),
    printcolumn(name = "Version", type_ = "string", json_path = ".status.dataVersion"),
    printcolumn(name = "Chart", type_ = "string", json_path = ".status.chartVersion"),
    printcolumn(name = "Members", type_ = "string", json_path = ".status.summary"),
    printcolumn(name = "Waiting for", type_ = "string", json_path = ".status.waitingFor"),
    printcolumn(name = "Where", type_ = "string", priority = 1, json_path = ".status.where"),
    printcolumn(name = "Leader", type_ = "string", priority = 1, json_path = ".status.leaders"),
    printcolumn(name = "ID", type_ = "string", priority = 1, json_path = ".status.clusterID"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [
    rule("!has(oldSelf.clusterID) || !has(self.clusterID) || self.clusterID == oldSelf.clusterID",
        "spec.clusterID cannot change once it is set: the cluster's own ID follows from it"),
    rule("size(self.placement) >= 1",
        "spec.placement needs at least one entry: the last placement cannot be removed; to end the database, delete the FederatedEtcd"),
    rule("size(self.placement) == 0 || self.placement.exists(p, (!has(p.role) || p.role == 'Voter') && (!has(p.membersPerPlacement) || p.membersPerPlacement > 0))",
        "spec.placement: at least one placement with role Voter must hold a member; raise membersPerPlacement of one"),
    rule("!has(self.security) || !has(self.security.tls) || !has(self.security.tls.mode) || self.security.tls.mode in ['Disabled', 'Require']",
        "spec.security.tls.mode must be Disabled or Require: a port of etcd speaks TLS with everybody or with nobody"),
    rule("(has(self.security) && has(self.security.tls) && has(self.security.tls.mode) ? self.security.tls.mode : 'Disabled') == (has(oldSelf.security) && has(oldSelf.security.tls) && has(oldSelf.security.tls.mode) ? oldSelf.security.tls.mode : 'Disabled')",
        "spec.security.tls.mode cannot change: the members' URLs are part of the cluster; create another FederatedEtcd and move the data"),
    rule("!has(self.security) || !has(self.security.rotation) || ((!has(self.security.rotation.keyfile) || self.security.rotation.keyfile == 0) && (!has(self.security.rotation.passwords) || self.security.rotation.passwords == 0))",
        "spec.security.rotation: etcd has no keyfile, and Kogge makes no users on it; raise certificates or authority"),
    rule("!has(self.quotaBackendBytes) || !has(self.storage) || !has(self.storage.size) || (type(self.quotaBackendBytes) == int ? quantity(self.storage.size).compareTo(quantity(string(self.quotaBackendBytes))) >= 0 : quantity(self.storage.size).compareTo(quantity(self.quotaBackendBytes)) >= 0)",
        "spec.quotaBackendBytes must not be larger than spec.storage.size: a full volume stops a member before its quota does; lower the quota"),
    voters(),
]))]
pub struct FederatedEtcdSpec {
    /// The database's identity; filled in once by Kogge where it is not given.
    #[serde(rename = "clusterID", default, skip_serializing_if = "Option::is_none")]
    pub cluster_id: Option<ClusterId>,
    /// The chart's name.
    #[serde(default = "chart")]
    #[schemars(length(min = 1, max = 63), regex(pattern = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    pub chart: String,
    /// The chart's version; by default the newest when the cluster is created, and pinned from then on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 5, max = 64), regex(pattern = r"^[0-9]+\.[0-9]+\.[0-9]+([-+][0-9A-Za-z.+-]+)?$"))]
    pub chart_version: Option<String>,
    /// The version of etcd that the members run, such as `3.6.14`; chart and image must agree. It rises by one minor
    /// release at a time.
    #[schemars(length(min = 5, max = 32), regex(pattern = r"^[0-9]+\.[0-9]+\.[0-9]+$"))]
    pub version: String,
    /// The image of etcd; by default the chart's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 255), regex(pattern = r"^[a-zA-Z0-9][-a-zA-Z0-9._:/@]*$"))]
    pub image: Option<String>,
    /// Members in each placement.
    #[serde(default = "one")]
    #[schemars(range(max = 7), extend("x-kubernetes-validations" = [
        rule("self >= 1", "spec.membersPerPlacement must be at least 1: a database is not scaled to zero; set 0 in single placements, or delete the FederatedEtcd to end it"),
    ]))]
    pub members_per_placement: u32,
    /// CPU and memory of a member.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<ResourcesSpec>,
    /// The volume of a member.
    #[serde(default)]
    pub storage: StorageSpec,
    /// The size that the database may reach before it refuses writes (`--quota-backend-bytes`): a whole number of bytes,
    /// or one with a unit, such as `8Gi`; 2Gi by default. etcd's documentation advises 8Gi at most. A change restarts the
    /// members one by one; a larger quota ends a NOSPACE alarm.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "quota::schema")]
    pub quota_backend_bytes: Option<Quota>,
    /// When members may pause for maintenance.
    #[serde(default)]
    #[schemars(extend("default" = {}))]
    pub maintenance: MaintenanceSpec,
    /// The shares of the database, one in each data centre. The order carries no meaning.
    #[schemars(length(max = 20), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = by("name")))]
    pub placement: Vec<EtcdPlacementSpec>,
    /// Chart values, checked against the chart's `values.schema.json`.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    #[schemars(schema_with = "free_form")]
    pub values: Map<String, Value>,
    /// Who the members, the operator and clients are to each other.
    #[serde(default)]
    #[schemars(extend("default" = {}))]
    pub security: SecuritySpec,
    /// How changes of the template reach the members.
    #[serde(default)]
    #[schemars(extend("default" = {}))]
    pub rollout: RolloutSpec,
    /// What happens when this resource is deleted.
    #[serde(default)]
    #[schemars(extend("default" = {}))]
    pub deletion: DeletionSpec,
}

/// A share of the database in one data centre.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [
    rule("has(self.workerCluster) == has(oldSelf.workerCluster) && (!has(self.workerCluster) || self.workerCluster == oldSelf.workerCluster)",
        "spec.placement[].workerCluster cannot change: add a placement for the other cluster"),
]))]
pub struct EtcdPlacementSpec {
    /// Its name, part of its members' host names.
    #[schemars(length(min = 1, max = 63), extend("x-kubernetes-validations" = [
        rule("self.size() <= 16 && self.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')",
            "spec.placement[].name must be 1 to 16 lower-case letters, digits and dashes, a letter first: it becomes part of every member's host name"),
    ]))]
    pub name: String,
    /// The data centre.
    #[schemars(length(min = 1, max = 63), extend("x-kubernetes-validations" = [
        rule("self == oldSelf", "spec.placement[].vdc cannot change: add a placement for the other data centre"),
    ]))]
    pub vdc: String,
    /// The WorkerCluster, where a data centre has several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    pub worker_cluster: Option<String>,
    /// What its members may do: `Voter` votes and can lead, `Learner` never votes and holds the data.
    #[serde(default)]
    #[schemars(with = "String", length(min = 1, max = 16), extend("x-kubernetes-validations" = [
        rule("self in ['Voter', 'Learner']", "spec.placement[].role must be Voter or Learner"),
    ]))]
    pub role: EtcdRole,
    /// Members here; 0 for none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 7))]
    pub members_per_placement: Option<u32>,
    /// Chart values of this placement, over those of the cluster.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    #[schemars(schema_with = "free_form")]
    pub values: Map<String, Value>,
}

/// What the members of a placement may do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum EtcdRole {
    /// They vote and can lead.
    #[default]
    Voter,
    /// They never vote; they hold the data.
    Learner,
}

/// All members with role Voter have a vote.
fn voters() -> Value {
    let voters = "self.placement.map(p, !has(p.role) || p.role == 'Voter' ? (has(p.membersPerPlacement) ? p.membersPerPlacement : (has(self.membersPerPlacement) ? self.membersPerPlacement : 1)) : 0).sum()";
    let mend =
        format!("Kogge lets at most {ETCD_VOTERS} of them vote; lower membersPerPlacement or take placements out");
    rule(
        &format!("{voters} <= {ETCD_VOTERS}"),
        &format!(
            "spec.placement: the cluster would have more than {ETCD_VOTERS} members with role Voter, and {mend}"
        ),
    )
}

fn chart() -> String {
    "etcd".to_owned()
}

fn one() -> u32 {
    1
}
