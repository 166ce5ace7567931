//! What was observed of the database, with its age.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::names::PodName;
use crate::replset::{ReplConfig, ReplStatus};
use crate::sharding::ClusterState;

/// Milliseconds on the caller's monotonic clock; only differences mean anything.
pub type Millis = u64;

/// An observation older than this counts as unknown.
pub const OBSERVATION_MAX_AGE: Millis = 30_000;

/// Everything that was observed, by pod.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Topology {
    /// Members of all replica sets, wanted and leaving.
    pub members: BTreeMap<PodName, MemberObservation>,
    /// Routers.
    pub routers: BTreeMap<PodName, RouterObservation>,
}

/// One member.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MemberObservation {
    /// What Kubernetes says about its pod.
    pub pod: Pod,
    /// What its server says.
    pub server: Server,
    /// When `server` was asked.
    pub observed_at: Millis,
}

/// A pod as its worker's API tells it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Pod {
    /// The worker was not observed, or too long ago.
    Unknown {
        /// Why, as a sentence.
        reason: String,
    },
    /// The worker was observed and has no such pod.
    Absent,
    /// It exists.
    Present(PodFacts),
}

impl Pod {
    /// The facts of a pod that exists.
    pub fn facts(&self) -> Option<&PodFacts> {
        match self {
            Self::Present(facts) => Some(facts),
            Self::Unknown { .. } | Self::Absent => None,
        }
    }
}

/// A pod that exists.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PodFacts {
    /// Its uid: a restart by deletion is guarded by it.
    pub uid: String,
    /// Its containers run.
    pub running: bool,
    /// Its Ready condition holds.
    pub ready: bool,
    /// It has a deletion timestamp.
    pub terminating: bool,
    /// The revision of the template it was made from.
    pub revision: Option<String>,
    /// The revision that its StatefulSet's template has now.
    pub target_revision: Option<String>,
    /// Its name resolves to its present address in every reachable vdc.
    pub resolves_everywhere: bool,
    /// Why the gate in it keeps its server from starting; none where it does not, or has not said so yet.
    #[serde(default)]
    pub held: Option<Hold>,
}

/// What the gate in a pod says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Hold {
    /// The disk is empty although the member held data. So its server does not run.
    pub lost_disk: bool,
    /// The gate's own words: why, and what to do.
    pub message: String,
}

impl Hold {
    /// What is waited for, as a sentence.
    pub(crate) fn waiting(&self) -> String {
        format!("its gate to let it start ({})", self.message)
    }
}

impl PodFacts {
    /// Both revisions are known and differ.
    pub fn outdated(&self) -> bool {
        match (&self.revision, &self.target_revision) {
            (Some(revision), Some(target)) => revision != target,
            _ => false,
        }
    }
}

/// What a member's server answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::large_enum_variant, reason = "one exists per member, and as a rule it is the large one")]
pub enum Server {
    /// No answer.
    Unreachable {
        /// Why, as a sentence.
        reason: String,
        /// Since when no answer came.
        since: Millis,
    },
    /// It answered.
    Reachable(ServerState),
}

/// A server that answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ServerState {
    /// Its answer to `hello`.
    pub hello: Hello,
    /// Whether it lets the operator in.
    pub access: Access,
    /// Its part in a replica set.
    pub replication: Replication,
}

/// `hello`, as far as the planner looks at it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// The set it belongs to; absent before the initiate and after a removal.
    pub set_name: Option<String>,
    /// It takes writes.
    pub writable_primary: bool,
    /// The primary it knows.
    pub primary: Option<String>,
    /// Its own host in the config.
    #[serde(default)]
    pub me: Option<String>,
    /// The newest wire protocol it speaks, which tells its major version: 21 is 7.0.
    #[serde(default)]
    pub max_wire_version: Option<i32>,
}

/// Whether a server lets the operator in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Access {
    /// The localhost exception holds: the server knows no user yet.
    NoUsers,
    /// The server has users and not the operator's, and the administrator's was accepted: the creation of
    /// the first users was cut short.
    NoOperator,
    /// The operator's user was accepted.
    Granted,
    /// The operator's user was refused although the server has users.
    Refused {
        /// The server's words.
        reason: String,
    },
}

/// A server's part in a replica set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Replication {
    /// `replSetGetStatus` answered 94: it holds no config and no data of a set.
    Uninitialized,
    /// `replSetGetStatus` answered 93: it holds a config in which it does not find itself.
    Removed {
        /// That config; absent where it may not be read.
        config: Option<ReplConfig>,
    },
    /// It is a member.
    Member {
        /// `replSetGetStatus`.
        status: ReplStatus,
        /// `replSetGetConfig`; absent where it may not be read yet (no users).
        config: Option<ReplConfig>,
    },
    /// It could not be read.
    Unreadable {
        /// Why, as a sentence.
        reason: String,
    },
}

/// One router.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RouterObservation {
    /// What its server says.
    pub server: RouterServer,
    /// When it was asked.
    pub observed_at: Millis,
}

/// What a router answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum RouterServer {
    /// No answer, or not the operator's to ask yet.
    Unreachable {
        /// Why, as a sentence.
        reason: String,
    },
    /// It serves and listed its shards.
    Serving {
        /// `listShards`.
        shards: Vec<ShardEntry>,
        /// What else it says of the cluster.
        #[serde(default)]
        cluster: ClusterState,
    },
}

/// One shard as a router lists it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShardEntry {
    /// The shard's name.
    pub name: String,
    /// `set/host,host`.
    pub host: String,
    /// It is being removed.
    pub draining: bool,
}

impl ShardEntry {
    /// The replica set behind the shard.
    pub fn set_name(&self) -> &str {
        match self.host.split_once('/') {
            Some((set, _)) => set,
            None => &self.name,
        }
    }
}
