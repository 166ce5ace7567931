//! Carries a plan out: writes to all workers at once and in order within each, then the engine's steps.

use std::collections::BTreeMap;

use futures::future::join_all;
use kogge_api::FederatedCluster;
use kogge_federated_cluster::report::Problem;
use kogge_federated_cluster::{DatabasePlan, Prepared};
use kogge_fleet::{Outcome, WriteContext, WriteError};
use kogge_mongo::{Millis, Step};
use kogge_mongo_client::{ClusterAccess, Engine};
use kogge_plan::{Action, WorkerName};
use kube::runtime::events::EventType;
use tracing::{info, warn};

use super::{full_name, set_name};
use crate::context::Context;

/// What came of a plan.
#[derive(Debug, Default)]
pub(super) struct Carried {
    /// Whether anything was written or asked for, so that it must be observed again.
    pub(super) changed: bool,
    /// What a person must mend, the first of it.
    pub(super) problem: Option<Problem>,
}

/// Whether a write is meant, or only tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Writing {
    /// The API server says what it would do, and does nothing.
    Rehearsal,
    /// It is done.
    InEarnest,
}

/// A pod is deleted only while what its restart was planned on is this young: slow writes and steps come before it, and
/// another member may have died since.
const RESTART_WITHIN: Millis = 10_000;

/// Carries out a plan on what was observed at a time. A rollout that fails its rehearsal changes nothing.
pub(super) async fn carry_out(
    cluster: &FederatedCluster,
    prepared: &Prepared<'_>,
    plan: &DatabasePlan,
    engine: &Engine,
    access: &ClusterAccess,
    observed_at: Millis,
    context: &Context,
) -> Carried {
    let rehearsed = write(prepared, &plan.rehearsal, Writing::Rehearsal, context).await;
    if rehearsed.problem.is_some() {
        let kept_up = write(prepared, &plan.upkeep(), Writing::InEarnest, context).await;
        return Carried { changed: kept_up.changed, ..rehearsed };
    }
    let mut carried = write(prepared, &plan.actions, Writing::InEarnest, context).await;
    for action in plan.departures() {
        context.tell(cluster, EventType::Normal, "Departed", &action.to_string()).await;
    }
    let steps = join_all(plan.steps.iter().map(|step| take(cluster, step, engine, access, context))).await;
    carried.changed |= steps.contains(&true);
    if context.now().saturating_sub(observed_at) > RESTART_WITHIN {
        carried.changed |= !plan.restarts.is_empty();
        return carried;
    }
    let restarted = write(prepared, &plan.restarts, Writing::InEarnest, context).await;
    for action in &plan.restarts {
        context.tell(cluster, EventType::Normal, "RestartPod", &action.to_string()).await;
    }
    carried.changed |= restarted.changed;
    carried.problem = carried.problem.or(restarted.problem);
    carried
}

/// Writes to workers: a slow or dead one changes nothing for the others (A4).
async fn write(prepared: &Prepared<'_>, actions: &[Action], how: Writing, context: &Context) -> Carried {
    let mut by_worker: BTreeMap<&WorkerName, Vec<&Action>> = BTreeMap::new();
    for action in actions {
        by_worker.entry(action.worker()).or_default().push(action);
    }
    let workers = by_worker.into_iter().map(|(worker, actions)| async move {
        let uid = prepared.observation.fleet.workers.get(worker).and_then(|view| view.uid.as_deref());
        in_order(worker, uid.unwrap_or_default(), &actions, how, context).await
    });
    let mut carried = Carried::default();
    for outcome in join_all(workers).await {
        carried.changed |= outcome.changed;
        carried.problem = carried.problem.or(outcome.problem);
    }
    carried
}

/// What is referred to comes first, so the first write that is not known to have succeeded ends the pass for
/// this worker. An object that is refused for itself does not hold up the others.
pub(super) async fn in_order(
    worker: &WorkerName,
    uid: &str,
    actions: &[&Action],
    how: Writing,
    context: &Context,
) -> Carried {
    let mut carried = Carried::default();
    for action in actions {
        let write =
            WriteContext { fence: &context.leadership, worker_uid: uid, dry_run: how == Writing::Rehearsal };
        let outcome = context.fleet.execute(action, write).await;
        carried.changed |= outcome.is_ok();
        match outcome {
            Ok(Outcome::Applied { conflicts, .. }) => {
                context.metrics.written(&worker.0, "Applied");
                for conflict in conflicts {
                    warn!(%worker, %action, %conflict, "a field was left to its owner");
                }
            }
            Ok(Outcome::Deleted | Outcome::Gone) => {
                context.metrics.written(&worker.0, "Deleted");
            }
            Ok(Outcome::Stale { .. }) => {
                context.metrics.written(&worker.0, "Stale");
                break;
            }
            Ok(Outcome::Unknown { .. }) => {
                context.metrics.written(&worker.0, "Unknown");
                break;
            }
            Err(error) => {
                context.metrics.written(&worker.0, error.reason());
                let stop = error.is_transient() || matches!(error, WriteError::NotLeader);
                let problem = Problem::Failed { reason: error.reason().to_owned(), message: error.to_string() };
                carried.problem = carried.problem.or(Some(problem));
                if stop {
                    break;
                }
            }
        }
    }
    carried
}

/// Takes one step on the members; whether anything was asked of them.
async fn take(
    cluster: &FederatedCluster,
    step: &Step,
    engine: &Engine,
    access: &ClusterAccess,
    context: &Context,
) -> bool {
    let action = step.action.name();
    let (full_name, set) = (full_name(cluster), set_name(cluster, &step.set));
    if !context.leadership.is_leader() {
        return false;
    }
    match engine.execute(access, step).await {
        Ok(outcome) => {
            info!(%step, ?outcome, "step taken");
            context.metrics.stepped(&full_name, &set, action, "Done");
            context.tell(cluster, EventType::Normal, action, &step.to_string()).await;
        }
        Err(error) => {
            context.metrics.stepped(&full_name, &set, action, error.reason());
            if error.is_for_a_person() {
                warn!(%step, %error, reason = error.reason(), "step refused");
                context.tell(cluster, EventType::Warning, error.reason(), &format!("{step}: {error}")).await;
            } else {
                info!(%step, %error, reason = error.reason(), "step not taken; observing again");
            }
        }
    }
    true
}
