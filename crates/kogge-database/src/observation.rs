//! Everything that one pass knows of a database, taken once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use kogge_api::anchor::{Anchor, AnchorError, SeedsDisagree};
use kogge_api::labels;
use kogge_engine::{Database, Engine, Identity};
use kogge_plan::epoch::{Epoch, desired_anchor};
use kogge_plan::ownership::{self, Ownership};
use kogge_plan::placement::{PlacementError, Placements};
use kogge_plan::{FleetView, WorkerName, WorkerView, workload};

use crate::revisions::{Kept, Rollout};
use crate::secrets::DatabaseSecrets;

/// What one pass knows, before the members were asked.
pub struct Observation<'a, E: Engine> {
    /// The database as its resource declares it.
    pub database: &'a Database,
    /// What only its engine reads of that.
    pub spec: &'a E::Spec,
    /// The UID of `kube-system` in the control cluster.
    pub control_uid: &'a str,
    /// The workers.
    pub fleet: &'a FleetView,
    /// Which database it is.
    pub identity: Identity,
    /// The epoch that the spec is carried out under; the status holds it already.
    pub epoch: Epoch,
    /// The workers of the placements.
    pub placements: Placements,
    /// Whose the database is.
    pub ownership: Ownership<E::Record>,
    /// What the spec renders to.
    pub rollout: Arc<Rollout>,
    /// What was rendered before.
    pub kept: Arc<Kept>,
    /// The database's secrets.
    pub secrets: Arc<DatabaseSecrets>,
    /// Whether the spec cannot be carried out: then only names are kept up to date.
    pub held: bool,
    /// What you should know of its chart.
    pub notice: Option<String>,
    /// Now, in seconds since 1970.
    pub now: i64,
}

/// Why a pass cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum ObservationError {
    /// Two anchors name two seeds.
    #[error("the anchors name two seeds of {}: {} and {}", .0.component, .0.seeds[0], .0.seeds[1])]
    Seeds(SeedsDisagree),
    /// An anchor cannot be read.
    #[error(transparent)]
    Anchor(#[from] AnchorError),
}

impl<'a, E: Engine> Observation<'a, E> {
    /// The database as the rules of ownership know it.
    pub fn owner(&self) -> ownership::Identity {
        ownership::Identity {
            resource: self.database.owner(),
            cluster_id: Some(self.identity.id.clone()),
            epoch: self.database.status.as_ref().and_then(|status| status.epoch),
            control_uid: self.control_uid.to_owned(),
        }
    }

    /// The anchor that every worker should hold, before anything is recorded in it. `worker_uids` are the UIDs of the
    /// workers of the placements.
    pub fn anchor(&self, worker_uids: BTreeMap<String, String>) -> Anchor<E::Record> {
        desired_anchor(&self.owner(), &self.identity.id, &self.epoch, &self.ownership.overall, worker_uids)
    }

    /// Whether its user asked to change nothing.
    pub fn paused(&self) -> bool {
        self.database.annotation(labels::PAUSE).is_some()
    }

    /// What of the secrets is being made anew; none where nothing is.
    pub fn rotating(&self) -> Option<String> {
        self.secrets.rotating(&self.database.security)
    }

    /// Whether what a worker's view lacks is not there. Where a placement must not stand on it, such as in a
    /// namespace that is not allowed, nobody looks for it.
    pub fn is_seen(&self, worker: &WorkerName) -> bool {
        let invalid = |placement: &String| {
            self.placements.errors.get(placement).is_some_and(PlacementError::is_invalid_spec)
        };
        self.fleet.workers.get(worker).is_some_and(WorkerView::is_current)
            && !self.placements.on(worker).any(|placement| invalid(&placement.name))
    }

    /// Placements that were not seen wholly, and why.
    pub fn unseen(&self) -> BTreeMap<String, String> {
        self.database
            .placements
            .iter()
            .filter_map(|placement| {
                let view = self.placements.view(self.fleet, &placement.name);
                let error = self.placements.errors.get(&placement.name).map(ToString::to_string);
                let unseen = match view {
                    None => Some("it has no worker".to_owned()),
                    Some(view) if !view.is_current() => {
                        Some("its worker was not seen live and complete".to_owned())
                    }
                    Some(_) => None,
                };
                Some((placement.name.clone(), error.or(unseen)?))
            })
            .collect()
    }

    /// The worker that a placement was put on, whether or not the spec still names it.
    pub fn worker_of(
        &self,
        placement: &str,
        anchor: &Anchor<E::Record>,
    ) -> Option<(&'a WorkerName, &'a WorkerView)> {
        if let Some(resolved) = self.placements.resolved.get(placement) {
            return self.fleet.workers.get_key_value(&resolved.worker);
        }
        let uid = anchor.worker_uids.get(placement)?;
        self.fleet.workers.iter().find(|(_, view)| view.uid.as_ref() == Some(uid))
    }

    /// The workers of placements that the spec does not name any more, as long as they hold a part of the
    /// database, and not another's: members that leave, and routers, look names up there.
    pub fn left_over(&self, anchor: &Anchor<E::Record>) -> BTreeSet<&'a WorkerName> {
        let named = |placement: &String| self.database.placement(placement).is_some();
        let placed = |worker: &WorkerName| self.placements.resolved.values().any(|p| p.worker == *worker);
        let me = self.owner();
        anchor
            .worker_uids
            .keys()
            .filter(|placement| !named(placement))
            .filter_map(|placement| self.worker_of(placement, anchor))
            .filter(|(worker, view)| !placed(worker) && holds_more_than_volumes(view, self.identity.database()))
            .filter(|(worker, view)| !matches!(ownership::owned::<E::Record>(&me, worker, view), Some(Err(_))))
            .map(|(worker, _)| worker)
            .collect()
    }
}

/// Whether a worker was seen with more of the database than the volumes that it keeps.
pub(crate) fn holds_more_than_volumes(view: &WorkerView, database: workload::Database<'_>) -> bool {
    database.objects(view).any(|(key, _)| key.kind != "PersistentVolumeClaim")
}

/// Whether a worker was seen with a workload or a pod of the database.
pub(crate) fn runs_a_part(view: &WorkerView, database: workload::Database<'_>) -> bool {
    database.objects(view).any(|(key, _)| ["Deployment", "Pod", "StatefulSet"].contains(&key.kind.as_str()))
}

/// Whether a worker was seen with an object of the database.
pub(crate) fn holds_a_part(view: &WorkerView, database: workload::Database<'_>) -> bool {
    database.objects(view).next().is_some()
}
