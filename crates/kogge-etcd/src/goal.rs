//! What the database shall be: derived by the caller from its spec, its anchors and its fleet.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::names::{ClusterId, MemberId, Placement, PodName, Token, Url, Vdc};
use crate::version::Version;

pub use kogge_api::anchor::etcd::StartState;

/// The whole database: one group, an etcd cluster.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Goal {
    /// The database's name, for sentences.
    pub database: String,
    /// The UID of the database's resource: with the incarnation it makes the group's token.
    pub uid: String,
    /// The members that the group shall have. The order carries no meaning.
    pub members: Vec<MemberGoal>,
    /// Members of ours (the anchors know them) that shall leave. What the group lists and neither this nor `members`
    /// names is foreign: reported, never removed.
    pub leaving: Vec<LeavingMember>,
    /// What the anchors say about the group's beginning.
    pub seed: Option<Seed>,
    /// Placements whose worker has not been observed completely since it was connected, with the reason. What is
    /// derived from the whole fleet (seed, shrinking, restarts) waits for them.
    pub unseen: BTreeMap<Placement, String>,
    /// `rollout.order`: placements that restart first, in this order; the rest follow by name.
    pub rollout_order: Vec<Placement>,
    /// A rollout is in progress: maintenance rests until it is over.
    #[serde(default)]
    pub rolling: bool,
    /// Vdcs that the leader shall not be in: a planned switchover.
    #[serde(default)]
    pub away_from: BTreeSet<Vdc>,
    /// `--max-learners` of every member: how many members without a vote the group may have. 1 up to 3.5.
    pub max_learners: usize,
    /// The version that the members' templates shall have.
    pub version: Version,
    /// `--quota-backend-bytes` of every member, in bytes.
    pub quota_bytes: u64,
    /// Whether the maintenance window is open now: then members may be defragmented.
    #[serde(default)]
    pub window: Window,
    /// Members compact old revisions by themselves (`--auto-compaction-retention`).
    pub auto_compaction: bool,
    /// What you decided about a lost majority.
    #[serde(default)]
    pub recovery: Recovery,
    /// No step is planned while this is set; the status is made all the same.
    pub paused: bool,
}

/// The maintenance window, as it is now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Window {
    /// The spec has none.
    #[default]
    NotSet,
    /// It opens another time.
    Closed,
    /// It is open.
    Open,
}

/// The anchors' record of a group's beginning: exactly one member starts it, under ids that are known before.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Seed {
    /// The pod that alone may start a new group.
    pub pod: PodName,
    /// Counts the groups that the database has had; see [`Token::of`].
    pub incarnation: u32,
    /// The member id that the seed gets.
    pub member_id: MemberId,
    /// The group's id. A server with another one is not of this group.
    pub cluster_id: ClusterId,
    /// Where its data comes from.
    pub source: SeedSource,
}

/// Where the data of a group's first member comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum SeedSource {
    /// It starts empty.
    Empty,
    /// Its own disk, restored by its gate under the new ids: what is left of a group that lost its majority.
    OwnDisk {
        /// The id of the group that the disk is from.
        of: ClusterId,
    },
}

/// One wanted member.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberGoal {
    /// Its pod, and its `--name`.
    pub pod: PodName,
    /// Its one URL for peers, the same in every vdc for its whole life.
    pub peer_url: Url,
    /// Its one URL for clients.
    pub client_url: Url,
    /// The placement it belongs to.
    pub placement: Placement,
    /// The vdc it runs in.
    pub vdc: Vdc,
    /// What it may do.
    pub role: MemberRole,
    /// What the anchors say about it.
    pub anchor: MemberAnchor,
}

/// What a member may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum MemberRole {
    /// May vote and lead.
    Voter,
    /// Never votes; holds the data and serves serializable reads.
    Learner,
}

impl fmt::Display for MemberRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// The anchors' record of one member.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MemberAnchor {
    /// The id that it has in the group; absent until it was added.
    #[serde(default)]
    pub member_id: Option<MemberId>,
    /// Its server has run under that id: an empty disk behind its name is a lost disk from then on.
    #[serde(default)]
    pub initialized: bool,
    /// How its gate may start its server for the first time under that id.
    #[serde(default)]
    pub start: Option<Start>,
    /// The last id that it had and that was removed. A disk with it is an old one.
    #[serde(default)]
    pub removed: Option<MemberId>,
}

/// How a gate starts a server that has no data yet, or restores its data first. It is good for one pod and for one start: a gate that has used it
/// and finds an empty disk holds, because what the server promised under its id is gone.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Start {
    /// The uid of the pod whose gate found the empty disk.
    pub uid: String,
    /// `--initial-cluster-state`.
    pub state: StartState,
    /// `--initial-cluster-token`.
    pub token: Token,
    /// `--initial-cluster`: with `existing` exactly the group's members, with distinct names.
    pub initial_cluster: BTreeMap<Url, PodName>,
}

