//! What was observed of the database, with its age.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::data::names::PodName;
use crate::data::replset::{ReplConfig, ReplStatus};
use crate::data::sharded_cluster::ClusterState;

pub use kogge_engine::{Millis, OBSERVATION_MAX_AGE, OBSERVATIONS_TO_BELIEVE, Pod, PodFacts};

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
    /// How many observations in a row, this one included, said the same of its disk and of its server's state: see
    /// [`Topology::after`].
    pub in_a_row: u32,
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
    /// It does not say yet what it is: `replSetGetStatus` answered 94 (NotYetInitialized), or 13436 or 211. A member with
    /// all its data answers 94 for a moment after every start, until it has loaded its config, and a server that was
    /// never initiated answers it all the time. So this says nothing about its disk: that is the gate's to say.
    Starting,
    /// It is ending: `hello` or `replSetGetStatus` answered 91 (ShutdownInProgress), which mongod does from SIGTERM on
    /// for `shutdownTimeoutMillisForSignaledShutdown`, 15 s by default.
    ShuttingDown,
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
