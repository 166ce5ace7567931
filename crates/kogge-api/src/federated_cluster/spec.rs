//! What a user asks for.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use kube_core::Duration;
use kube_derive::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::bounds::{self, CONFIG, SHARD};
use super::{SecuritySpec, defaults};
use crate::rules::{by, free_form, quantities, rule};
use crate::{ClusterId, DatabaseStatus};

/// A sharded cluster, its shares in each data centre, and how it changes and ends.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "kogge.dev",
    version = "v1alpha1",
    kind = "FederatedCluster",
    namespaced,
    shortname = "fc",
    category = "kogge",
    status = "DatabaseStatus",
    derive = "PartialEq",
    doc = "One sharded database across many Kubernetes clusters.",
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
    printcolumn(name = "Chart", type_ = "string", json_path = ".status.chartVersion"),
    printcolumn(name = "Members", type_ = "string", json_path = ".status.summary"),
    printcolumn(name = "Waiting for", type_ = "string", json_path = ".status.waitingFor"),
    printcolumn(name = "Where", type_ = "string", priority = 1, json_path = ".status.where"),
    printcolumn(name = "Primaries", type_ = "string", priority = 1, json_path = ".status.leaders"),
    printcolumn(name = "ID", type_ = "string", priority = 1, json_path = ".status.clusterID"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [
    rule("!has(oldSelf.clusterID) || !has(self.clusterID) || self.clusterID == oldSelf.clusterID",
        "spec.clusterID cannot change once it is set: it is part of every replica set's name"),
    rule("size(self.placement) >= 1",
        "spec.placement needs at least one entry: the last placement cannot be removed; to end the database, delete the FederatedCluster"),
    rule("size(self.placement) == 0 || self.placement.exists(p, (!has(p.role) || p.role == 'Voter') && (!has(p.shard) || !has(p.shard.membersPerPlacement) || p.shard.membersPerPlacement > 0))",
        "spec.placement: at least one placement with role Voter must hold a member of each shard; raise shard.membersPerPlacement of one"),
    rule("size(self.placement) == 0 || self.placement.exists(p, (!has(p.role) || p.role == 'Voter') && (!has(p.config) || !has(p.config.membersPerPlacement) || p.config.membersPerPlacement > 0))",
        "spec.placement: at least one placement with role Voter must hold a config server; raise config.membersPerPlacement of one"),
    rule("size(self.placement) == 0 || self.placement.exists(p, !has(p.mongos) || !has(p.mongos.replicas) || p.mongos.replicas > 0)",
        "spec.placement: at least one placement must hold a mongos; raise mongos.replicas of one"),
    bounds::electable(SHARD),
    bounds::electable(CONFIG),
    bounds::members(SHARD),
    bounds::members(CONFIG),
    bounds::shares(),
    bounds::pods(),
]))]
pub struct FederatedClusterSpec {
    /// The database's identity; filled in once by Kogge where it is not given.
    #[serde(rename = "clusterID", default, skip_serializing_if = "Option::is_none")]
    pub cluster_id: Option<ClusterId>,
    /// What all components share.
    #[serde(default)]
    pub global: GlobalSpec,
    /// The routers.
    #[serde(default)]
    pub mongos: RouterSpec,
    /// The shards.
    #[serde(default)]
    pub shard: ShardSpec,
    /// The config servers.
    #[serde(default)]
    pub config: MemberSpec,
    /// The shares of the database, one in each data centre. The order carries no meaning.
    #[schemars(length(max = 20), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = by("name")))]
    pub placement: Vec<PlacementSpec>,
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

/// What all components share.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GlobalSpec {
    /// The chart's name.
    #[serde(default = "defaults::chart")]
    #[schemars(length(min = 1, max = 63), regex(pattern = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    pub chart: String,
    /// The chart's version; by default the newest when the cluster is created, and pinned from then on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 5, max = 64), regex(pattern = r"^[0-9]+\.[0-9]+\.[0-9]+([-+][0-9A-Za-z.+-]+)?$"))]
    pub chart_version: Option<String>,
    /// The engine's version; the image must agree.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 32), regex(pattern = r"^[0-9]+(\.[0-9]+){1,2}$"))]
    pub version: Option<String>,
    /// The engine's image; by default the chart's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 255), regex(pattern = r"^[a-zA-Z0-9][-a-zA-Z0-9._:/@]*$"))]
    pub image: Option<String>,
    /// The feature compatibility version, raised once every member runs a version that knows it. It is never
    /// lowered, and without it left as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 3, max = 5), regex(pattern = r"^[0-9]+\.[0-9]$"))]
    pub feature_compatibility_version: Option<String>,
}

