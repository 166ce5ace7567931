//! The rollout, for the status.

use std::time::Duration;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kogge_api::status::RolloutStatus;
use kogge_engine::{Database, DatabaseStatus, Engine};
use kogge_plan::rollout::UseRevision;

use crate::plan::DatabasePlan;
use crate::revisions::Rollout;

/// For how long the rollout has been soaking; none where it is not.
pub fn soaking_for(database: &Database, now: &Time) -> Option<Duration> {
    let since = database.status.as_ref()?.rollout.as_ref()?.healthy_since.as_ref()?;
    now.0.duration_since(since.0).try_into().ok()
}

/// The chart version that every share has; none while a rollout goes on.
pub(super) fn reached<E: Engine>(plan: &DatabasePlan<E>, rollout: &Rollout) -> Option<String> {
    (!plan.rollout.rolling).then(|| rollout.chart_version.clone())
}

/// The rollout in progress, or the last one as it ended; none before the first.
pub(super) fn status<E: Engine>(
    before: &DatabaseStatus,
    plan: &DatabasePlan<E>,
    rollout: &Rollout,
    now: &Time,
) -> Option<RolloutStatus> {
    let known = before.rollout.clone();
    let rolling = plan.rollout.use_revision.values().any(|r| *r != UseRevision::Desired)
        || known.as_ref().is_some_and(|r| r.step.is_some() && plan.rollout.rolling);
    if !rolling {
        return known.map(|last| RolloutStatus {
            step: None,
            healthy_since: None,
            updated: plan.rollout.updated,
            total: plan.rollout.total,
            ..last
        });
    }
    let going_on = known.filter(|r| r.step.is_some() && r.to == rollout.chart_version);
    let soaking = plan.rollout.soak_left.is_some();
    Some(RolloutStatus {
        from: match &going_on {
            Some(status) => status.from.clone(),
            None => before.chart_version.clone(),
        },
        to: rollout.chart_version.clone(),
        step: Some(plan.rollout.waiting.clone().unwrap_or_else(|| "the next share's turn".to_owned())),
        updated: plan.rollout.updated,
        total: plan.rollout.total,
        started_at: going_on.as_ref().and_then(|r| r.started_at.clone()).or_else(|| Some(now.clone())),
        healthy_since: soaking.then(|| going_on.and_then(|r| r.healthy_since).unwrap_or_else(|| now.clone())),
    })
}
