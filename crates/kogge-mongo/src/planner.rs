//! The plan: what to do now, what is waited for, what a person must know, and how things stand.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::goal::{Goal, SetGoal, SetRole};
use crate::names::{Placement, PodName, SetName, Vdc};
use crate::replset::{ConfigStamp, MemberState};
use crate::sharding::{Chunks, CollectionChunks};
use crate::step::Step;
use crate::topology::{Millis, Topology};
use crate::view::SetView;
use crate::{bootstrap, membership, recovery, report, restart, sharding, status, switchover};

/// What follows from a goal and an observation.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// Steps that may be taken now: per set any number of anchor records, and at most one that
    /// changes a server or a pod.
    pub steps: Vec<Step>,
    /// What must come about by itself, or by a person, before more can be done.
    pub waiting: Vec<Waiting>,
    /// What a person must know; nothing is done about it.
    pub findings: Vec<Finding>,
    /// Steps that are taken only when a person approves them.
    pub approvals: Vec<Approval>,
    /// How each set stands.
    pub sets: BTreeMap<SetName, SetStatus>,
    /// The feature compatibility version as a router tells it; absent while none does.
    pub feature_compatibility_version: Option<String>,
}

/// Something that is waited for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    /// The set it is about; absent when it is about all.
    pub set: Option<SetName>,
    /// The member it is about, if it is about one.
    pub member: Option<PodName>,
    /// What is waited for, as a sentence.
    pub what: String,
    /// Since when, where an observation tells.
    pub since: Option<Millis>,
}

impl fmt::Display for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.member, &self.set) {
            (Some(member), _) => write!(f, "member {member}: {}", self.what),
            (None, Some(set)) => write!(f, "{set}: {}", self.what),
            (None, None) => f.write_str(&self.what),
        }
    }
}

/// What a person must know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The set it is about; absent when it is about all.
    pub set: Option<SetName>,
    /// What it is.
    pub kind: FindingKind,
    /// What it is and what to do, as a sentence.
    pub message: String,
}

/// A step that is taken only when a person approves it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    /// The set.
    pub set: SetName,
    /// What is done once it is approved, and what is lost by it.
    pub what: String,
    /// What to approve: it stands for this step on this config of this set, and for nothing else.
    pub hash: String,
}

/// Kinds of findings; the name is the stable reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum FindingKind {
    /// The goal itself cannot be planned for.
    InvalidGoal,
    /// The config lists a member that is not ours.
    ForeignMember,
    /// A member that held data has an empty disk.
    LostDisk,
    /// The gate in a member's pod keeps its server from starting, and a person must see to it.
    HeldByGate,
    /// Every member is empty although the anchors say that the set held data.
    SetLost,
    /// The recorded seed is no wanted member any more.
    SeedLost,
    /// A server knows users, and the operator's is not among them.
    AccessRefused,
    /// A server at a member's address belongs to another set.
    OtherSet,
    /// A majority of voters is gone; nothing is done by itself.
    MajorityLost,
    /// All 256 member ids were used.
    MemberIdsExhausted,
    /// A recovery was asked for that cannot be carried out now.
    RecoveryRefused,
    /// A member that was declared lost is back, and is held out of the set.
    HeldOut,
    /// A server does not find itself behind the host that the config has for it.
    HostNotSelf,
    /// A server has been starting for longer than its oplog explains.
    StartupOverdue,
    /// Something has been waited for so long that a person should look.
    Stuck,
    /// Chunks of a shard that is being removed are too large for the balancer.
    JumboChunks,
    /// The balancer is off, and a shard that is being removed needs it.
    BalancerOff,
    /// Volumes of a shard that was removed are still there, with its data.
    StaleData,
    /// The routers list a shard that is not ours.
    ForeignShard,
    /// The spec asks for a feature compatibility version that cannot be set.
    FeatureVersionRefused,
}

impl FindingKind {
    /// The stable CamelCase reason.
    pub fn reason(self) -> &'static str {
        match self {
            Self::InvalidGoal => "InvalidGoal",
            Self::ForeignMember => "ForeignMember",
            Self::LostDisk => "LostDisk",
            Self::HeldByGate => "HeldByGate",
            Self::SetLost => "SetLost",
            Self::SeedLost => "SeedLost",
            Self::AccessRefused => "AccessRefused",
            Self::OtherSet => "OtherSet",
            Self::MajorityLost => "MajorityLost",
            Self::MemberIdsExhausted => "MemberIdsExhausted",
            Self::RecoveryRefused => "RecoveryRefused",
            Self::HeldOut => "HeldOut",
            Self::HostNotSelf => "HostNotSelf",
            Self::StartupOverdue => "StartupOverdue",
            Self::Stuck => "Stuck",
            Self::JumboChunks => "JumboChunks",
            Self::BalancerOff => "BalancerOff",
            Self::StaleData => "StaleData",
            Self::ForeignShard => "ForeignShard",
            Self::FeatureVersionRefused => "FeatureVersionRefused",
        }
    }
}