impl Default for GlobalSpec {
    fn default() -> Self {
        Self {
            chart: defaults::chart(),
            chart_version: None,
            version: None,
            image: None,
            feature_compatibility_version: None,
        }
    }
}

/// CPU and memory of a component's pods, as in a container.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ResourcesSpec {
    /// What a pod may use at most.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "quantities")]
    pub limits: BTreeMap<String, Quantity>,
    /// What a node must have free for a pod.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "quantities")]
    pub requests: BTreeMap<String, Quantity>,
}

/// The routers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RouterSpec {
    /// Routers in each placement.
    #[serde(default = "defaults::two")]
    #[schemars(range(max = 50), extend("x-kubernetes-validations" = [
        rule("self >= 1", "spec.mongos.replicasPerPlacement must be at least 1: a database is not scaled to zero; to end it, delete the FederatedCluster"),
    ]))]
    pub replicas_per_placement: u32,
    /// CPU and memory of a router.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<ResourcesSpec>,
}

impl Default for RouterSpec {
    fn default() -> Self {
        Self { replicas_per_placement: defaults::two(), resources: None }
    }
}

/// The shards.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ShardSpec {
    /// How many shards there are. Where it is lowered, those with the highest numbers are drained before they go.
    #[serde(default = "defaults::one_shard")]
    #[schemars(range(max = 128), extend("x-kubernetes-validations" = [
        rule("self >= 1", "spec.shard.shardCount must be at least 1: a database is not scaled to zero; to end it, delete the FederatedCluster"),
    ]))]
    pub shard_count: u16,
    /// Members of each shard in each placement.
    #[serde(default = "defaults::one")]
    #[schemars(range(max = 7), extend("x-kubernetes-validations" = [
        rule("self >= 1", "spec.shard.membersPerPlacement must be at least 1: a database is not scaled to zero; set 0 in single placements, or delete the FederatedCluster to end it"),
    ]))]
    pub members_per_placement: u32,
    /// CPU and memory of a member.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<ResourcesSpec>,
    /// The volume of a member.
    #[serde(default)]
    pub storage: StorageSpec,
}

impl Default for ShardSpec {
    fn default() -> Self {
        Self {
            shard_count: defaults::one_shard(),
            members_per_placement: defaults::one(),
            resources: None,
            storage: StorageSpec::default(),
        }
    }
}

/// A replica set's members.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MemberSpec {
    /// Members in each placement.
    #[serde(default = "defaults::one")]
    #[schemars(range(max = 7), extend("x-kubernetes-validations" = [
        rule("self >= 1", "spec.config.membersPerPlacement must be at least 1: a database is not scaled to zero; set 0 in single placements, or delete the FederatedCluster to end it"),
    ]))]
    pub members_per_placement: u32,
    /// CPU and memory of a member.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<ResourcesSpec>,
    /// The volume of a member.
    #[serde(default)]
    pub storage: StorageSpec,
}

impl Default for MemberSpec {
    fn default() -> Self {
        Self { members_per_placement: defaults::one(), resources: None, storage: StorageSpec::default() }
    }
}

/// The volume of a member.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [
    rule("quantity(self.size).compareTo(quantity(oldSelf.size)) == 0",
        "storage.size cannot change: this version does not grow volumes yet, and none with data in it is made smaller"),
    rule("has(self.storageClassName) == has(oldSelf.storageClassName) && (!has(self.storageClassName) || self.storageClassName == oldSelf.storageClassName)",
        "storage.storageClassName cannot change, be added or be taken away: volumes do not move between classes"),
]))]
pub struct StorageSpec {
    /// Its size.
    #[serde(default = "StorageSpec::default_size")]
    #[schemars(with = "String", length(min = 1, max = 32), extend("x-kubernetes-validations" = [
        rule("isQuantity(self) && quantity(self).isGreaterThan(quantity('0'))",
            "storage.size must be a quantity above zero, such as 10Gi"),
    ]))]
    pub size: Quantity,
    /// Its storage class; by default the cluster's own default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub storage_class_name: Option<String>,
}

impl StorageSpec {
    fn default_size() -> Quantity {
        Quantity("10Gi".to_owned())
    }
}

