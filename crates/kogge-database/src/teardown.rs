//! The end of a database whose cool-off is over.

use std::collections::BTreeMap;

use kogge_api::ClusterId;
use kogge_engine::{Database, Engine};
use kogge_plan::teardown::TeardownPlan;
use kogge_plan::{FleetView, WorkerName};

use crate::observation::holds_a_part;
use crate::pods::rank;

/// What is to be deleted next, on every worker that holds, or was ever given, a part of the database.
pub fn teardown<E: Engine>(database: &Database, id: &ClusterId, fleet: &FleetView) -> TeardownPlan {
    kogge_plan::teardown::teardown(fleet, &workers(database, id, fleet), id, database.deletion.data, rank::<E>)
}

/// The workers, each with the UID that the database was put on.
fn workers(database: &Database, id: &ClusterId, fleet: &FleetView) -> BTreeMap<WorkerName, Option<String>> {
    let placed = database.status.iter().flat_map(|status| status.placement.values());
    let mut workers: BTreeMap<WorkerName, Option<String>> = placed
        .filter_map(|placement| Some((WorkerName(placement.worker.clone()?), placement.worker_uid.clone())))
        .collect();
    for (name, view) in fleet.workers.iter().filter(|(_, view)| holds_a_part(view, id)) {
        workers.entry(name.clone()).or_insert_with(|| view.uid.clone());
    }
    workers
}