/// How one set stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SetStatus {
    /// What it is for.
    pub role: SetRole,
    /// It was initiated.
    pub initialized: bool,
    /// A router lists it; absent for config servers and while no router answers.
    pub added_as_shard: Option<bool>,
    /// In one word.
    pub health: Health,
    /// Its primary, by the members' own words.
    pub primary: Option<PodName>,
    /// What is still to leave it, where it is a shard that is being removed.
    pub draining: Option<Draining>,
    /// Voters in the present config.
    pub voters: usize,
    /// Voters that are healthy.
    pub healthy_voters: usize,
    /// The position of the newest config that a member holds.
    pub config: Option<ConfigStamp>,
    /// Wanted members that are ready.
    pub ready: usize,
    /// Wanted members.
    pub size: usize,
    /// The loss of one more vdc or member would cost the majority.
    pub quorum_at_risk: bool,
    /// Its members, by name.
    pub members: Vec<MemberStatus>,
}

/// What is still to leave a shard.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Draining {
    /// Databases that live on it.
    pub databases: BTreeSet<String>,
    /// Its chunks of sharded collections.
    pub chunks: Chunks,
    /// The collections that have most of them.
    pub collections: Vec<CollectionChunks>,
}

/// A set in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Health {
    /// It has what the goal says, all of it freshly observed.
    Ready,
    /// It serves, and steps or waits remain.
    Progressing,
    /// It serves, and a member that should be healthy is not.
    Degraded,
    /// It does not serve.
    Unavailable,
    /// It is not initiated yet.
    Pending,
    /// Too little was observed to say.
    Unknown,
}

impl fmt::Display for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// How one wanted member stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MemberStatus {
    /// Its pod.
    pub pod: PodName,
    /// Its placement.
    pub placement: Placement,
    /// Its vdc.
    pub vdc: Vdc,
    /// Its replication state, by itself or else by its peers; absent while nobody knows.
    pub state: Option<MemberState>,
    /// The present config lists it.
    pub listed: bool,
    /// Its votes in the present config.
    pub votes: u32,
    /// Its priority in the present config.
    pub priority: f64,
    /// How far it is behind the primary, in milliseconds; absent while unknown.
    pub lag_ms: Option<i64>,
    /// It has what the goal says, freshly observed.
    pub ready: bool,
    /// Why it is not ready, as a sentence.
    pub reason: Option<String>,
    /// Who says what of it, where its own word, its peers' and its worker's differ.
    pub disagreement: Option<String>,
}

impl Plan {
    /// Nothing to do and nothing to wait for.
    pub fn settled(&self) -> bool {
        self.steps.is_empty() && self.waiting.is_empty()
    }

    /// The sets that the database is made of: the config servers, and each shard that was initiated and that no
    /// router is known to leave out. A shard that is being added, or was removed, serves nothing of it.
    pub fn parts(&self) -> impl Iterator<Item = (&SetName, &SetStatus)> {
        let is_part = |set: &SetStatus| set.initialized && set.added_as_shard != Some(false);
        self.sets.iter().filter(move |(_, set)| set.role == SetRole::Config || is_part(set))
    }

    /// The database serves, by its members' own words: it has shards, and each of its parts has a primary.
    pub fn available(&self) -> bool {
        let has_shards = self.parts().any(|(_, set)| set.role != SetRole::Config)
            || self.sets.values().all(|set| set.role == SetRole::Config);
        !self.sets.is_empty() && has_shards && self.parts().all(|(_, set)| set.primary.is_some())
    }

    /// Every set has a primary, those that are no part of the database yet, or no more, included.
    pub fn every_set_has_a_primary(&self) -> bool {
        !self.sets.is_empty() && self.sets.values().all(|set| set.primary.is_some())
    }

    /// The goal is reached and every part of it freshly observed.
    pub fn ready(&self) -> bool {
        self.settled() && !self.sets.is_empty() && self.sets.values().all(|set| set.health == Health::Ready)
    }
}

