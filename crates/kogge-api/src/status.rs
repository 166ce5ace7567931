//! What Kogge last saw of a database, whatever its kind, for the person who is on call. Nothing in it changes while
//! nothing happens (A5).

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ClusterId;
use crate::rules::by;
use crate::security::SecurityStatus;

/// The state of a database. All kinds have the same: a database consists of groups of members, and each group has a
/// leader; what an engine does not have is absent.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DatabaseStatus {
    /// The generation that the status speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Whether the database serves, by its members' own word.
    #[serde(default)]
    pub available: bool,
    /// The database's identity.
    #[serde(rename = "clusterID", default, skip_serializing_if = "Option::is_none")]
    pub cluster_id: Option<ClusterId>,
    /// Rises with every accepted change of the spec; written here before it is written to any worker.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epoch: Option<i64>,
    /// The hash of the spec that the epoch belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spec_hash: Option<String>,
    /// The chart version that is pinned, or was rolled out last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chart_version: Option<String>,
    /// The version of the data's format that all members agreed on: the featureCompatibilityVersion of MongoDB, the
    /// cluster version of etcd.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_version: Option<String>,
    /// `ready/size` of all pods.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<String>,
    /// `ready/size` by placement, in words.
    #[serde(rename = "where", default, skip_serializing_if = "Option::is_none")]
    pub where_: Option<String>,
    /// The leader of each group, in words: in MongoDB, the primaries.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leaders: Option<String>,
    /// What Kogge waits for, in words that do not change while it waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting_for: Option<String>,
    /// How clients reach the database.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connection: Option<ConnectionStatus>,
    /// The groups of members, by name: replica sets of MongoDB, the cluster of etcd.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub groups: BTreeMap<String, GroupStatus>,
    /// The routers, where the database has any: `mongos` of MongoDB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub routers: Option<RoutersStatus>,
    /// The placements, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub placement: BTreeMap<String, PlacementStatus>,
    /// The rollout in progress, or the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollout: Option<RolloutStatus>,
    /// What the pods were made with, and what is being replaced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub security: Option<SecurityStatus>,
    /// The deletion that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deletion: Option<DeletionStatus>,
    /// Available, Ready, Progressing, Degraded, QuorumAtRisk, DiscoveryStale, RolloutPaused,
    /// DeletionPending, ApprovalNeeded, SwitchedOver, SpecValid, Drifted.
    #[serde(default)]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = by("type")))]
    pub conditions: Vec<Condition>,
}

/// How clients reach the database.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConnectionStatus {
    /// The connection string, without credentials.
    pub uri: String,
    /// The Secret, beside the database's resource, with the administrator's credentials.
    pub credentials_secret: String,
}

/// How a part stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum WorkState {
    /// All of it is as asked.
    Ready,
    /// It is on its way.
    Progressing,
    /// Some of it is missing or ill.
    Degraded,
    /// It was not seen since the last change, or for too long (A3).
    #[default]
    Unknown,
}

/// A group: the members that keep one set of data in common.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GroupStatus {
    /// Whether it holds the database, or its part of it.
    pub initialized: bool,
    /// Whether the rest of the database counts on it: for a shard, whether the routers list it. Absent where there is no
    /// rest that could, and while no router answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub joined: Option<bool>,
    /// Whether its next change is queued behind those of other groups.
    pub in_queue: bool,
    /// Whether it is initialized and has no leader.
    pub read_only: bool,
    /// Members that are healthy and take their part.
    pub ready: u32,
    /// Members that the spec asks for.
    pub size: u32,
    /// Its state.
    pub status: WorkState,
    /// The pod of the member that takes writes: in MongoDB, the primary.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leader: Option<String>,
    /// What is still to leave it, where it is a shard that is being removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub draining: Option<DrainStatus>,
    /// Its members, by name.
    #[serde(default)]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = by("name")))]
    pub members: Vec<MemberStatus>,
    /// Its shares, by placement.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub placement: BTreeMap<String, ShareStatus>,
}

/// What is still to leave a shard that is being removed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DrainStatus {
    /// The databases that live on it, the first hundred by name.
    #[serde(default)]
    pub databases: Vec<String>,
    /// Its chunks of sharded collections.
    pub chunks: u64,
    /// Those that are too large for the balancer to move.
    pub jumbo_chunks: u64,
}

/// A member of a group.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MemberStatus {
    /// Its pod.
    pub name: String,
    /// Its data centre.
    pub vdc: String,
    /// Its state in the engine's words: PRIMARY, SECONDARY, … of MongoDB; Leader,
    /// Follower, Learner, … of etcd.
    pub state: String,
    /// Whether it votes.
    pub votes: u32,
    /// Its priority in elections, where the engine has priorities.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<u32>,
    /// Whether it is healthy and takes its part.
    pub ready: bool,
    /// Why it is not ready.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Who says what of it, where it itself, the other members and its worker say different things.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disagreement: Option<String>,
}

/// A part of something in one placement.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ShareStatus {
    /// Pods that are ready.
    pub ready: u32,
    /// Pods that the spec asks for.
    pub size: u32,
    /// Its state.
    pub status: WorkState,
}

/// The routers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RoutersStatus {
    /// Routers that are ready.
    pub ready: u32,
    /// Routers that the spec asks for.
    pub size: u32,
    /// Their shares, by placement.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub placement: BTreeMap<String, ShareStatus>,
}

/// A placement.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlacementStatus {
    /// Its WorkerCluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worker: Option<String>,
    /// The UID of that cluster.
    #[serde(rename = "workerUID", default, skip_serializing_if = "Option::is_none")]
    pub worker_uid: Option<String>,
    /// Pods that are ready.
    pub ready: u32,
    /// Pods that the spec asks for.
    pub size: u32,
    /// Its state.
    pub status: WorkState,
    /// The revision of its templates, where all of them have the same chart version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// Why it is not Ready.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// A rollout.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RolloutStatus {
    /// The chart version before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The chart version to come.
    pub to: String,
    /// The step at hand, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// Pods of the new revision.
    pub updated: u32,
    /// Pods in all.
    pub total: u32,
    /// When it began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Time>,
    /// When the placement at hand became healthy, from which its soak counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub healthy_since: Option<Time>,
}

/// A deletion that waits for its cool-off.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeletionStatus {
    /// When it was asked for.
    pub requested_at: Time,
    /// When it will be carried out; fixed when it was asked for.
    pub executes_at: Time,
    /// What halts the countdown: the namespace, or the definition, is being deleted itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub halted: Option<String>,
}