impl Default for StorageSpec {
    fn default() -> Self {
        Self { size: Self::default_size(), storage_class_name: None }
    }
}

/// A share of the database in one data centre.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [
    rule("!has(self.role) || self.role != 'ReadOnly' || !has(self.priority)",
        "spec.placement[].priority has no meaning with role ReadOnly, whose members are never elected; remove it"),
    rule("!has(self.role) || self.role != 'Standby' || !has(self.priority)",
        "spec.placement[].priority has no meaning with role Standby, whose members are never elected; remove it"),
    rule("has(self.workerCluster) == has(oldSelf.workerCluster) && (!has(self.workerCluster) || self.workerCluster == oldSelf.workerCluster)",
        "spec.placement[].workerCluster cannot change: add a placement for the other cluster"),
]))]
pub struct PlacementSpec {
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
    /// What its members may do: `Voter` votes and can become primary, `ReadOnly` never votes and serves
    /// reads, `Standby` never votes and is hidden from clients.
    #[serde(default)]
    #[schemars(with = "String", length(min = 1, max = 16), extend("x-kubernetes-validations" = [
        rule("self in ['Voter', 'ReadOnly', 'Standby']",
            "spec.placement[].role must be Voter, ReadOnly or Standby. Kogge makes no arbiters: one votes without data, so that losing one more member stops majority writes; let a small placement with role Voter and priority 0 break the tie"),
    ]))]
    pub role: Role,
    /// The priority of its members in elections; 1 by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 1000))]
    pub priority: Option<u32>,
    /// What differs here for the shards.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shard: Option<MemberOverride>,
    /// What differs here for the config servers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config: Option<MemberOverride>,
    /// What differs here for the routers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mongos: Option<RouterOverride>,
    /// Chart values of this placement, over those of the cluster.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    #[schemars(schema_with = "free_form")]
    pub values: Map<String, Value>,
}

/// What the members of a placement may do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Role {
    /// They vote and can become primary.
    #[default]
    Voter,
    /// They never vote; they serve reads.
    ReadOnly,
    /// They never vote and clients do not see them; for backups and quick promotion.
    Standby,
}

/// What differs in a placement for a replica set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MemberOverride {
    /// Members of each replica set here; 0 for none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 7))]
    pub members_per_placement: Option<u32>,
}

/// What differs in a placement for the routers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RouterOverride {
    /// Routers here; 0 for none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 50))]
    pub replicas: Option<u32>,
}

/// How changes of the template reach the members.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RolloutSpec {
    /// Placements that go first, in this order; the rest follows by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20), inner(length(min = 1, max = 16)), extend("x-kubernetes-list-type" = "atomic"))]
    pub order: Vec<String>,
    /// How long each placement must have been healthy before the next one's turn.
    #[serde(default = "defaults::no_soak", deserialize_with = "crate::duration::read")]
    #[schemars(length(max = 16), extend("default" = "0s", "x-kubernetes-validations" = [
        rule("duration(self) >= duration('0s') && duration(self) <= duration('24h')", "spec.rollout.soak must be between 0s and 24h"),
    ]))]
    pub soak: Duration,
    /// What happens when a step fails.
    #[serde(default)]
    pub on_failure: OnFailure,
}

impl Default for RolloutSpec {
    fn default() -> Self {
        Self { order: Vec::new(), soak: defaults::no_soak(), on_failure: OnFailure::default() }
    }
}

/// What happens when a step of a rollout fails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum OnFailure {
    /// The rollout stops where it is.
    #[default]
    Pause,
}

/// What happens when the resource is deleted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeletionSpec {
    /// How long the database keeps running after its resource was deleted.
    #[serde(default = "defaults::cool_off", deserialize_with = "crate::duration::read")]
    #[schemars(length(max = 16), extend("default" = "168h", "x-kubernetes-validations" = [
        rule("duration(self) >= duration('0s') && duration(self) <= duration('8760h')", "spec.deletion.coolOff must be between 0s and 8760h (a year)"),
    ]))]
    pub cool_off: Duration,
    /// What becomes of the volumes afterwards.
    #[serde(default)]
    pub data: DataPolicy,
}

impl Default for DeletionSpec {
    fn default() -> Self {
        Self { cool_off: defaults::cool_off(), data: DataPolicy::default() }
    }
}

/// What becomes of the volumes of a database that has ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum DataPolicy {
    /// They stay.
    #[default]
    Retain,
    /// They are deleted.
    Delete,
}
