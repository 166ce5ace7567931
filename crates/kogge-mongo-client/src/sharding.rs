//! Commands to a router about the sharded cluster. Each is idempotent, and none waits for data to move: what goes
//! on behind it is asked for again.

use std::time::Duration;

use kogge_mongo::ShardingAction;
use kogge_mongo::errors::code;
use mongodb::bson::doc;

use crate::engine::{Outcome, Wire};
use crate::error::StepError;

/// How long a command may take that only changes the cluster's catalog.
const CATALOG_DEADLINE: Duration = Duration::from_secs(15);
/// How long to wait for a move of data, or for a balancing round to end, before it is observed again.
const MOVE_DEADLINE: Duration = Duration::from_secs(3);
/// How long every server of the cluster may take to change its feature compatibility version.
const FEATURE_VERSION_DEADLINE: Duration = Duration::from_secs(30);

/// Carries out a step about the sharded cluster.
pub(crate) async fn run(wire: Wire<'_>, step: &ShardingAction) -> Result<Outcome, StepError> {
    match step {
        ShardingAction::RemoveShard { via, shard } => {
            let asked = wire.as_operator(via, doc! { "removeShard": shard }, CATALOG_DEADLINE).await;
            already_done_if(asked, code::SHARD_NOT_FOUND)
        }
        ShardingAction::MovePrimary { via, database, to } => {
            let command = doc! { "movePrimary": database, "to": to, "writeConcern": { "w": "majority" } };
            wire.as_operator(via, command, MOVE_DEADLINE).await
        }
        ShardingAction::StopBalancer { via } => {
            wire.as_operator(via, doc! { "balancerStop": 1 }, MOVE_DEADLINE).await
        }
        ShardingAction::StartBalancer { via } => {
            wire.as_operator(via, doc! { "balancerStart": 1 }, CATALOG_DEADLINE).await
        }
        ShardingAction::SetFeatureCompatibilityVersion { via, version } => {
            let command = doc! { "setFeatureCompatibilityVersion": version, "confirm": true };
            wire.as_operator(via, command, FEATURE_VERSION_DEADLINE).await
        }
        ShardingAction::SetDefaultWriteConcern { via } => {
            let command = doc! {
                "setDefaultRWConcern": 1,
                "defaultWriteConcern": { "w": "majority", "wtimeout": 0 },
                "writeConcern": { "w": "majority" },
            };
            wire.as_operator(via, command, CATALOG_DEADLINE).await
        }
        ShardingAction::RecordDrain { .. }
        | ShardingAction::RecordRemoval { .. }
        | ShardingAction::RecordBalancerPause { .. }
        | ShardingAction::RecordBalancerResumed { .. } => {
            Err(StepError::NotForTheWire { action: step.name() })
        }
    }
}

fn already_done_if(asked: Result<Outcome, StepError>, code: i32) -> Result<Outcome, StepError> {
    match asked {
        Err(StepError::Command { source, .. }) if source.code() == Some(code) => Ok(Outcome::AlreadyDone),
        other => other,
    }
}
