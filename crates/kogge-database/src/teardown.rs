//! The end of a database whose cool-off is over.

use std::collections::BTreeMap;

use kogge_api::ClusterId;
use kogge_engine::{Database, Engine};
use kogge_plan::ownership::{Identity, owned};
use kogge_plan::teardown::TeardownPlan;
use kogge_plan::workload;
use kogge_plan::{FleetView, WorkerName, WorkerView};

use crate::observation::{holds_a_part, holds_more_than_volumes};
use crate::pods::rank;
use crate::sighting::recorded_as;

/// What is to be deleted next, on every worker that holds, or was ever given, a part of the database.
pub fn teardown<E: Engine>(
    database: &Database,
    id: &ClusterId,
    fleet: &FleetView,
    control_uid: &str,
) -> TeardownPlan {
    let scope = Scope {
        identity: recorded_as(database, control_uid),
        parts: workload::Database { name: database.name(), namespace: database.namespace(), cluster_id: id },
        fleet,
    };
    let (workers, doubtful) = scope.workers::<E>(database);
    let data = database.deletion.data;
    let mut plan = kogge_plan::teardown::teardown(fleet, &workers, scope.parts, data, rank::<E>);
    plan.remaining.extend(doubtful);
    plan
}

/// What may be torn down.
struct Scope<'a> {
    identity: Identity,
    parts: workload::Database<'a>,
    fleet: &'a FleetView,
}

/// Workers, each with the UID that the database was put on.
type Pinned = BTreeMap<WorkerName, Option<String>>;

impl Scope<'_> {
    /// The workers whose part is this database's own, and those of which that cannot be said, with the reason.
    fn workers<E: Engine>(&self, database: &Database) -> (Pinned, BTreeMap<WorkerName, String>) {
        let placed = database.status.iter().flat_map(|status| status.placement.values());
        let mut workers: Pinned = placed
            .filter_map(|placement| Some((WorkerName(placement.worker.clone()?), placement.worker_uid.clone())))
            .collect();
        let mut doubtful = BTreeMap::new();
        for (name, view) in self.fleet.workers.iter().filter(|(_, view)| holds_a_part(view, self.parts)) {
            match self.doubt::<E>(name, view, workers.contains_key(name)) {
                Some(why) => {
                    workers.remove(name);
                    doubtful.insert(name.clone(), why);
                }
                None => {
                    workers.entry(name.clone()).or_insert_with(|| view.uid.clone());
                }
            }
        }
        (workers, doubtful)
    }

    /// Why nothing is deleted on a worker that holds a part: its anchor says that the part is another's, or neither an
    /// anchor nor the status says that the database was ever put there. A label alone says nothing.
    fn doubt<E: Engine>(&self, worker: &WorkerName, view: &WorkerView, placed: bool) -> Option<String> {
        match owned::<E::Record>(&self.identity, worker, view) {
            Some(Ok(_)) => None,
            Some(Err(refusal)) => Some(refusal.to_string()),
            None if placed || !holds_more_than_volumes(view, self.parts) => None,
            None => Some(format!(
                "{worker} holds objects that carry clusterID {} and no anchor, and the database was never put there: \
                 Kogge deletes none of them; remove them, or their label kogge.dev/cluster-id",
                self.parts.cluster_id
            )),
        }
    }
}
