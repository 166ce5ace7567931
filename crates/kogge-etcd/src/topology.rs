//! What was observed of the database, with its age.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::names::{ClusterId, MemberId, PodName, Url};
use crate::version::{Series, Version};

pub use kogge_engine::{Millis, OBSERVATION_MAX_AGE, OBSERVATIONS_TO_BELIEVE, Pod, PodFacts};

/// A member that is at most so many raft entries behind the leader follows it: of the 5,000 entries that a leader keeps
/// (`--snapshot-catchup-entries`) it has most before it, and it needs no snapshot.
pub const SMALL_LAG: u64 = 1_000;

/// A learner that was seen to follow the leader so many times in a row is in sync.
pub const OBSERVATIONS_IN_SYNC: u32 = 2;

/// Everything that was observed, by pod.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Topology {
    /// The group's members, wanted and leaving.
    pub members: BTreeMap<PodName, MemberObservation>,
}

/// One member.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MemberObservation {
    /// What Kubernetes says about its pod.
    pub pod: Pod,
    /// What its server says.
    pub server: Server,
    /// Peers that this server turned away because of their certificates, as its log or its metrics tell.
    #[serde(default)]
    pub refused_peers: BTreeSet<RefusedPeer>,
    /// When `server` was asked.
    pub observed_at: Millis,
    /// How many observations in a row, this one included, said the same: see [`Topology::after`].
    #[serde(default)]
    pub in_a_row: u32,
    /// How many observations in a row, this one included, it followed the leader with small lag.
    #[serde(default)]
    pub in_sync: u32,
    /// Since when every observation found its server serving clients.
    #[serde(default)]
    pub serving_since: Option<Millis>,
}

/// A peer that a server turned away.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RefusedPeer {
    /// The address that it came from.
    pub address: String,
    /// The server's words.
    pub reason: String,
}

/// What a member's server answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Server {
    /// No answer.
    Unreachable {
        /// Why, as a phrase.
        reason: String,
        /// Since when no answer came.
        since: Millis,
    },
    /// Only its peer port answers: a learner in its first sync, or a member that has no quorum since its last start. The
    /// client port of such a server accepts connections and answers nothing.
    PeerOnly(PeerAnswer),
    /// It serves clients: its own publish was applied.
    Serving(ServerState),
}

/// What the peer port of a server tells: `/members` and `/version`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PeerAnswer {
    /// The header `X-Etcd-Cluster-ID`.
    pub cluster_id: ClusterId,
    /// The group's members as this server has them.
    pub members: Vec<ListedMember>,
    /// Its binary's version.
    pub version: Version,
    /// The version that the group agreed on, as far as this server knows.
    #[serde(default)]
    pub cluster_version: Option<Series>,
    /// The raft index up to which it knows entries to be committed, where its metrics tell
    /// (`etcd_server_proposals_committed_total`).
    #[serde(default)]
    pub raft_index: Option<u64>,
}

/// `Status` of a server, and the membership as that server itself has it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServerState {
    /// Its own id.
    pub member_id: MemberId,
    /// Its group's id.
    pub cluster_id: ClusterId,
    /// The leader that it follows; none while it knows none.
    pub leader: Option<MemberId>,
    /// The term of the last entry that it applied.
    pub raft_term: u64,
    /// The raft index up to which it knows entries to be committed.
    pub raft_index: u64,
    /// The raft index up to which it applied entries.
    pub applied_index: u64,
    /// The size of its database, in bytes.
    pub db_size: u64,
    /// How much of that is in use, in bytes.
    pub db_size_in_use: u64,
    /// It has no vote.
    pub learner: bool,
    /// Its binary's version.
    pub version: Version,
    /// The version that the group agreed on, as far as this server knows.
    #[serde(default)]
    pub cluster_version: Option<Series>,
    /// The version of its storage; absent before 3.6.
    #[serde(default)]
    pub storage_version: Option<Series>,
    /// The group's alarms as this server knows them: `errors` of `Status`.
    #[serde(default)]
    pub alarms: BTreeSet<Alarm>,
    /// The group's members as this server has them.
    pub members: Vec<ListedMember>,
    /// The members that it has live connections to, where its metrics tell (`etcd_network_active_peers`).
    #[serde(default)]
    pub active_peers: Option<BTreeSet<MemberId>>,
}

/// A member as a server lists it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ListedMember {
    /// Its id.
    pub id: MemberId,
    /// Its name; none until it has published it, so until it has once been started.
    #[serde(default)]
    pub name: Option<String>,
    /// Its URLs for peers.
    pub peer_urls: Vec<Url>,
    /// It has no vote.
    pub learner: bool,
}

/// An alarm of the group. Alarms are replicated: every member has all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Alarm {
    /// The member that it is about; 0 where etcd does not know.
    pub member_id: MemberId,
    /// What is wrong.
    pub kind: AlarmKind,
}

/// What an alarm is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum AlarmKind {
    /// The database exceeded its quota: all members refuse writes.
    NoSpace,
    /// The data of the member differs from the others': all members refuse reads and writes.
    Corrupt,
}

impl Server {
    /// The group that it belongs to, by its own word.
    pub fn cluster_id(&self) -> Option<ClusterId> {
        match self {
            Self::Unreachable { .. } => None,
            Self::PeerOnly(peer) => Some(peer.cluster_id),
            Self::Serving(state) => Some(state.cluster_id),
        }
    }

    /// The group's members as it has them.
    pub fn members(&self) -> Option<&[ListedMember]> {
        match self {
            Self::Unreachable { .. } => None,
            Self::PeerOnly(peer) => Some(&peer.members),
            Self::Serving(state) => Some(&state.members),
        }
    }

    /// Its binary's version.
    pub fn version(&self) -> Option<Version> {
        match self {
            Self::Unreachable { .. } => None,
            Self::PeerOnly(peer) => Some(peer.version),
            Self::Serving(state) => Some(state.version),
        }
    }

    /// The version that its group agreed on, as far as it knows.
    pub fn cluster_version(&self) -> Option<Series> {
        match self {
            Self::Unreachable { .. } => None,
            Self::PeerOnly(peer) => peer.cluster_version,
            Self::Serving(state) => state.cluster_version,
        }
    }

    /// The raft index up to which it knows entries to be committed.
    pub fn raft_index(&self) -> Option<u64> {
        match self {
            Self::Unreachable { .. } => None,
            Self::PeerOnly(peer) => peer.raft_index,
            Self::Serving(state) => Some(state.raft_index),
        }
    }
}

impl ServerState {
    /// It says that it leads itself.
    pub fn leads(&self) -> bool {
        self.leader == Some(self.member_id)
    }
}
