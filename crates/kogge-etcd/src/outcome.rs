//! What a plan says: steps, what is waited for, what you must know, and how things are.

use std::collections::BTreeSet;

use kogge_engine::Health;
use serde::{Deserialize, Serialize};

use crate::names::{ClusterId, MemberId, Placement, PodName, Vdc};
use crate::step::Step;
use crate::topology::Millis;
use crate::version::{Series, Version};

/// What follows from a goal and an observation.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    /// Steps that may be taken now: any number of anchor records, and at most one that changes a server or a pod.
    pub steps: Vec<Step>,
    /// What must come about by itself, or by you, before more can be done.
    pub waiting: Vec<Waiting>,
    /// What you must know.
    pub findings: Vec<Finding>,
    /// Steps that are taken only when you approve them.
    pub approvals: Vec<Approval>,
    /// The version that templates may carry now: the goal's where it can be reached in one step, else none, and
    /// templates keep the version that they have.
    pub accepted_version: Option<Version>,
    /// How the group is.
    pub group: GroupStatus,
}

/// Something that is waited for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    /// The member it is about, if it is about one.
    pub member: Option<PodName>,
    /// What is the case and keeps the plan from going on, as a whole sentence.
    pub message: String,
    /// Since when, where an observation tells.
    pub since: Option<Millis>,
}

/// What you must know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// What it is.
    pub kind: FindingKind,
    /// The member it is about, if it is about one.
    pub member: Option<PodName>,
    /// What is the case, what Kogge does and what you can do, as whole sentences.
    pub message: String,
}

/// A step that is taken only when you approve it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    /// What is done once it is approved, and what is lost by it, as whole sentences.
    pub message: String,
    /// What to approve: it is good for this step on this group as it is now, and for nothing else.
    pub hash: String,
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident,)*) => {
        /// Kinds of findings; the name is the stable reason.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum FindingKind {
            $($(#[$doc])* $kind,)*
        }

        impl FindingKind {
            /// The stable CamelCase reason.
            pub fn reason(self) -> &'static str {
                match self {
                    $(Self::$kind => stringify!($kind),)*
                }
            }
        }
    };
}

kinds! {
    /// The goal itself cannot be planned for.
    InvalidGoal,
    /// A server at a member's address belongs to another group.
    ForeignCluster,
    /// The group lists a member that is not ours.
    ForeignMember,
    /// A quorum of voters is gone; nothing is forced.
    MajorityLost,
    /// A member that held data has an empty disk, or an older one.
    LostDisk,
    /// The gate in a member's pod keeps its server from starting, and you must see to it.
    HeldByGate,
    /// Every member lost its disk.
    GroupLost,
    /// The recorded seed cannot start any more, or may have lost its disk before another member joined.
    SeedLost,
    /// The database exceeded its quota.
    NoSpace,
    /// The data of a member differs from the others'.
    Corrupt,
    /// The spec asks for a version that is more than one minor away.
    VersionSkipped,
    /// The spec asks for a minor version below the one that the group agreed on.
    VersionBehind,
    /// Members must have a later patch before the next minor.
    VersionTooOld,
    /// The group does not agree on the new version, because a member does not tell its own.
    VersionUnknown,
    /// An even number of members may vote.
    EvenVoters,
    /// A vdc has a quorum by itself: its loss stops writes.
    MajorityInOneVdc,
    /// A wanted member has no place in the group: votes are odd, and no learner is allowed.
    Surplus,
    /// A recovery was requested that cannot be carried out now.
    RecoveryRefused,
    /// A member that the group went on without is held out of it.
    HeldOut,
    /// A server refuses a peer because of its certificate.
    PeerCertificateRefused,
    /// Something has been waited for so long that you should look.
    Stuck,
    /// The quota is larger than etcd's documentation advises.
    QuotaAboveAdvised,
    /// Much of a member's file is free, and nothing gives it back now.
    Fragmented,
    /// Old revisions are kept until somebody compacts them.
    NoAutoCompaction,
}

impl FindingKind {
    /// Whether it is only a piece of advice: the group may be all that the goal says, and still you should know.
    pub fn is_advice(self) -> bool {
        matches!(
            self,
            Self::EvenVoters
                | Self::MajorityInOneVdc
                | Self::QuotaAboveAdvised
                | Self::Fragmented
                | Self::NoAutoCompaction
        )
    }
}

/// How the group is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GroupStatus {
    /// A member of it has run.
    pub initialized: bool,
    /// In one word.
    pub health: Health,
    /// Its id, as the anchors have it.
    pub cluster_id: Option<ClusterId>,
    /// Its leader, by the members' own words.
    pub leader: Option<PodName>,
    /// The version that it agreed on.
    pub cluster_version: Option<Series>,
    /// Its voters.
    pub voters: usize,
    /// Voters that serve and follow the leader.
    pub live_voters: usize,
    /// Its members without a vote.
    pub learners: usize,
    /// Wanted members that are ready.
    pub ready: usize,
    /// Wanted members.
    pub size: usize,
    /// The loss of one more member would cost the quorum.
    pub quorum_at_risk: bool,
    /// Vdcs whose loss would cost the quorum now.
    pub critical_vdcs: BTreeSet<Vdc>,
    /// Its wanted members, by name.
    pub members: Vec<MemberStatus>,
}

/// How one wanted member is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MemberStatus {
    /// Its pod.
    pub pod: PodName,
    /// Its placement.
    pub placement: Placement,
    /// Its vdc.
    pub vdc: Vdc,
    /// Its id, if the group lists it.
    pub member_id: Option<MemberId>,
    /// What it is in the group.
    pub state: MemberState,
    /// How many raft entries it is behind the leader; absent while unknown.
    pub lag: Option<u64>,
    /// Its binary's version.
    pub version: Option<Version>,
    /// The size of its database, in bytes.
    pub db_size: Option<u64>,
    /// It has what the goal says, freshly observed.
    pub ready: bool,
    /// Why it is not ready, as a whole sentence.
    pub reason: Option<String>,
}

/// What a member is in the group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum MemberState {
    /// It leads.
    Leader,
    /// It votes and follows the leader.
    Follower,
    /// It has no vote and follows the leader.
    Learner,
    /// It is listed and does not follow the leader, as far as is known.
    Silent,
    /// The group does not list it.
    Unlisted,
}

impl Plan {
    /// Nothing to do and nothing to wait for.
    pub fn settled(&self) -> bool {
        self.steps.is_empty() && self.waiting.is_empty()
    }

    /// The group serves, by its members' own words.
    pub fn available(&self) -> bool {
        let GroupStatus { leader, voters, live_voters, .. } = &self.group;
        leader.is_some() && *live_voters >= crate::votes::quorum(*voters)
    }

    /// The goal is reached and every part of it freshly observed.
    pub fn ready(&self) -> bool {
        self.settled() && self.group.health == Health::Ready
    }
}
