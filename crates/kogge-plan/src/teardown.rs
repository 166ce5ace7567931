//! The end of a database: when it is due, and what goes in which order.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::time::Duration;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use kogge_api::federated_cluster::DataPolicy;
use kogge_api::labels;
use kogge_api::status::DeletionStatus;

use crate::fleet_view::{FleetView, Liveness, WorkerName, WorkerView};
use crate::object::{has_controller, label};
use crate::workload::Database;
use crate::{Action, Object, ObjectKey, anchors};

/// How far a deletion is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeletionState {
    /// The database keeps running.
    Pending {
        /// Until then.
        executes_at: Time,
    },
    /// Its cool-off is over.
    Due,
}

/// The record of a deletion, as it is to stand in the status: `executesAt` is fixed when the deletion is first
/// seen, and neither a changed cool-off nor anything else moves it.
pub fn deletion_record(
    deletion_timestamp: &Time,
    recorded: Option<&DeletionStatus>,
    cool_off: Duration,
) -> DeletionStatus {
    match recorded {
        Some(record) if record.requested_at == *deletion_timestamp => record.clone(),
        _ => DeletionStatus {
            requested_at: deletion_timestamp.clone(),
            executes_at: Time(later(deletion_timestamp.0, cool_off)),
            halted: None,
        },
    }
}

/// A time that cannot be written lies beyond any cool-off: the database then keeps running.
fn later(from: Timestamp, by: Duration) -> Timestamp {
    SignedDuration::try_from(by).ok().and_then(|by| from.checked_add(by).ok()).unwrap_or(Timestamp::MAX)
}

/// Whether a deletion's time has come. A deletion that is not in the status yet is never due: it is recorded
/// first.
pub fn deletion_state(
    now: Timestamp,
    deletion_timestamp: &Time,
    recorded: Option<&DeletionStatus>,
    cool_off: Duration,
) -> DeletionState {
    let record = deletion_record(deletion_timestamp, recorded, cool_off);
    if recorded == Some(&record) && record.executes_at.0 <= now {
        DeletionState::Due
    } else {
        DeletionState::Pending { executes_at: record.executes_at }
    }
}

/// The stages of a teardown, in order. A stage begins when nothing of the earlier ones is left on any worker
/// that answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// The workloads of components of one rank. The highest goes first: what is changed first is needed longest.
    Workloads(Reverse<u32>),
    /// Services and mirrored slices.
    Discovery,
    /// Everything else but volumes and anchors.
    Rest,
    /// Volumes, where the policy says so.
    Volumes,
    /// The anchors: what says whose the rest was goes last.
    Anchors,
}

/// What a teardown does next.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TeardownPlan {
    /// The stage at hand; none where nothing is left on any worker that answers.
    pub stage: Option<Stage>,
    /// The deletions.
    pub actions: Vec<Action>,
    /// What is waited for, by worker, in words.
    pub remaining: BTreeMap<WorkerName, String>,
}

impl TeardownPlan {
    /// Whether every worker was seen and nothing is left on any.
    pub fn is_done(&self) -> bool {
        self.stage.is_none() && self.remaining.is_empty()
    }
}

/// Plans the teardown of a database whose cool-off is over. `workers` are all that ever held a part of it, each
/// with the UID that its placement was put on. A worker that does not answer is swept when it returns. `rank` gives the
/// place of a component, by its name, in a rollout.
pub fn teardown(
    fleet: &FleetView,
    workers: &BTreeMap<WorkerName, Option<String>>,
    database: Database<'_>,
    data: DataPolicy,
    rank: impl Fn(&str) -> Option<u32>,
) -> TeardownPlan {
    let mut plan = TeardownPlan::default();
    let mut reachable: Vec<(&WorkerName, &WorkerView)> = Vec::new();
    for (name, pinned) in workers {
        match trusted(name, fleet.workers.get(name), pinned.as_deref()) {
            Ok(view) => reachable.push((name, view)),
            Err(why) => {
                plan.remaining.insert(name.clone(), why);
            }
        }
    }
    let staged: Vec<(Stage, &WorkerName, &ObjectKey, &Object)> = reachable
        .iter()
        .flat_map(|(name, view)| database.objects(view).map(move |(key, object)| (*name, key, &**object)))
        .filter_map(|(name, key, object)| Some((stage(key, object, data, &rank)?, name, key, object)))
        .collect();
    plan.stage = staged.iter().map(|(stage, ..)| *stage).min();
    for (_, worker, key, object) in staged.iter().filter(|(stage, ..)| Some(*stage) == plan.stage) {
        plan.remaining
            .entry((*worker).clone())
            .and_modify(|left| {
                left.push_str(", ");
                left.push_str(&key.to_string());
            })
            .or_insert_with(|| key.to_string());
        plan.actions.extend(deletion(worker, key, object));
    }
    plan
}

/// The view of a worker that may be acted on, or why there is none.
fn trusted<'a>(
    name: &WorkerName,
    view: Option<&'a WorkerView>,
    pinned: Option<&str>,
) -> Result<&'a WorkerView, String> {
    let view =
        view.ok_or_else(|| format!("{name} is not registered any more; what it holds is swept when it is"))?;
    if let Liveness::Silent { message, .. } = &view.liveness {
        return Err(format!("{name} is silent ({message}); what it holds is swept when it answers"));
    }
    if !view.is_current() {
        return Err(format!("{name} is not wholly listed yet"));
    }
    if view.suspended {
        return Err(format!("{name} is suspended; set spec.suspend of its WorkerCluster to false to go on"));
    }
    if pinned.is_some() && pinned != view.uid.as_deref() {
        return Err(format!(
            "{name} leads to another cluster than the database was put on; nothing is deleted there"
        ));
    }
    Ok(view)
}

/// The stage that an object goes in; none where it is left to Kubernetes, or stays.
fn stage(key: &ObjectKey, object: &Object, data: DataPolicy, rank: impl Fn(&str) -> Option<u32>) -> Option<Stage> {
    Some(match key.kind.as_str() {
        // Pods go with their workload; they are waited for, because a member that still runs needs the rest.
        "StatefulSet" | "Deployment" | "Pod" => {
            let rank = label(object, labels::COMPONENT).and_then(rank);
            Stage::Workloads(Reverse(rank.unwrap_or_default()))
        }
        "Service" => Stage::Discovery,
        "EndpointSlice" if label(object, labels::ENDPOINT_SLICE_MANAGED_BY) == Some(labels::MANAGER) => {
            Stage::Discovery
        }
        "PersistentVolumeClaim" if data == DataPolicy::Delete => Stage::Volumes,
        "PersistentVolumeClaim" | "EndpointSlice" | "Namespace" => return None,
        _ if has_controller(object) => return None,
        _ if anchors::is_anchor(object) => Stage::Anchors,
        _ => Stage::Rest,
    })
}

fn deletion(worker: &WorkerName, key: &ObjectKey, object: &Object) -> Option<Action> {
    if key.kind == "Pod" || object.metadata.deletion_timestamp.is_some() {
        return None;
    }
    Some(Action::Delete {
        worker: worker.clone(),
        key: key.clone(),
        uid: object.metadata.uid.clone()?,
        resource_version: None,
        why: "the database's cool-off is over".to_owned(),
    })
}
