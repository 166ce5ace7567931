//! What may be deleted because it is not desired any more (A1, A2). Everything here errs towards keeping.

use std::collections::{BTreeMap, BTreeSet};

use kogge_api::federated_cluster::DataPolicy;
use kogge_api::labels;
use serde_json::Value;

use crate::fleet_view::{WorkerName, WorkerView};
use crate::hash::short_hash;
use crate::object::{has_controller, label};
use crate::workload::Database;
use crate::{Action, Object, ObjectKey, anchors};

/// Kinds that a render may leave behind. What holds data, or is made by Kubernetes itself, is not among them.
const PRUNABLE: [&str; 9] = [
    "ConfigMap",
    "Deployment",
    "EndpointSlice",
    "Job",
    "NetworkPolicy",
    "PodDisruptionBudget",
    "Secret",
    "Service",
    "ServiceAccount",
];
/// Kinds that Kubernetes makes for workloads, beside what a controller owns; they count as no objects of a render.
const MADE_BY_KUBERNETES: [&str; 2] = ["PersistentVolumeClaim", "Pod"];
/// So many objects are named in an approval.
const NAMED: usize = 20;
/// From that many objects on, a deletion of more than a third of them needs approval.
const BRAKE_FROM: usize = 5;

/// What must be known before anything is deleted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PruneFacts {
    /// Whether everything that is desired on the worker was rendered, without an error.
    pub render_complete: bool,
    /// The UID that the anchor names for the worker.
    pub anchored_uid: Option<String>,
    /// The placements on the worker that the spec names.
    pub placements: BTreeSet<String>,
    /// What has left the database for good.
    pub released: Released,
    /// The hashes that a person approved.
    pub approved: BTreeSet<String>,
}

/// What has left the database for good, by a drain that is finished: nothing of it is any longer a part of a group
/// or of what the routers list. Only that allows its StatefulSets to go, and its volumes where the policy says so.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Released {
    /// Components, by name: shards that were removed.
    pub components: BTreeSet<String>,
    /// Placements whose members have left.
    pub placements: BTreeSet<String>,
    /// What becomes of the volumes.
    pub volumes: DataPolicy,
}

impl Released {
    /// Whether an object belongs to what has left.
    pub fn covers(&self, object: &Object) -> bool {
        let is_in =
            |name: &str, set: &BTreeSet<String>| label(object, name).is_some_and(|value| set.contains(value));
        is_in(labels::COMPONENT, &self.components) || is_in(labels::PLACEMENT, &self.placements)
    }
}

/// What is to be deleted on a worker, and what is not, and why.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Pruning {
    /// The deletions.
    pub actions: Vec<Action>,
    /// What is not desired and stays all the same, with the reason.
    pub kept: BTreeMap<ObjectKey, &'static str>,
    /// Why nothing at all is deleted.
    pub doubt: Option<&'static str>,
    /// Deletions that wait for a person.
    pub approval: Option<ApprovalNeeded>,
    /// What has left the database and still stands here.
    pub leaving: BTreeSet<ObjectKey>,
}

/// A step that waits for a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApprovalNeeded {
    /// A stable word in CamelCase for why.
    pub reason: &'static str,
    /// What to approve it by.
    pub hash: String,
    /// What would be done, in a sentence.
    pub what: String,
}

