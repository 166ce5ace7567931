//! Steps: what is to be done, why, and what it waits for, as data.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::data::executor::Executor;
use crate::data::goal::SetRole;
use crate::data::names::{Host, MemberId, PodName, SetName};
use crate::data::replset::ConfigStamp;
use crate::data::sharding_action::ShardingAction;

/// One thing to do. It changes at most one voting member of one replica set; the plan is made again
/// from a fresh observation after it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// The replica set it is about.
    pub set: SetName,
    /// What to do.
    pub action: Action,
    /// Why it is taken, as a sentence.
    pub reason: String,
    /// What must be observed before the next step of this set, as a sentence.
    pub waits_for: String,
}

/// What to do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Action {
    /// Record in every anchor which pod alone may be initiated, and the `_id` it gets.
    RecordSeed {
        /// The seed.
        pod: PodName,
        /// Its `_id`; the anchor's `nextMemberId` becomes one more.
        member_id: MemberId,
    },
    /// Record the `_id` of a member before it is added; `nextMemberId` becomes one more.
    ReserveMemberId {
        /// The member.
        pod: PodName,
        /// Its `_id`.
        member_id: MemberId,
        /// The `_id` that it had until it lost its disk, where that is why it gets another: recorded with it, so
        /// that the disk from that time is not taken for the present one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        lost_as: Option<MemberId>,
    },
    /// Record that a member holds the set's data: from now on an empty disk behind its name is a lost
    /// disk.
    MarkInitialized {
        /// The member.
        pod: PodName,
        /// Its `_id` in the config.
        member_id: MemberId,
    },
    /// Drop a member from the anchors: the config does not list it any more.
    ForgetMember {
        /// The member.
        pod: PodName,
    },
    /// Record that a member was declared lost, before the set goes on without it: from now on it joins again
    /// only empty, and under another `_id`.
    FenceMember {
        /// The member.
        pod: PodName,
        /// Its `_id` in the config.
        member_id: MemberId,
    },
    /// `replSetInitiate` with the seed alone.
    Initiate {
        /// The seed.
        seed: PodName,
        /// What the set is for: config servers carry `configsvr: true`.
        role: SetRole,
        /// The seed as a member.
        member: NewMember,
    },
    /// Create the operator's and the administrator's users through the localhost exception.
    CreateUsers {
        /// The primary.
        via: PodName,
    },
    /// Add a member without a vote.
    AddMember {
        /// The change it is.
        change: Change,
        /// The member.
        member: NewMember,
    },
    /// Give a member a vote; its priority stays 0.
    Promote {
        /// The change it is.
        change: Change,
    },
    /// Set a voter's priority.
    SetPriority {
        /// The change it is.
        change: Change,
        /// 0–1000.
        priority: u32,
    },
    /// Set a voter's priority to [`crate::LOWERED_PRIORITY`]: primaries move away from its vdc.
    LowerPriority {
        /// The change it is.
        change: Change,
    },
    /// Set a member's tags.
    SetTags {
        /// The change it is.
        change: Change,
        /// All its tags.
        tags: BTreeMap<String, String>,
    },
    /// Keep clients from a member without a vote, or let them see it again.
    SetHidden {
        /// The change it is.
        change: Change,
        /// Whether clients are kept from it.
        hidden: bool,
    },
    /// Give a member of ours the host that the goal has for its `_id`.
    SetHost {
        /// The change it is; its host is the one that the config has.
        change: Change,
        /// The host that the goal has.
        to: Host,
        /// The member cannot find itself in its config, which lists nobody else: it is its own majority,
        /// and no primary can take the change. The executor refuses it for any other config.
        alone: bool,
    },
    /// Take a member's vote and priority.
    Demote {
        /// The change it is.
        change: Change,
    },
    /// Take a member without a vote out of the config.
    RemoveMember {
        /// The change it is.
        change: Change,
    },
    /// Take members out of the config by force, on one survivor, without the majority that it takes otherwise:
    /// approved by a person, once.
    ForceReconfig {
        /// The survivor that the command goes to: the one with the newest entry.
        via: PodName,
        /// The config that was approved; another one means: observe again.
        base: ConfigStamp,
        /// The lost members.
        lost: Vec<LostMember>,
    },
    /// Hand the primary's office over to a secondary that has caught up; never by force.
    StepDown {
        /// The primary.
        pod: PodName,
    },
    /// Delete a pod so that its StatefulSet makes it again from the present template.
    RestartPod {
        /// The pod.
        pod: PodName,
        /// Its uid, as a precondition of the deletion.
        uid: String,
    },
    /// `addShard` through a router.
    AddShard {
        /// The router.
        via: PodName,
        /// Members that hold the shard's config.
        hosts: Vec<Host>,
    },
    /// Something about the sharded cluster.
    Sharding {
        /// What.
        step: ShardingAction,
    },
}

/// A change of one member in a config that was observed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// The primary that the command goes to.
    pub via: PodName,
    /// The config that the step was planned on; another one means: observe again.
    pub base: ConfigStamp,
    /// The member that is changed.
    pub id: MemberId,
    /// Its host, which must belong to `id` in that config.
    pub host: Host,
}

