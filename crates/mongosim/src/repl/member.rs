//! What is known of a member.

use super::{Millis, config::ConfigVersion};
use crate::oplog::OpTime;

/// A member's state, by the server's numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MemberState {
    /// No configuration yet.
    Startup = 0,
    /// Elected.
    Primary = 1,
    /// Follows.
    Secondary = 2,
    /// Not fit for reads.
    Recovering = 3,
    /// Initial sync.
    Startup2 = 5,
    /// Not heard of yet.
    Unknown = 6,
    /// Votes without data.
    Arbiter = 7,
    /// Silent.
    Down = 8,
    /// Takes back what was not committed.
    Rollback = 9,
    /// Not in the configuration.
    Removed = 10,
}

impl MemberState {
    /// From the server's number.
    pub fn from_number(n: i64) -> Self {
        match n {
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

    /// `stateStr`.
    pub fn name(self) -> &'static str {
        match self {
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
        }
    }

    /// Whether documents may be read.
    pub fn is_readable(self) -> bool {
        matches!(self, Self::Primary | Self::Secondary)
    }
}

/// What heartbeats and positions told about another member.
#[derive(Debug, Clone)]
pub struct MemberData {
    /// Its state; Unknown before it answered, Down once it stopped to.
    pub state: MemberState,
    /// Whether its last heartbeats were answered.
    pub up: bool,
    /// Since when it is up.
    pub up_since: Millis,
    /// Its refusal of our identity, if the last answer was one.
    pub auth_failed: bool,
    /// Its term.
    pub term: i64,
    /// What it has applied and made durable.
    pub applied: OpTime,
    /// Its configuration.
    pub config: ConfigVersion,
    /// Last answer to a heartbeat of ours.
    pub last_response: Option<Millis>,
    /// Last sign of life of any kind.
    pub last_seen: Option<Millis>,
    /// Last heartbeat received from it.
    pub last_request: Option<Millis>,
    /// Round trip of the last heartbeat.
    pub ping: Millis,
    /// What was wrong with the last heartbeat.
    pub message: String,
    /// Whom it follows.
    pub sync_source: String,
    /// When it became primary, in its own words.
    pub election_time: Option<bson::Timestamp>,
    /// When the next heartbeat is due.
    pub next_heartbeat: Millis,
    /// Whether a heartbeat is under way.
    pub in_flight: bool,
    /// Heartbeats failed in a row.
    pub failures: u32,
}

impl MemberData {
    /// Nothing heard; a heartbeat is due at once.
    pub fn new(now: Millis) -> Self {
        Self {
            state: MemberState::Unknown,
            up: false,
            up_since: now,
            auth_failed: false,
            term: -1,
            applied: OpTime::NULL,
            config: ConfigVersion::NONE,
            last_response: None,
            last_seen: None,
            last_request: None,
            ping: 0,
            message: String::new(),
            sync_source: String::new(),
            election_time: None,
            next_heartbeat: now,
            in_flight: false,
            failures: 0,
        }
    }
}
