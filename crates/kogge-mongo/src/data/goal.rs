//! What the database shall be: derived by the caller from its spec, its anchors and its fleet.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use kogge_api::limits::REPLICA_SET_MEMBERS;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::data::names::{Host, MemberId, Placement, PodName, SetName, Vdc};

/// The whole database: its replica sets and routers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Goal {
    /// The database's name, for sentences.
    pub cluster: String,
    /// Every replica set: config servers and shards. The order carries no meaning.
    pub sets: Vec<SetGoal>,
    /// The routers (mongos) that exist now. Kubernetes keeps their number.
    pub routers: Vec<RouterGoal>,
    /// Placements whose worker has not been observed completely since its connection stands, with
    /// the reason. What is derived from the whole fleet (seed, shrinking, restarts) waits for them.
    pub unseen: BTreeMap<Placement, String>,
    /// `rollout.order`: placements that restart first, in this order; the rest follow by name.
    pub rollout_order: Vec<Placement>,
    /// Vdcs that no primary shall be in: a planned switchover. Votes stay as they are.
    #[serde(default)]
    pub away_from: BTreeSet<Vdc>,
    /// A rollout goes on: the balancer rests until it is over.
    #[serde(default)]
    pub rolling: bool,
    /// How often Kogge stopped the balancer, and how often it runs again as before.
    #[serde(default)]
    pub balancer: Turns,
    /// The feature compatibility version that the spec asks for, such as `7.0`.
    #[serde(default)]
    pub feature_compatibility_version: Option<String>,
    /// No step is planned while this is set; the status is made all the same.
    pub paused: bool,
}

/// One replica set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SetGoal {
    /// Its name on the members' command lines and in their config.
    pub name: SetName,
    /// What it is for.
    pub role: SetRole,
    /// The members that it shall have. The order carries no meaning.
    pub members: Vec<MemberGoal>,
    /// Members of ours (the anchor knows them) that shall leave. What the config lists and neither
    /// this nor `members` names is foreign: reported, never removed.
    pub leaving: Vec<LeavingMember>,
    /// The pod that the anchors record as the one seed.
    pub seed: Option<PodName>,
    /// The anchor's `nextMemberId`: the lowest `_id` that was never used.
    pub next_member_id: u32,
    /// What a person decided about a lost majority.
    pub recovery: Recovery,
    /// The spec does not have this shard any more: it is drained, and goes.
    #[serde(default)]
    pub retired: bool,
    /// How often a shard of this name was begun to be removed, and how often that came to its end.
    #[serde(default)]
    pub removals: Turns,
}

/// How often something that takes time was begun, and how often it came to its end; from the anchors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Turns {
    /// How often it was begun.
    pub begun: u32,
    /// How often it ended.
    pub ended: u32,
}

impl Turns {
    /// Whether it was begun and has not ended.
    pub fn under_way(self) -> bool {
        self.begun > self.ended
    }
}

/// What a person decided about a set that lost its majority, and what the anchors remember of it. Nothing of
/// it is ever decided by Kogge itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recovery {
    /// Members, wanted or leaving, whose vdc was declared lost.
    pub lost: BTreeSet<PodName>,
    /// It was declared as well that nothing of the lost vdcs runs any more, or reaches the others again.
    pub cut_off: bool,
    /// The hashes of what was approved; see [`crate::Approval`].
    pub approved: BTreeSet<String>,
    /// From the anchors: members that were declared lost, and the `_id` that they had then. They are held out of
    /// the set until they join it again under another `_id`.
    pub fenced: BTreeMap<PodName, MemberId>,
    /// Held-out members that may join again, once their volumes are empty.
    pub readmitted: BTreeSet<PodName>,
}

/// What a replica set is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum SetRole {
    /// The config servers of the sharded cluster.
    Config,
    /// Shard `index`.
    Shard {
        /// 0…n-1.
        index: u32,
    },
}

/// One wanted member.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MemberGoal {
    /// Its pod.
    pub pod: PodName,
    /// Its name in the config, the same in every vdc, for ever.
    pub host: Host,
    /// The placement it belongs to.
    pub placement: Placement,
    /// The vdc it runs in.
    pub vdc: Vdc,
    /// 0–1000. Used while it votes; a member without a vote has priority 0 by MongoDB's rules.
    pub priority: u32,
    /// What it may do.
    pub role: MemberRole,
    /// What the anchor says about it.
    pub anchor: MemberAnchor,
}

/// What a member may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum MemberRole {
    /// May vote and become primary.
    Voter,
    /// Never votes, serves reads.
    ReadOnly,
    /// Never votes, hidden from clients: for backups and quick promotion.
    Standby,
}

impl fmt::Display for MemberRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Voter => "Voter",
            Self::ReadOnly => "ReadOnly",
            Self::Standby => "Standby",
        })
    }
}

/// The anchor's record of one member.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberAnchor {
    /// The `_id` reserved for it before it was added.
    pub member_id: Option<MemberId>,
    /// It has held the set's data: an empty disk behind its name is a lost disk from then on.
    pub initialized: bool,
}

/// A member of ours that shall leave the set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeavingMember {
    /// Its pod.
    pub pod: PodName,
    /// Its name in the config.
    pub host: Host,
    /// What the anchor says about it.
    #[serde(default)]
    pub anchor: MemberAnchor,
}