/// Plans the next steps from a goal and an observation. `now` is on the same clock as the
/// observation's times.
pub fn plan(goal: &Goal, topology: &Topology, now: Millis) -> Plan {
    let mut plan = Plan::default();
    if let Err(error) = goal.validate() {
        plan.findings.push(Finding { set: None, kind: FindingKind::InvalidGoal, message: error.to_string() });
        plan.waiting.push(Waiting {
            set: None,
            member: None,
            what: format!("a goal that can be reached: {error}"),
            since: None,
        });
        return plan;
    }
    plan.feature_compatibility_version = sharding::feature_version(goal, topology, now);
    let mut restarts_held = None;
    for set in goal.ordered_sets() {
        let view = SetView::of(set, topology, now);
        let mut draft = Draft::new(set);
        plan_set(goal, &view, topology, now, &mut restarts_held, &mut draft);
        if goal.paused {
            draft.steps.clear();
        }
        report::stuck(now, &mut draft);
        let set_status = status::of_set(goal, &view, topology, &draft, now);
        plan.sets.insert(set.name.clone(), set_status);
        plan.steps.append(&mut draft.steps);
        plan.waiting.append(&mut draft.waiting);
        plan.findings.append(&mut draft.findings);
        plan.approvals.append(&mut draft.approvals);
    }
    if goal.paused {
        plan.waiting.push(Waiting {
            set: None,
            member: None,
            what: format!("{} is paused; resume it to go on", goal.cluster),
            since: None,
        });
    }
    plan
}

/// One set's part: repair of what is broken and outdated, membership, shards, restarts; each only
/// while the one before has nothing to change.
fn plan_set(
    goal: &Goal,
    view: &SetView<'_>,
    topology: &Topology,
    now: Millis,
    restarts_held: &mut Option<SetName>,
    draft: &mut Draft<'_>,
) {
    report::findings(view, draft);
    recovery::plan(view, draft);
    if draft.changes_something() {
        return;
    }
    restart::unhealthy(goal, view, draft);
    if draft.changes_something() {
        return;
    }
    if sharding::holds_stale_data(view, draft) {
        return;
    }
    if !view.initiated() && sharding::is_leaving(view.set) {
        sharding::plan(goal, view, topology, now, draft);
        return;
    }
    if !view.initiated() {
        bootstrap::plan(goal, view, draft);
        return;
    }
    let default_write_concern = sharding::has_default_write_concern(goal, topology, now);
    let ground = membership::plan(goal, view, default_write_concern, draft);
    sharding::plan(goal, view, topology, now, draft);
    if !sharding::holds_restarts(goal, view, topology, now, draft) {
        restart::healthy(goal, view, restarts_held, draft);
    }
    if let Some(ground) = ground {
        switchover::finish(goal, &ground, draft);
    }
}

/// One set's part of a plan in the making.
#[derive(Debug)]
pub(crate) struct Draft<'a> {
    pub(crate) set: &'a SetGoal,
    pub(crate) steps: Vec<Step>,
    pub(crate) waiting: Vec<Waiting>,
    pub(crate) findings: Vec<Finding>,
    pub(crate) approvals: Vec<Approval>,
}

impl<'a> Draft<'a> {
    fn new(set: &'a SetGoal) -> Self {
        Self { set, steps: Vec::new(), waiting: Vec::new(), findings: Vec::new(), approvals: Vec::new() }
    }

    pub(crate) fn step(
        &mut self,
        action: crate::step::Action,
        reason: impl Into<String>,
        waits_for: impl Into<String>,
    ) {
        self.steps.push(Step {
            set: self.set.name.clone(),
            action,
            reason: reason.into(),
            waits_for: waits_for.into(),
        });
    }

    pub(crate) fn wait(&mut self, what: impl Into<String>) {
        self.waiting.push(Waiting {
            set: Some(self.set.name.clone()),
            member: None,
            what: what.into(),
            since: None,
        });
    }

    pub(crate) fn wait_member(&mut self, member: &PodName, what: impl Into<String>, since: Option<Millis>) {
        self.waiting.push(Waiting {
            set: Some(self.set.name.clone()),
            member: Some(member.clone()),
            what: what.into(),
            since,
        });
    }

    pub(crate) fn finding(&mut self, kind: FindingKind, message: impl Into<String>) {
        self.findings.push(Finding { set: Some(self.set.name.clone()), kind, message: message.into() });
    }

    /// A step that changes a server or a pod is planned already.
    pub(crate) fn changes_something(&self) -> bool {
        self.steps.iter().any(|step| step.action.executor() != crate::step::Executor::Anchor)
    }
}