/// Finds what is not desired on a worker any more and may go.
pub fn prune(
    worker: &WorkerName,
    view: &WorkerView,
    database: Database<'_>,
    desired: &BTreeSet<ObjectKey>,
    facts: &PruneFacts,
) -> Pruning {
    let mut pruning = Pruning { doubt: doubt(view, facts), ..Pruning::default() };
    if pruning.doubt.is_some() {
        return pruning;
    }
    let ours: BTreeMap<&ObjectKey, &Object> = database
        .objects(view)
        .filter(|(_, object)| is_made_by_kogge(object))
        .map(|(key, object)| (key, &**object))
        .collect();
    pruning.leaving = leaving(view, database, desired, &facts.released);
    let (mut unwanted, mut released) = (Vec::new(), Vec::new());
    for (key, object) in ours.iter().filter(|(key, _)| !desired.contains(**key)) {
        match reason_to_keep(key, object, view, facts) {
            Some(why) => {
                pruning.kept.insert((*key).clone(), why);
            }
            None if facts.released.covers(object) => released.push((*key, *object)),
            None => unwanted.push((*key, *object)),
        }
    }
    released.extend(volumes(view, database, &facts.released));
    // A person asked for what was released to go, and waited for its drain: no brake holds it.
    let volumes = match facts.released.volumes {
        DataPolicy::Retain => "its volumes are kept",
        DataPolicy::Delete => "its volumes go as well",
    };
    let why = format!("it has left the database; {volumes}");
    pruning.actions = released.iter().filter_map(|(key, object)| deletion(worker, key, object, &why)).collect();
    let approval = approval(worker, database, &unwanted, ours.len());
    if let Some(approval) = approval.filter(|needed| !facts.approved.contains(&needed.hash)) {
        pruning.approval = Some(approval);
        return pruning;
    }
    let why = "it is not desired any more";
    pruning.actions.extend(unwanted.iter().filter_map(|(key, object)| deletion(worker, key, object, why)));
    pruning
}

fn doubt(view: &WorkerView, facts: &PruneFacts) -> Option<&'static str> {
    if !facts.render_complete {
        return Some("not everything was rendered");
    }
    if !view.is_current() {
        return Some("the worker was not seen live and complete");
    }
    if view.suspended {
        return Some("the worker is suspended");
    }
    if facts.anchored_uid.is_none() || facts.anchored_uid != view.uid {
        return Some("the anchor names another cluster");
    }
    None
}

fn is_made_by_kogge(object: &Object) -> bool {
    let kind = object.types.as_ref().map(|types| types.kind.as_str()).unwrap_or_default();
    match kind {
        // kube-controller-manager copies the Service's labels to the slices that it makes.
        "EndpointSlice" => label(object, labels::ENDPOINT_SLICE_MANAGED_BY) == Some(labels::MANAGER),
        kind => !MADE_BY_KUBERNETES.contains(&kind) && !has_controller(object),
    }
}

fn reason_to_keep(
    key: &ObjectKey,
    object: &Object,
    view: &WorkerView,
    facts: &PruneFacts,
) -> Option<&'static str> {
    let held_members = key.kind == "StatefulSet" && facts.released.covers(object);
    if !PRUNABLE.contains(&key.kind.as_str()) && !held_members {
        return Some("only a finished drain or a finished cool-off deletes its kind");
    }
    if anchors::is_anchor(object) {
        return Some("it is the anchor");
    }
    if object.metadata.deletion_timestamp.is_some() {
        return Some("it is on its way out");
    }
    if let Some(placement) = label(object, labels::PLACEMENT)
        && !facts.placements.contains(placement)
        && !facts.released.covers(object)
    {
        return Some("its placement is not drained yet");
    }
    match key.kind.as_str() {
        "ConfigMap" if is_referenced(view, key, &["configMap", "configMapRef", "configMapKeyRef"]) => {
            Some("a pod or workload still refers to it")
        }
        "Secret" if is_mounted(view, key) => Some("a pod or workload still refers to it"),
        "Service" if names_pods(view, key) => Some("a StatefulSet's pods still have their names by it"),
        "ServiceAccount" if is_named(view, key, "serviceAccountName") => Some("a workload still runs as it"),
        _ => None,
    }
}

/// What has left and is still there: pods as well, which go with their workloads, and volumes that are to go.
fn leaving(
    view: &WorkerView,
    database: Database<'_>,
    desired: &BTreeSet<ObjectKey>,
    released: &Released,
) -> BTreeSet<ObjectKey> {
    database
        .objects(view)
        .filter(|(key, object)| released.covers(object) && !desired.contains(*key))
        .filter(|(key, _)| match key.kind.as_str() {
            "StatefulSet" | "Deployment" | "Pod" => true,
            "PersistentVolumeClaim" => released.volumes == DataPolicy::Delete,
            _ => false,
        })
        .map(|(key, _)| key.clone())
        .collect()
}