/// A router (mongos) that exists.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouterGoal {
    /// Its pod.
    pub pod: PodName,
    /// The placement it belongs to.
    pub placement: Placement,
}

/// A goal that cannot be planned for.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum GoalError {
    /// Two sets with one name.
    #[error("the replica set name {0} is used twice; give every component a name of its own")]
    DuplicateSet(SetName),
    /// Two members with one pod name.
    #[error("the pod name {0} belongs to two members; a pod's name must contain its placement")]
    DuplicatePod(PodName),
    /// Two members with one host.
    #[error("the host {0} belongs to two members; a host must contain its placement")]
    DuplicateHost(Host),
    /// A set without members.
    #[error("the replica set {0} would have no member; keep at least one placement with a member")]
    EmptySet(SetName),
    /// No member could ever become primary.
    #[error(
        "no member of the replica set {0} can become primary; give one placement the role Voter and a priority above 0"
    )]
    NoElectable(SetName),
    /// More members than MongoDB allows.
    #[error(
        "the replica set {set} would have {members} members, and a replica set of MongoDB has at most {REPLICA_SET_MEMBERS}; lower membersPerPlacement or take placements out"
    )]
    TooManyMembers {
        /// The set.
        set: SetName,
        /// Its members.
        members: usize,
    },
}

impl GoalError {
    /// A stable word in CamelCase.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::DuplicateSet(_) | Self::DuplicatePod(_) | Self::DuplicateHost(_) => "NamesMeet",
            Self::EmptySet(_) => "NoMember",
            Self::NoElectable(_) => "NoElectableMember",
            Self::TooManyMembers { .. } => "TooManyMembers",
        }
    }
}

impl Goal {
    /// Refuses what no plan can reach: names used twice, sets without an electable member or larger than MongoDB allows.
    pub fn validate(&self) -> Result<(), GoalError> {
        let mut sets = BTreeSet::new();
        let mut pods = BTreeSet::new();
        let mut hosts = BTreeSet::new();
        for set in &self.sets {
            if !sets.insert(&set.name) {
                return Err(GoalError::DuplicateSet(set.name.clone()));
            }
            if set.members.is_empty() {
                return Err(GoalError::EmptySet(set.name.clone()));
            }
            if set.members.len() > REPLICA_SET_MEMBERS as usize {
                return Err(GoalError::TooManyMembers { set: set.name.clone(), members: set.members.len() });
            }
            if !set.members.iter().any(MemberGoal::electable) {
                return Err(GoalError::NoElectable(set.name.clone()));
            }
            let members = set.members.iter().map(|m| (&m.pod, &m.host));
            let leaving = set.leaving.iter().map(|m| (&m.pod, &m.host));
            for (pod, host) in members.chain(leaving) {
                if !pods.insert(pod) {
                    return Err(GoalError::DuplicatePod(pod.clone()));
                }
                if !hosts.insert(host) {
                    return Err(GoalError::DuplicateHost(host.clone()));
                }
            }
        }
        Ok(())
    }

    /// The sets in the order in which they roll: config servers, then shards by index.
    pub fn ordered_sets(&self) -> Vec<&SetGoal> {
        let mut sets: Vec<_> = self.sets.iter().collect();
        sets.sort_by(|a, b| (a.role, &a.name).cmp(&(b.role, &b.name)));
        sets
    }

    /// Where a placement stands in the rollout: listed ones first, the rest by name.
    pub(crate) fn rollout_rank<'a>(&self, placement: &'a Placement) -> (usize, &'a Placement) {
        let listed = self.rollout_order.iter().position(|p| p == placement);
        (listed.unwrap_or(usize::MAX), placement)
    }
}

impl SetGoal {
    /// The wanted member behind a host.
    pub fn member_by_host(&self, host: &Host) -> Option<&MemberGoal> {
        self.members.iter().find(|m| &m.host == host)
    }

    /// The pod behind a host, wanted or leaving.
    pub fn pod_of(&self, host: &Host) -> Option<&PodName> {
        self.member_by_host(host).map(|m| &m.pod).or_else(|| {
            let leaving = self.leaving.iter().find(|m| &m.host == host);
            leaving.map(|m| &m.pod)
        })
    }

    /// The members in an order that depends on their names only.
    pub fn ordered_members(&self) -> Vec<&MemberGoal> {
        let mut members: Vec<_> = self.members.iter().collect();
        members.sort_by(|a, b| a.placement.cmp(&b.placement).then_with(|| a.pod.natural_cmp(&b.pod)));
        members
    }
}

impl MemberGoal {
    /// Whether it may ever become primary.
    pub fn electable(&self) -> bool {
        self.role == MemberRole::Voter && self.priority > 0
    }

    /// Whether clients are kept from it.
    pub fn hidden(&self) -> bool {
        self.role == MemberRole::Standby
    }

    /// The tags that read preferences and write concerns choose by.
    pub fn tags(&self) -> BTreeMap<String, String> {
        BTreeMap::from([
            ("placement".to_owned(), self.placement.to_string()),
            ("role".to_owned(), self.role.to_string()),
            ("vdc".to_owned(), self.vdc.to_string()),
        ])
    }
}
