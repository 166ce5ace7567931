//! Steps: what is to be done, why, and what must be observed then, as data.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::goal::{Seed, SeedSource, Start};
use crate::names::{MemberId, PodName, Url};
use crate::topology::Alarm;

/// One thing to do. It changes at most one member of the group; the plan is made again from a fresh observation after
/// it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Step {
    /// What to do.
    pub action: Action,
    /// Why, as a whole sentence.
    pub reason: String,
    /// What must be observed before the next step, as a whole sentence.
    pub waits_for: String,
}

/// Who carries a step out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Executor {
    /// The operator, by a guarded write to all anchors of the database.
    Anchor,
    /// The operator, through a worker's API.
    Kubernetes,
    /// The wire executor, by a call to a member.
    Wire,
}

/// What to do. None of the calls to a member has a deadline on the server's side: the executor sets one above 5 s plus
/// twice the election timeout. A call without an answer is unknown: observe again.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Action {
    /// Record in every anchor which pod alone begins the group, and under which ids. The pod's own record gets the member
    /// id; `initialized` and `start` are cleared unless it has that id already, and another id that it had becomes its
    /// `removed` id. With [`SeedSource::OwnDisk`] its gate restores the disk of that cluster into the new one, once, as soon as
    /// [`Action::AllowStart`] lets it.
    RecordSeed {
        /// The record.
        seed: Seed,
    },
    /// Record how a member's gate may start its server for the first time. Only the anchor of that member's own worker is
    /// read by the gate, and it must hold the seed's record as well.
    AllowStart {
        /// The member.
        pod: PodName,
        /// How, and in which pod.
        start: Start,
    },
    /// Record the id that the group lists for a member. `initialized` and `start` of the record are cleared, and an id
    /// that it had before becomes its `removed` id.
    RecordMember {
        /// The member.
        pod: PodName,
        /// Its id.
        member_id: MemberId,
    },
    /// Record that a member's server has run under its id: from now on an empty disk behind its name is a lost disk.
    /// `start` is cleared; the gate says `existing` from now on.
    MarkInitialized {
        /// The member.
        pod: PodName,
        /// Its id.
        member_id: MemberId,
    },
    /// Record that a wanted member's id was removed from the group: the disk with it is an old one, and an empty disk is
    /// that of a member that is still to join. `member_id`, `initialized` and `start` are cleared.
    RecordRemoved {
        /// The member.
        pod: PodName,
        /// The id that the group does not list any more.
        member_id: MemberId,
    },
    /// Drop a member from the anchors: the group does not list it any more.
    ForgetMember {
        /// The member.
        pod: PodName,
    },
    /// Record that the group goes on without a member: from now on it joins again only empty, under another id, and once
    /// you let it. Its record becomes that of a member whose id was removed, as with `RecordRemoved`.
    FenceMember {
        /// The member.
        pod: PodName,
        /// Its id in the group that lost its majority.
        member_id: MemberId,
    },
    /// `MemberAdd` with `isLearner`. Not repeatable: an answer that does not come is looked up by the URL.
    AddLearner {
        /// The serving member that the call goes to.
        via: PodName,
        /// The member that joins.
        pod: PodName,
        /// Its URL.
        peer_url: Url,
    },
    /// `MemberPromote`. FailedPrecondition for a voter is success.
    Promote {
        /// The leader, which the call goes to.
        via: PodName,
        /// The learner.
        pod: PodName,
        /// Its id.
        member_id: MemberId,
    },
    /// `MemberRemove`. NotFound is success.
    Remove {
        /// The leader, which the call goes to.
        via: PodName,
        /// The member.
        pod: PodName,
        /// Its id.
        member_id: MemberId,
    },
    /// `MemberUpdate`: gives a voter the peer URL that the goal has. Before 3.6.12 and 3.5.31 it promotes a learner.
    UpdatePeerUrl {
        /// The leader, which the call goes to.
        via: PodName,
        /// The member.
        pod: PodName,
        /// Its id.
        member_id: MemberId,
        /// The URL that the goal has.
        peer_url: Url,
    },
    /// `MoveLeader`, at the leader itself. etcd gives up after one election timeout, and the leader stays.
    MoveLeader {
        /// The leader.
        via: PodName,
        /// The voter that shall lead.
        to: PodName,
        /// Its id.
        member_id: MemberId,
    },
    /// `Defragment`: the member serves nobody meanwhile.
    Defragment {
        /// The member.
        pod: PodName,
    },
    /// `Alarm` with `DEACTIVATE`.
    DisarmAlarm {
        /// The leader, which the call goes to.
        via: PodName,
        /// The alarm.
        alarm: Alarm,
    },
    /// Delete a pod so that its StatefulSet makes it again from the present template.
    RestartPod {
        /// The pod.
        pod: PodName,
        /// Its uid, as a precondition of the deletion.
        uid: String,
    },
}