/// A member of ours that shall leave the group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeavingMember {
    /// Its pod.
    pub pod: PodName,
    /// Its URL for peers.
    pub peer_url: Url,
    /// The vdc it runs in.
    pub vdc: Vdc,
    /// What the anchors say about it.
    #[serde(default)]
    pub anchor: MemberAnchor,
}

/// What you decided about a group that lost its majority, and what the anchors remember of it. Kogge never decides any
/// of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recovery {
    /// Members, wanted or leaving, whose vdc was declared lost.
    pub lost: BTreeSet<PodName>,
    /// It was declared as well that nothing of the lost vdcs runs any more, or reaches the others again.
    pub cut_off: bool,
    /// The hashes of what was approved; see [`crate::Approval`].
    pub approved: BTreeSet<String>,
    /// From the anchors: members that the group went on without, and the id that they had then. They are held out of
    /// the group until they join it again, empty, under another id.
    pub fenced: BTreeMap<PodName, MemberId>,
    /// Held-out members that may join again, once their volumes are empty.
    pub readmitted: BTreeSet<PodName>,
}

/// A goal that cannot be planned for.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum GoalError {
    /// Two members with one pod name.
    #[error("the pod name {0} belongs to two members; give every placement a name of its own")]
    DuplicatePod(PodName),
    /// Two members with one peer URL.
    #[error("the peer URL {0} belongs to two members; a URL must contain the name of its pod")]
    DuplicateUrl(Url),
    /// A group without voters.
    #[error("{0} would have no member that may vote; give one placement the role Voter and at least one member")]
    NoVoter(String),
    /// No member could ever join.
    #[error("maxLearners of {0} is 0; set it to 1 or more, because every member joins as a learner")]
    NoLearners(String),
}

impl GoalError {
    /// A stable word in CamelCase.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::DuplicatePod(_) | Self::DuplicateUrl(_) => "NamesMeet",
            Self::NoVoter(_) => "NoVoter",
            Self::NoLearners(_) => "NoLearners",
        }
    }
}

impl Goal {
    /// Refuses what no plan can reach: names used twice, no voter, no room for a member that joins.
    pub fn validate(&self) -> Result<(), GoalError> {
        let mut pods = BTreeSet::new();
        let mut urls = BTreeSet::new();
        let members = self.members.iter().map(|m| (&m.pod, &m.peer_url));
        for (pod, url) in members.chain(self.leaving.iter().map(|m| (&m.pod, &m.peer_url))) {
            if !pods.insert(pod) {
                return Err(GoalError::DuplicatePod(pod.clone()));
            }
            if !urls.insert(url) {
                return Err(GoalError::DuplicateUrl(url.clone()));
            }
        }
        if !self.members.iter().any(|m| m.role == MemberRole::Voter) {
            return Err(GoalError::NoVoter(self.database.clone()));
        }
        if self.max_learners == 0 {
            return Err(GoalError::NoLearners(self.database.clone()));
        }
        Ok(())
    }

    /// The wanted member behind a pod.
    pub fn member(&self, pod: &PodName) -> Option<&MemberGoal> {
        self.members.iter().find(|m| &m.pod == pod)
    }

    /// The members in an order that depends on their names only.
    pub fn ordered_members(&self) -> Vec<&MemberGoal> {
        let mut members: Vec<_> = self.members.iter().collect();
        members.sort_by(|a, b| a.placement.cmp(&b.placement).then_with(|| a.pod.natural_cmp(&b.pod)));
        members
    }

    /// All members of ours, wanted and leaving: their pods, peer URLs and records.
    pub(crate) fn known(&self) -> impl Iterator<Item = (&PodName, &Url, &MemberAnchor)> {
        let wanted = self.members.iter().map(|m| (&m.pod, &m.peer_url, &m.anchor));
        wanted.chain(self.leaving.iter().map(|m| (&m.pod, &m.peer_url, &m.anchor)))
    }

    /// The vdc of a member of ours, wanted or leaving.
    pub(crate) fn vdc_of(&self, pod: &PodName) -> Option<&Vdc> {
        let leaving = || self.leaving.iter().find(|m| &m.pod == pod).map(|m| &m.vdc);
        self.member(pod).map(|m| &m.vdc).or_else(leaving)
    }

    /// Where a placement is in the rollout: listed ones first, the rest by name.
    pub(crate) fn rollout_rank<'a>(&self, placement: &'a Placement) -> (usize, &'a Placement) {
        let listed = self.rollout_order.iter().position(|p| p == placement);
        (listed.unwrap_or(usize::MAX), placement)
    }
}

impl Seed {
    /// The group's token.
    pub fn token(&self, uid: &str) -> Token {
        Token::of(uid, self.incarnation)
    }
}
