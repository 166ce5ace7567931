//! A replica set's config and status as its members tell them.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::data::names::{Host, MemberId, SetName};

/// Most voting members that MongoDB allows in a set.
pub const MAX_VOTERS: usize = 7;

/// The priority of a member whose vdc shall hold no primary: below every priority that a goal gives, and above 0,
/// so that it takes over where nobody else is left.
pub const LOWERED_PRIORITY: f64 = 0.5;

/// A config's position. Configs are compared by term, then version; where either term is
/// unknown (a forced config), by version only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ConfigStamp {
    /// 1…2³¹−1.
    pub version: i64,
    /// The primary's term; -1 after a forced reconfiguration.
    pub term: i64,
}

impl ConfigStamp {
    /// Whether this config replaces `other`.
    pub fn newer_than(self, other: Self) -> bool {
        if self.term == -1 || other.term == -1 {
            self.version > other.version
        } else {
            (self.term, self.version) > (other.term, other.version)
        }
    }
}

impl fmt::Display for ConfigStamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "version {} term {}", self.version, self.term)
    }
}

/// `replSetGetConfig`, as far as the planner looks at it. The executor changes the document
/// itself, so fields unknown here survive.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReplConfig {
    /// The set's name.
    pub set: SetName,
    /// Its version and term.
    pub stamp: ConfigStamp,
    /// Its members.
    pub members: Vec<ConfigMember>,
    /// `settings.replicaSetId`: made at the initiate, the same in every config of the set.
    #[serde(default)]
    pub replica_set_id: Option<String>,
}

impl ReplConfig {
    /// The member with this host.
    pub fn by_host(&self, host: &Host) -> Option<&ConfigMember> {
        self.members.iter().find(|m| &m.host == host)
    }

    /// Members that vote.
    pub fn voters(&self) -> impl Iterator<Item = &ConfigMember> {
        self.members.iter().filter(|m| m.votes > 0)
    }
}

/// The number of voters that is a majority of `voters`.
pub fn majority(voters: usize) -> usize {
    voters / 2 + 1
}

/// One member in a config.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ConfigMember {
    /// Its `_id`.
    pub id: MemberId,
    /// Its name and port.
    pub host: Host,
    /// 0 or 1.
    pub votes: u32,
    /// 0–1000.
    pub priority: f64,
    /// Whether clients are kept from it.
    pub hidden: bool,
    /// Whether it holds no data.
    pub arbiter: bool,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

/// A member's replication state, as `replSetGetStatus` numbers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum MemberState {
    /// 0: reading its config.
    Startup,
    /// 1
    Primary,
    /// 2
    Secondary,
    /// 3: alive, cannot serve reads yet.
    Recovering,
    /// 5: initial sync.
    Startup2,
    /// 6, and every number that is not known.
    Unknown,
    /// 7
    Arbiter,
    /// 8: silent.
    Down,
    /// 9: dropping writes that were not committed.
    Rollback,
    /// 10: not in its config any more.
    Removed,
}

impl MemberState {
    /// The state behind `replSetGetStatus`'s number.
    pub fn from_code(code: i64) -> Self {
        match code {
            0 => Self::Startup,
            1 => Self::Primary,
            2 => Self::Secondary,
            3 => Self::Recovering,
            5 => Self::Startup2,
            7 => Self::Arbiter,
            8 => Self::Down,
            9 => Self::Rollback,
            10 => Self::Removed,
            _ => Self::Unknown,
        }
    }

    /// Holds the set's data up to its lag, and its vote counts.
    pub fn healthy(self) -> bool {
        matches!(self, Self::Primary | Self::Secondary | Self::Arbiter)
    }

    /// The process lives and works towards health: nobody should disturb it.
    pub fn in_transition(self) -> bool {
        matches!(self, Self::Startup | Self::Startup2 | Self::Recovering | Self::Rollback)
    }
}

impl fmt::Display for MemberState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Startup => "STARTUP",
            Self::Primary => "PRIMARY",
            Self::Secondary => "SECONDARY",
            Self::Recovering => "RECOVERING",
            Self::Startup2 => "STARTUP2",
            Self::Unknown => "UNKNOWN",
            Self::Arbiter => "ARBITER",
            Self::Down => "DOWN",
            Self::Rollback => "ROLLBACK",
            Self::Removed => "REMOVED",
        })
    }
}

/// `replSetGetStatus` of one member: itself and what it hears from the others.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReplStatus {
    /// The set's name.
    pub set: SetName,
    /// The answering member's own state.
    pub my_state: MemberState,
    /// The highest term it knows.
    pub term: i64,
    /// Every member of its config.
    pub members: Vec<StatusMember>,
    /// Present while it syncs initially.
    pub initial_sync: Option<InitialSync>,
    /// The size of its oplog in bytes; known of a primary while a member starts.
    #[serde(default)]
    pub oplog_bytes: Option<u64>,
    /// What it gave away and has not deleted yet; known of a shard's primary while another shard is being removed.
    #[serde(default)]
    pub kept_ranges: Option<KeptRanges>,
}

/// Ranges of chunks that a shard gave away. Until its range deleter has removed them, no chunk of theirs returns.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KeptRanges {
    /// How many, by collection.
    pub by_collection: BTreeMap<String, u64>,
    /// `orphanCleanupDelaySecs`: for how long each is kept at least.
    pub delay_seconds: Option<u64>,
}

/// One member as another one sees it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StatusMember {
    /// Its `_id`.
    pub id: MemberId,
    /// Its name and port.
    pub host: Host,
    /// Its state as heard.
    pub state: MemberState,
    /// Whether it answers heartbeats.
    pub up: bool,
    /// The wall clock time of the last entry it applied, in milliseconds since the epoch.
    pub optime_ms: Option<i64>,
    /// Of itself, how long it has run; of another, how long it has answered. In seconds, by its wall clock; absent
    /// where the server does not tell, or where that clock was put back since and the number is negative.
    #[serde(default)]
    pub uptime_secs: Option<u64>,
    /// The last entry that it applied.
    #[serde(default)]
    pub optime: Option<OpTime>,
    /// Of another, how long ago it answered a heartbeat, in milliseconds; absent where the server does not tell.
    #[serde(default)]
    pub answered_ms_ago: Option<u64>,
}

/// Where an entry stands in the oplog. Terms are compared first: of two entries the one of the later term is the
/// newer one, whatever the clocks say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct OpTime {
    /// The term of the primary that wrote it.
    pub term: i64,
    /// Seconds since the epoch, by the clock of that primary.
    pub seconds: u32,
    /// Its number within the second.
    pub increment: u32,
}

impl fmt::Display for OpTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "({}, {}) of term {}", self.seconds, self.increment, self.term)
    }
}

/// How far an initial sync is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InitialSync {
    /// 0–100, where the server tells enough to say so.
    pub percent: Option<u8>,
}
