//! The rehearsal of a rollout: before the first change, everything that it will apply is applied as a dry run, so
//! that conflicts, missing permissions, quota and refusals by admission are found while nothing has changed yet.

use std::collections::{BTreeMap, BTreeSet};

use kogge_engine::Engine;
use kogge_plan::hash::short_hash;
use kogge_plan::rollout::{RolloutPlan, UseRevision};
use kogge_plan::{Action, WorkerName, apply_if_needed};
use serde_json::json;

use crate::desired;
use crate::prepared::Prepared;

/// What is rehearsed.
#[derive(Default)]
pub(crate) struct Rehearsal {
    /// What is applied as a dry run.
    pub(crate) actions: Vec<Action>,
    /// Whether nothing is written where it fails.
    pub(crate) binds: bool,
    /// What approves this rollout without its rehearsal on a worker, where a webhook cannot do with a dry run.
    pub(crate) waivers: BTreeMap<WorkerName, String>,
}

/// What a rollout that has not begun will apply. None while one goes on, or where there is nothing to roll out.
///
/// A new database is rehearsed as well, so that what the API servers warn of is told before the first write. Nothing
/// that runs is at stake, so that it begins whatever they say.
pub(crate) fn rehearsal<E: Engine>(prepared: &Prepared<'_, E>, turn: &RolloutPlan) -> Rehearsal {
    if is_new(prepared) {
        return Rehearsal { actions: writes(prepared, turn), ..Rehearsal::default() };
    }
    if !turn.rolling || has_begun(prepared) {
        return Rehearsal::default();
    }
    let mut actions = writes(prepared, turn);
    let workers: BTreeSet<&WorkerName> = actions.iter().map(Action::worker).collect();
    let waivers: BTreeMap<WorkerName, String> =
        workers.into_iter().map(|worker| (worker.clone(), waiver(prepared, worker))).collect();
    let approved = &prepared.requests.approved;
    actions.retain(|action| waivers.get(action.worker()).is_none_or(|waiver| !approved.contains(waiver)));
    Rehearsal { binds: !actions.is_empty(), actions, waivers }
}

/// It holds for what is rolled out now, on that worker, and for nothing else.
fn waiver<E: Engine>(prepared: &Prepared<'_, E>, worker: &WorkerName) -> String {
    let observation = &prepared.observation;
    let revisions: BTreeMap<&str, &str> = observation
        .rollout
        .shares
        .iter()
        .map(|(share, rendered)| (share.as_str(), rendered.revision.as_str()))
        .collect();
    short_hash(&json!(["rehearsal", observation.identity.id, worker, revisions]))
}

fn writes<E: Engine>(prepared: &Prepared<'_, E>, turn: &RolloutPlan) -> Vec<Action> {
    let observation = &prepared.observation;
    let mut actions = Vec::new();
    for share in &prepared.placed {
        let Some(placement) = observation.placements.resolved.get(&share.placement) else { continue };
        let Some(view) = observation.fleet.workers.get(&placement.worker) else { continue };
        if !observation.ownership.may_write(&placement.worker) || !turn.use_revision.contains_key(&share.key()) {
            continue;
        }
        let replicas = prepared.replicas_to_keep(share);
        // What cannot be told, or is refused, is reported by the plan itself.
        let Ok(objects) = desired::of_share(
            share,
            replicas,
            Some(&UseRevision::Desired),
            &observation.rollout,
            &observation.kept,
        ) else {
            continue;
        };
        for object in objects {
            let database = observation.identity.database();
            if let Ok(Some(action)) = apply_if_needed(&placement.worker, object, view, database) {
                actions.push(action);
            }
        }
    }
    actions
}

/// Whether nothing stands, and no status tells of it yet: later passes do not repeat its rehearsal.
fn is_new<E: Engine>(prepared: &Prepared<'_, E>) -> bool {
    let observation = &prepared.observation;
    let is_told = observation.database.status.as_ref().is_some_and(|status| !status.groups.is_empty());
    let waits = observation.held || observation.paused();
    !is_told && !waits && !prepared.placed.iter().any(|share| prepared.has_workload(share))
}

/// Whether the status tells of this rollout already: it was rehearsed when it began.
fn has_begun<E: Engine>(prepared: &Prepared<'_, E>) -> bool {
    let status = prepared.observation.database.status.as_ref();
    let known = status.and_then(|status| status.rollout.as_ref());
    known.is_some_and(|known| known.step.is_some() && known.to == prepared.observation.rollout.chart_version)
}
