//! What is done to the sharded cluster as a whole.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::data::executor::Executor;
use crate::data::goal::SetRole;
use crate::data::names::PodName;

/// One thing to do to the sharded cluster. Commands go to a router, and asking twice changes nothing more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum ShardingAction {
    /// Record in every anchor that the shard's removal has begun: it is carried to its end whatever the spec
    /// says later, because a server cannot take it back.
    RecordDrain {
        /// The shard.
        role: SetRole,
        /// Which removal of a shard of that name it is, from 1.
        number: u32,
    },
    /// Record in every anchor that no router knows the shard any more, and forget its members.
    RecordRemoval {
        /// The shard.
        role: SetRole,
        /// Which removal of a shard of that name it is, from 1.
        number: u32,
    },
    /// Record in every anchor, before it is done, that it is Kogge that stops the balancer.
    RecordBalancerPause {
        /// Which pause it is, from 1.
        number: u32,
    },
    /// Record in every anchor that the balancer runs again as it did before.
    RecordBalancerResumed {
        /// Which pause has ended, from 1.
        number: u32,
    },
    /// `removeShard`: begins the draining, and once nothing is left on the shard, ends it.
    RemoveShard {
        /// The router.
        via: PodName,
        /// The shard's name.
        shard: String,
    },
    /// `movePrimary`: moves a database's collections that are not sharded to another shard.
    MovePrimary {
        /// The router.
        via: PodName,
        /// The database.
        database: String,
        /// The shard that takes it.
        to: String,
    },
    /// `balancerStop`.
    StopBalancer {
        /// The router.
        via: PodName,
    },
    /// `balancerStart`.
    StartBalancer {
        /// The router.
        via: PodName,
    },
    /// `setFeatureCompatibilityVersion`, confirmed.
    SetFeatureCompatibilityVersion {
        /// The router.
        via: PodName,
        /// Such as `7.0`.
        version: String,
    },
    /// `setDefaultRWConcern`: writes are acknowledged by a majority where a client asks for nothing else.
    SetDefaultConcerns {
        /// The router.
        via: PodName,
        /// Reads see only what a majority holds as well.
        read: bool,
    },
}

impl ShardingAction {
    /// Who carries it out.
    pub fn executor(&self) -> Executor {
        match self {
            Self::RecordDrain { .. }
            | Self::RecordRemoval { .. }
            | Self::RecordBalancerPause { .. }
            | Self::RecordBalancerResumed { .. } => Executor::Anchor,
            Self::RemoveShard { .. }
            | Self::MovePrimary { .. }
            | Self::StopBalancer { .. }
            | Self::StartBalancer { .. }
            | Self::SetFeatureCompatibilityVersion { .. }
            | Self::SetDefaultConcerns { .. } => Executor::Wire,
        }
    }

    /// The action's name, for events and metrics.
    pub fn name(&self) -> &'static str {
        match self {
            Self::RecordDrain { .. } => "RecordDrain",
            Self::RecordRemoval { .. } => "RecordRemoval",
            Self::RecordBalancerPause { .. } => "RecordBalancerPause",
            Self::RecordBalancerResumed { .. } => "RecordBalancerResumed",
            Self::RemoveShard { .. } => "RemoveShard",
            Self::MovePrimary { .. } => "MovePrimary",
            Self::StopBalancer { .. } => "StopBalancer",
            Self::StartBalancer { .. } => "StartBalancer",
            Self::SetFeatureCompatibilityVersion { .. } => "SetFeatureCompatibilityVersion",
            Self::SetDefaultConcerns { .. } => "SetDefaultConcerns",
        }
    }
}

impl fmt::Display for ShardingAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RecordDrain { .. } => f.write_str("record that the shard is being removed"),
            Self::RecordRemoval { .. } => f.write_str("record that the shard was removed"),
            Self::RecordBalancerPause { .. } => f.write_str("record that the balancer is stopped for a while"),
            Self::RecordBalancerResumed { .. } => f.write_str("record that the balancer runs again"),
            Self::RemoveShard { via, shard } => write!(f, "remove the shard {shard} through {via}"),
            Self::MovePrimary { database, to, .. } => write!(f, "move the database {database} to {to}"),
            Self::StopBalancer { via } => write!(f, "stop the balancer through {via}"),
            Self::StartBalancer { via } => write!(f, "start the balancer through {via}"),
            Self::SetFeatureCompatibilityVersion { version, .. } => {
                write!(f, "raise the feature compatibility version to {version}")
            }
            Self::SetDefaultConcerns { read: true, .. } => {
                f.write_str("make majority the default read and write concern")
            }
            Self::SetDefaultConcerns { read: false, .. } => f.write_str("make majority the default write concern"),
        }
    }
}
