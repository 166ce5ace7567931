//! The end of a database whose cool-off is over.

use std::collections::BTreeMap;

use kogge_api::{ClusterId, FederatedCluster};
use kogge_plan::teardown::TeardownPlan;
use kogge_plan::{FleetView, WorkerName};

use crate::observation::holds_a_part;

/// What is to be deleted next, on every worker that holds, or was ever given, a part of the database.
pub fn teardown(cluster: &FederatedCluster, id: &ClusterId, fleet: &FleetView) -> TeardownPlan {
    kogge_plan::teardown::teardown(fleet, &workers(cluster, id, fleet), id, cluster.spec.deletion.data)
}

/// The workers, each with the UID that the database was put on.
fn workers(cluster: &FederatedCluster, id: &ClusterId, fleet: &FleetView) -> BTreeMap<WorkerName, Option<String>> {
    let placed = cluster.status.iter().flat_map(|status| status.placement.values());
    let mut workers: BTreeMap<WorkerName, Option<String>> = placed
        .filter_map(|placement| Some((WorkerName(placement.worker.clone()?), placement.worker_uid.clone())))
        .collect();
    for (name, view) in fleet.workers.iter().filter(|(_, view)| holds_a_part(view, id)) {
        workers.entry(name.clone()).or_insert_with(|| view.uid.clone());
    }
    workers
}
