//! What a person must know; nothing is done about it.

use serde::{Deserialize, Serialize};

use crate::data::names::SetName;

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