/// The volumes that go: those of members whose workload and pods are gone.
fn volumes<'a>(
    view: &'a WorkerView,
    database: Database<'_>,
    released: &Released,
) -> Vec<(&'a ObjectKey, &'a Object)> {
    if released.volumes != DataPolicy::Delete {
        return Vec::new();
    }
    let ours =
        |kind: &'static [&str]| database.objects(view).filter(move |(key, _)| kind.contains(&key.kind.as_str()));
    let share = |object: &'a Object| (label(object, labels::COMPONENT), label(object, labels::PLACEMENT));
    ours(&["PersistentVolumeClaim"])
        .map(|(key, claim)| (key, &**claim))
        .filter(|(_, claim)| released.covers(claim) && claim.metadata.deletion_timestamp.is_none())
        .filter(|(_, claim)| !ours(&["StatefulSet", "Pod"]).any(|(_, user)| share(user) == share(claim)))
        .collect()
}

/// The objects of a namespace that may refer to others.
fn referrers<'a>(view: &'a WorkerView, key: &'a ObjectKey) -> impl Iterator<Item = &'a Object> {
    view.objects.iter().filter(move |(other, _)| other.namespace == key.namespace).map(|(_, object)| &**object)
}

fn is_referenced(view: &WorkerView, key: &ObjectKey, fields: &[&str]) -> bool {
    referrers(view, key).any(|object| {
        anywhere(&object.data, &|field, value| fields.contains(&field) && value["name"] == key.name.as_str())
    })
}

fn is_named(view: &WorkerView, key: &ObjectKey, field: &str) -> bool {
    referrers(view, key)
        .any(|object| anywhere(&object.data, &|found, value| found == field && value == key.name.as_str()))
}

/// Whether pods are made with a Secret, or were. Old revisions do not count: no pod is made from one any more, and a
/// key that was given up is not to linger with them.
fn is_mounted(view: &WorkerView, key: &ObjectKey) -> bool {
    referrers(view, key).filter(|object| !is_history(object)).any(|object| {
        anywhere(&object.data, &|field, value| match field {
            "secretName" => value == key.name.as_str(),
            "secret" | "secretRef" | "secretKeyRef" => value["name"] == key.name.as_str(),
            _ => false,
        })
    })
}

/// Whether a controller of Kubernetes keeps an object to go back to.
fn is_history(object: &Object) -> bool {
    has_controller(object) && object.types.as_ref().is_some_and(|types| types.kind != "Pod")
}

fn names_pods(view: &WorkerView, key: &ObjectKey) -> bool {
    is_named(view, key, "serviceName") || is_named(view, key, "subdomain")
}

/// Whether a field, at any depth, fulfils a condition.
fn anywhere(value: &Value, condition: &impl Fn(&str, &Value) -> bool) -> bool {
    match value {
        Value::Object(map) => {
            map.iter().any(|(field, value)| condition(field, value) || anywhere(value, condition))
        }
        Value::Array(items) => items.iter().any(|item| anywhere(item, condition)),
        _ => false,
    }
}

fn approval(
    worker: &WorkerName,
    database: Database<'_>,
    unwanted: &[(&ObjectKey, &Object)],
    total: usize,
) -> Option<ApprovalNeeded> {
    if total < BRAKE_FROM || unwanted.len() * 3 <= total {
        return None;
    }
    let keys: Vec<String> = unwanted.iter().map(|(key, _)| key.to_string()).collect();
    Some(ApprovalNeeded {
        reason: "PruneAboveBrake",
        hash: short_hash(&serde_json::json!(["prune", worker.0, database.cluster_id.as_str(), keys])),
        what: format!("delete {} of {total} objects on {worker}: {}", keys.len(), named(&keys)),
    })
}

/// The first of them, and how many more there are.
fn named(keys: &[String]) -> String {
    let more = keys.len().saturating_sub(NAMED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{more}", keys[..keys.len().min(NAMED)].join(", "))
}

fn deletion(worker: &WorkerName, key: &ObjectKey, object: &Object, why: &str) -> Option<Action> {
    Some(Action::Delete {
        worker: worker.clone(),
        key: key.clone(),
        uid: object.metadata.uid.clone()?,
        resource_version: object.metadata.resource_version.clone(),
        why: why.to_owned(),
    })
}
