//! What an engine makes of what was observed: how every group is, what is to be done, and what is in the way.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use kogge_api::conditions::{self, Status};
use kogge_api::status::DrainStatus;
use kogge_plan::ComponentKey;
use serde::{Deserialize, Serialize};

use crate::names::{GroupName, Placement, PodName, Vdc};
use crate::observation::Millis;
use crate::step::Step;

/// The reason of the [`Finding`] that a recovery cannot even be approved.
pub const RECOVERY_REFUSED: &str = "RecoveryRefused";

/// What an engine makes of what was observed.
#[derive(Clone, Debug, PartialEq)]
pub struct EngineView<A> {
    /// Every group.
    pub groups: BTreeMap<GroupName, Group>,
    /// Whether clients are served, as the condition `Available`.
    pub availability: conditions::Finding,
    /// The version of the data's format that all members have agreed on, where they tell one.
    pub data_version: Option<String>,
    /// Whether every server can read its certificates again without a restart, by its own word.
    pub reloads_certificates: bool,
    /// Why no member may have another template now; none where it may.
    pub refuses_rollout: Option<String>,
    /// Pods whose gates wait for what the anchors say by now, each with what tells it from what they said before.
    pub waiting_gates: BTreeMap<PodName, String>,
    /// Steps to take now.
    pub steps: Vec<Step<A>>,
    /// What must come about by itself.
    pub waiting: Vec<Waiting>,
    /// What you must know, and keeps the database from being Ready.
    pub findings: Vec<Finding>,
    /// What you should know, although the database is as its spec asks: Ready says it beside that.
    pub advice: Vec<Finding>,
    /// What waits for a person.
    pub approvals: Vec<Approval>,
    /// What the database itself still counts as its own.
    pub listed: Listed,
}

/// What the database itself still counts as its own, by its members' and routers' word.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listed {
    /// The pods that any group lists.
    pub members: BTreeSet<String>,
    /// The groups that the routers list; none where nobody knows.
    pub groups: Option<BTreeSet<GroupName>>,
}

/// A group of members.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    /// Its component.
    pub component: ComponentKey,
    /// It holds the database, or its part of it.
    pub initialized: bool,
    /// Whether the rest of the database counts on it; none where nobody knows.
    pub joined: Option<bool>,
    /// How it is.
    pub health: Health,
    /// The member that takes writes, where one is known to.
    pub leader: Option<PodName>,
    /// What is left to move before it may go; none while it stays.
    pub draining: Option<DrainStatus>,
    /// Members with a vote.
    pub voters: usize,
    /// Those of them that hold the data and can vote.
    pub healthy_voters: usize,
    /// Members that are as the spec asks.
    pub ready: usize,
    /// Members that the spec asks for.
    pub size: usize,
    /// One more loss would cost its majority.
    pub quorum_at_risk: bool,
    /// The version of the newest list of members that a member holds, where lists have one.
    pub config_version: Option<i64>,
    /// The term in which that list was made.
    pub config_term: Option<i64>,
    /// Its members.
    pub members: Vec<MemberView>,
}

/// A group in one word.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Health {
    /// It has what the goal says, all of it freshly observed.
    Ready,
    /// It serves, and steps or waits remain.
    Progressing,
    /// It serves, and a member that should be healthy is not.
    Degraded,
    /// It does not serve.
    Unavailable,
    /// It has not begun yet.
    Pending,
    /// Too little was observed to say.
    #[default]
    Unknown,
}

impl fmt::Display for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// A member of a group.
#[derive(Clone, Debug, PartialEq)]
pub struct MemberView {
    /// Its pod.
    pub pod: PodName,
    /// Its placement.
    pub placement: Placement,
    /// Its data centre.
    pub vdc: Vdc,
    /// What it says of itself, in the engine's own word.
    pub state: String,
    /// It holds the data and serves its group.
    pub is_healthy: bool,
    /// It is on its way to health: nobody should disturb it.
    pub in_transition: bool,
    /// Its group lists it.
    pub listed: bool,
    /// Its votes.
    pub votes: u32,
    /// Its priority in elections, where the engine has priorities.
    pub priority: Option<u32>,
    /// How far it is behind the leader; none while nobody knows.
    pub lag_ms: Option<i64>,
    /// It is as the spec asks.
    pub ready: bool,
    /// Why it is not.
    pub reason: Option<String>,
    /// What it says of itself and others say otherwise.
    pub disagreement: Option<String>,
}

/// What must come about by itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Waiting {
    /// The group that it is about, if it is about one.
    pub group: Option<GroupName>,
    /// The member that it is about, if it is about one.
    pub member: Option<PodName>,
    /// What is waited for.
    pub what: String,
    /// Since when, on the clock of the observations.
    pub since: Option<Millis>,
}

/// What you must know; nothing is done about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// A stable word in CamelCase.
    pub reason: &'static str,
    /// What it is and what to do.
    pub message: String,
}

/// A step that waits for a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approval {
    /// The group.
    pub group: GroupName,
    /// What would be done, in a sentence.
    pub what: String,
    /// What to approve it by.
    pub hash: String,
}

impl<A> EngineView<A> {
    /// Nothing to do and nothing to wait for.
    pub fn is_settled(&self) -> bool {
        self.steps.is_empty() && self.waiting.is_empty()
    }

    /// Settled, and every group is as the spec asks.
    pub fn is_ready(&self) -> bool {
        let mut groups = self.groups.values().peekable();
        self.is_settled() && groups.peek().is_some() && groups.all(|group| group.health == Health::Ready)
    }

    /// Whether clients are served.
    pub fn is_available(&self) -> bool {
        self.availability.status == Status::True
    }

    /// The leader of every group; none where a group has none, or there is no group.
    pub fn leaders(&self) -> Option<Vec<PodName>> {
        let leaders: Option<Vec<PodName>> = self.groups.values().map(|group| group.leader.clone()).collect();
        leaders.filter(|leaders| !leaders.is_empty())
    }
}

impl fmt::Display for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.member, &self.group) {
            (Some(member), _) => write!(f, "member {member}: {}", self.what),
            (None, Some(group)) => write!(f, "{group}: {}", self.what),
            (None, None) => f.write_str(&self.what),
        }
    }
}