/// A member that a forced reconfiguration takes out.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct LostMember {
    /// Its `_id` in the config.
    pub id: MemberId,
    /// Its host, which must belong to `id` in that config.
    pub host: Host,
}

/// A member that is not in the config yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewMember {
    /// Its `_id`, never used before in this set.
    pub id: MemberId,
    /// Its host.
    pub host: Host,
    /// 0 or 1.
    pub votes: u32,
    /// 0–1000.
    pub priority: u32,
    /// Whether clients are kept from it.
    #[serde(default)]
    pub hidden: bool,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

impl Action {
    /// Who carries it out.
    pub fn executor(&self) -> Executor {
        match self {
            Self::RecordSeed { .. }
            | Self::ReserveMemberId { .. }
            | Self::MarkInitialized { .. }
            | Self::FenceMember { .. }
            | Self::ForgetMember { .. } => Executor::Anchor,
            Self::RestartPod { .. } => Executor::Kubernetes,
            Self::Sharding { step } => step.executor(),
            Self::Initiate { .. }
            | Self::CreateUsers { .. }
            | Self::AddMember { .. }
            | Self::Promote { .. }
            | Self::SetPriority { .. }
            | Self::LowerPriority { .. }
            | Self::SetTags { .. }
            | Self::SetHidden { .. }
            | Self::SetHost { .. }
            | Self::Demote { .. }
            | Self::RemoveMember { .. }
            | Self::ForceReconfig { .. }
            | Self::StepDown { .. }
            | Self::AddShard { .. } => Executor::Wire,
        }
    }

    /// The action's name, for events and metrics.
    pub fn name(&self) -> &'static str {
        match self {
            Self::RecordSeed { .. } => "RecordSeed",
            Self::ReserveMemberId { .. } => "ReserveMemberId",
            Self::MarkInitialized { .. } => "MarkInitialized",
            Self::ForgetMember { .. } => "ForgetMember",
            Self::FenceMember { .. } => "FenceMember",
            Self::Initiate { .. } => "Initiate",
            Self::CreateUsers { .. } => "CreateUsers",
            Self::AddMember { .. } => "AddMember",
            Self::Promote { .. } => "Promote",
            Self::SetPriority { .. } => "SetPriority",
            Self::LowerPriority { .. } => "LowerPriority",
            Self::SetTags { .. } => "SetTags",
            Self::SetHidden { .. } => "SetHidden",
            Self::SetHost { .. } => "SetHost",
            Self::Demote { .. } => "Demote",
            Self::RemoveMember { .. } => "RemoveMember",
            Self::ForceReconfig { .. } => "ForceReconfig",
            Self::StepDown { .. } => "StepDown",
            Self::RestartPod { .. } => "RestartPod",
            Self::AddShard { .. } => "AddShard",
            Self::Sharding { step } => step.name(),
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RecordSeed { pod, member_id } => {
                write!(f, "record {pod} as the one seed, member {member_id}")
            }
            Self::ReserveMemberId { pod, member_id, lost_as } => {
                write!(f, "reserve member {member_id} for {pod}")?;
                lost_as.map_or(Ok(()), |lost| write!(f, ", which lost its disk as member {lost}"))
            }
            Self::MarkInitialized { pod, .. } => write!(f, "record that {pod} holds data"),
            Self::ForgetMember { pod } => write!(f, "forget {pod}"),
            Self::FenceMember { pod, member_id } => {
                write!(f, "record that {pod} was declared lost as member {member_id}")
            }
            Self::Initiate { seed, .. } => write!(f, "initiate on {seed}"),
            Self::CreateUsers { via } => write!(f, "create the first users on {via}"),
            Self::AddMember { member, .. } => {
                write!(f, "add {} as member {} without a vote", member.host, member.id)
            }
            Self::Promote { change } => write!(f, "give {} a vote", change.host),
            Self::SetPriority { change, priority } => {
                write!(f, "set the priority of {} to {priority}", change.host)
            }
            Self::LowerPriority { change } => write!(f, "lower the priority of {} below the others'", change.host),
            Self::SetTags { change, .. } => write!(f, "set the tags of {}", change.host),
            Self::SetHidden { change, hidden: true } => write!(f, "hide {} from clients", change.host),
            Self::SetHidden { change, hidden: false } => write!(f, "show {} to clients", change.host),
            Self::SetHost { change, to, .. } => write!(f, "rename {} to {to}", change.host),
            Self::Demote { change } => write!(f, "take the vote of {}", change.host),
            Self::RemoveMember { change } => write!(f, "remove {}", change.host),
            Self::ForceReconfig { via, lost, .. } => {
                let hosts: Vec<&str> = lost.iter().map(|member| member.host.as_str()).collect();
                write!(f, "go on without {}, by force on {via}", hosts.join(", "))
            }
            Self::StepDown { pod } => write!(f, "step {pod} down"),
            Self::RestartPod { pod, .. } => write!(f, "restart {pod}"),
            Self::AddShard { via, .. } => write!(f, "add the shard through {via}"),
            Self::Sharding { step } => step.fmt(f),
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { set, action, reason, waits_for } = self;
        write!(f, "{set}: {action}, because {reason}; then waits for {waits_for}")
    }
}
