//! What is seen of a database before its spec is looked into: where it would be, and whose it is.

use std::collections::BTreeMap;

use kogge_engine::{Database, Identity, Record};
use kogge_plan::epoch::{Epoch, next_epoch};
use kogge_plan::ownership::{self, Ownership, Verdict, WorkerVerdict, assess};
use kogge_plan::placement::{Pinned, Placements, RegisteredWorker, resolve};
use kogge_plan::{FleetView, WorkerName, WorkerView, anchors};

use crate::problem::Problem;

/// The DNS domain of a cluster whose owner did not choose another.
const CLUSTER_DOMAIN: &str = "cluster.local";

/// Where a database is, or would be, and whose it is.
pub struct Sighting<'a, R> {
    database: &'a Database,
    /// The workers of its placements.
    pub placements: Placements,
    /// Whose it is.
    pub ownership: Ownership<R>,
}

impl<'a, R: Record> Sighting<'a, R> {
    /// Looks at the workers.
    pub fn of(database: &'a Database, workers: &[RegisteredWorker], fleet: &FleetView, control_uid: &str) -> Self {
        let namespace = database.namespace();
        let placements = resolve(database.requested(), namespace, workers, &pinned(database));
        let identity = recorded_as(database, control_uid);
        let mut ownership = assess(&identity, &placements, fleet);
        if matches!(ownership.overall, Verdict::New) {
            let missing = left_unseen(database, &placements, fleet);
            if !missing.is_empty() {
                ownership.overall = Verdict::UnknownYet { missing };
            }
        }
        Self { database, placements, ownership }
    }

    /// Whether every worker of a placement was seen live and complete.
    pub fn is_complete(&self, fleet: &FleetView) -> bool {
        let seen = |worker: &WorkerName| fleet.workers.get(worker).is_some_and(WorkerView::is_current);
        self.placements.resolved.values().all(|placement| seen(&placement.worker))
    }

    /// Whether an anchor proves that it belongs to this resource: one that names it, or one in its namespace under its name.
    /// A copy in Kogge's namespace that names no resource says for no namespace whose it is.
    pub fn is_proven(&self, fleet: &FleetView) -> bool {
        let own = anchors::key(self.database.namespace(), self.database.name());
        self.ownership.workers.iter().any(|(worker, verdict)| match verdict {
            WorkerVerdict::Ours(anchor) => {
                let stands = |view: &WorkerView| view.objects.contains_key(&own);
                anchor.resource.is_some() || fleet.workers.get(worker).is_some_and(stands)
            }
            _ => false,
        })
    }

    /// Why the database may not be written at all; none where it may.
    pub fn problem(&self) -> Option<Problem> {
        match &self.ownership.overall {
            Verdict::New | Verdict::Ours { .. } => None,
            Verdict::Refused(refusal) => {
                Some(Problem::Refused { reason: refusal.reason().to_owned(), message: refusal.to_string() })
            }
            unseen @ Verdict::UnknownYet { .. } => {
                let invalid = self.placements.errors.values().find(|error| error.is_invalid_spec());
                Some(match invalid {
                    Some(error) => {
                        Problem::InvalidSpec { reason: error.reason().to_owned(), message: error.to_string() }
                    }
                    None => Problem::NotSeen { message: unseen.to_string() },
                })
            }
        }
    }

    /// Which database it is; none until it has its clusterID.
    pub fn identity(&self) -> Option<Identity> {
        let domain = self.placements.resolved.values().next().map(|placement| placement.cluster_domain.as_str());
        Some(Identity {
            name: self.database.name().to_owned(),
            namespace: self.database.namespace().to_owned(),
            id: self.database.cluster_id.clone()?,
            cluster_domain: domain.unwrap_or(CLUSTER_DOMAIN).to_owned(),
        })
    }
}

/// The database as the anchors are compared with it.
pub(crate) fn recorded_as(database: &Database, control_uid: &str) -> ownership::Identity {
    ownership::Identity {
        resource: database.owner(),
        cluster_id: database.cluster_id.clone(),
        epoch: database.status.as_ref().and_then(|status| status.epoch),
        control_uid: control_uid.to_owned(),
    }
}

/// The placements that the database had, and whose workers were not seen: what they remember is not known.
fn left_unseen(database: &Database, placements: &Placements, fleet: &FleetView) -> BTreeMap<String, String> {
    let is_placed =
        |worker: &WorkerName| placements.resolved.values().any(|placement| placement.worker == *worker);
    let is_seen = |worker: &WorkerName| fleet.workers.get(worker).is_some_and(WorkerView::is_current);
    pinned(database)
        .into_iter()
        .filter_map(|(name, before)| Some((name, before.worker?)))
        .filter(|(_, worker)| !is_placed(worker) && !is_seen(worker))
        .map(|(name, worker)| (name, format!("{worker}, which the database may be on, was not seen")))
        .collect()
}

/// Where the placements were put when they were first accepted.
fn pinned(database: &Database) -> BTreeMap<String, Pinned> {
    let placed = database.status.iter().flat_map(|status| &status.placement);
    placed
        .map(|(name, placement)| {
            let worker = placement.worker.clone().map(WorkerName);
            (name.clone(), Pinned { worker, uid: placement.worker_uid.clone() })
        })
        .collect()
}

/// The epoch that a pass works under: that of the present spec, or, while the spec is not carried out, the one
/// that was accepted last; none where none ever was.
pub(crate) fn accepted_epoch<R>(
    database: &Database,
    spec_hash: &str,
    verdict: &Verdict<R>,
    held: bool,
) -> Option<Epoch> {
    let status = database.status.as_ref();
    let (number, hash) = (status.and_then(|s| s.epoch), status.and_then(|s| s.spec_hash.as_deref()));
    if held {
        return number.zip(hash).map(|(number, hash)| Epoch { number, spec_hash: hash.to_owned() });
    }
    let anchored = match verdict {
        Verdict::Ours { anchor } => Some(anchor.epoch),
        _ => None,
    };
    Some(next_epoch(number, hash, spec_hash, anchored))
}