impl Action {
    /// Who carries it out.
    pub fn executor(&self) -> Executor {
        match self {
            Self::RecordSeed { .. }
            | Self::AllowStart { .. }
            | Self::RecordMember { .. }
            | Self::MarkInitialized { .. }
            | Self::RecordRemoved { .. }
            | Self::ForgetMember { .. }
            | Self::FenceMember { .. } => Executor::Anchor,
            Self::RestartPod { .. } => Executor::Kubernetes,
            Self::AddLearner { .. }
            | Self::Promote { .. }
            | Self::Remove { .. }
            | Self::UpdatePeerUrl { .. }
            | Self::MoveLeader { .. }
            | Self::Defragment { .. }
            | Self::DisarmAlarm { .. } => Executor::Wire,
        }
    }

    /// The member that it is about, for events.
    pub fn member(&self) -> Option<&PodName> {
        match self {
            Self::RecordSeed { seed } => Some(&seed.pod),
            Self::AllowStart { pod, .. }
            | Self::RecordMember { pod, .. }
            | Self::MarkInitialized { pod, .. }
            | Self::RecordRemoved { pod, .. }
            | Self::ForgetMember { pod }
            | Self::FenceMember { pod, .. }
            | Self::AddLearner { pod, .. }
            | Self::Promote { pod, .. }
            | Self::Remove { pod, .. }
            | Self::UpdatePeerUrl { pod, .. }
            | Self::Defragment { pod }
            | Self::RestartPod { pod, .. } => Some(pod),
            Self::MoveLeader { via, .. } => Some(via),
            Self::DisarmAlarm { .. } => None,
        }
    }

    /// The action's name, for events and metrics.
    pub fn name(&self) -> &'static str {
        match self {
            Self::RecordSeed { .. } => "RecordSeed",
            Self::AllowStart { .. } => "AllowStart",
            Self::RecordMember { .. } => "RecordMember",
            Self::MarkInitialized { .. } => "MarkInitialized",
            Self::RecordRemoved { .. } => "RecordRemoved",
            Self::ForgetMember { .. } => "ForgetMember",
            Self::FenceMember { .. } => "FenceMember",
            Self::AddLearner { .. } => "AddLearner",
            Self::Promote { .. } => "Promote",
            Self::Remove { .. } => "Remove",
            Self::UpdatePeerUrl { .. } => "UpdatePeerUrl",
            Self::MoveLeader { .. } => "MoveLeader",
            Self::Defragment { .. } => "Defragment",
            Self::DisarmAlarm { .. } => "DisarmAlarm",
            Self::RestartPod { .. } => "RestartPod",
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RecordSeed { seed } => {
                let Seed { pod, member_id, cluster_id, source, .. } = seed;
                write!(f, "record {pod} as the seed of cluster {cluster_id}, member {member_id}")?;
                match source {
                    SeedSource::Empty => Ok(()),
                    SeedSource::OwnDisk { of } => write!(f, ", restored from its own disk of cluster {of}"),
                }
            }
            Self::AllowStart { pod, start } => write!(f, "allow {pod} to start as {}", start.state),
            Self::RecordMember { pod, member_id } => write!(f, "record {pod} as member {member_id}"),
            Self::MarkInitialized { pod, .. } => write!(f, "record that {pod} holds data"),
            Self::RecordRemoved { pod, member_id } => {
                write!(f, "record that member {member_id} of {pod} was removed")
            }
            Self::ForgetMember { pod } => write!(f, "forget {pod}"),
            Self::FenceMember { pod, member_id } => {
                write!(f, "record that {pod} is held out as member {member_id}")
            }
            Self::AddLearner { pod, .. } => write!(f, "add {pod} as a learner"),
            Self::Promote { pod, member_id, .. } => write!(f, "promote {pod}, member {member_id}"),
            Self::Remove { pod, member_id, .. } => write!(f, "remove {pod}, member {member_id}"),
            Self::UpdatePeerUrl { pod, peer_url, .. } => write!(f, "set the peer URL of {pod} to {peer_url}"),
            Self::MoveLeader { via, to, .. } => write!(f, "move the leader from {via} to {to}"),
            Self::Defragment { pod } => write!(f, "defragment {pod}"),
            Self::DisarmAlarm { alarm, .. } => {
                write!(f, "disarm the alarm {:?} of member {}", alarm.kind, alarm.member_id)
            }
            Self::RestartPod { pod, .. } => write!(f, "restart {pod}"),
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { action, reason, waits_for } = self;
        write!(f, "{action}: {reason}; the next step waits until {waits_for}")
    }
}
