//! The rehearsal of a rollout: before the first change, everything that it will apply is applied as a dry run, so
//! that conflicts, missing permissions, quota and refusals by admission are found while nothing has changed yet.

use kogge_engine::Engine;
use kogge_plan::rollout::{RolloutPlan, UseRevision};
use kogge_plan::{Action, apply_if_needed};

use crate::desired;
use crate::prepared::Prepared;

/// What a rollout that has not begun will apply. None while one goes on, or where there is nothing to roll out.
pub(crate) fn rehearsal<E: Engine>(prepared: &Prepared<'_, E>, turn: &RolloutPlan) -> Vec<Action> {
    let observation = &prepared.observation;
    if !turn.rolling || has_begun(prepared) {
        return Vec::new();
    }
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

/// Whether the status tells of this rollout already: it was rehearsed when it began.
fn has_begun<E: Engine>(prepared: &Prepared<'_, E>) -> bool {
    let status = prepared.observation.database.status.as_ref();
    let known = status.and_then(|status| status.rollout.as_ref());
    known.is_some_and(|known| known.step.is_some() && known.to == prepared.observation.rollout.chart_version)
}
