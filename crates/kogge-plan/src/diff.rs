//! One desired object against what was observed of it: nothing to do, or one guarded apply.

use kogge_api::labels;
use serde_json::Value;

use crate::anchors::is_anchor;
use crate::cover::{Path, differences};
use crate::drift::{Cause, Drift};
use crate::fleet_view::{Liveness, WorkerName, WorkerView};
use crate::forced::is_forced;
use crate::hash::short_hash;
use crate::managed_fields::Managers;
use crate::object::cluster_id as labelled;
use crate::workload::Database;
use crate::{Action, ApplyPrecondition, Object, ObjectKey};

/// What `kubectl rollout restart` writes.
const RESTARTED_AT: &str = "kubectl.kubernetes.io/restartedAt";
/// Fields of the metadata that Kogge sets; the rest is the API server's.
const OWN_METADATA: [&str; 3] = ["labels", "annotations", "ownerReferences"];

/// Why an object is not written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// An object of that name stands there and is not this database's.
    #[error("{worker} holds {key}, {}; rename the database, or remove that object", owner_in_words(.owner.as_deref()))]
    NameTaken {
        /// The worker.
        worker: WorkerName,
        /// The object.
        key: Box<ObjectKey>,
        /// The clusterID on it; none where it has no such label.
        owner: Option<String>,
    },
    /// An anchor that is not stored as it is applied; what rests on it is not done.
    #[error("{0} Kogge takes no step on the members until the anchor is stored as Kogge applies it")]
    AnchorChanged(Box<Drift>),
    /// What stands there now is not known.
    #[error("{worker} was not seen live and complete, so nothing is written there: {why}")]
    NotObserved {
        /// The worker.
        worker: WorkerName,
        /// Why.
        why: String,
    },
    /// The worker's user stopped every write to it.
    #[error("{worker} is suspended; set spec.suspend of its WorkerCluster to false to go on")]
    Suspended {
        /// The worker.
        worker: WorkerName,
    },
    /// The object is not one that Kogge may write.
    #[error("{what} for {worker} {why}; correct the chart")]
    Malformed {
        /// The worker.
        worker: WorkerName,
        /// The object, as far as it names itself.
        what: String,
        /// What is wrong with it.
        why: &'static str,
    },
}

fn owner_in_words(owner: Option<&str>) -> String {
    owner.map_or_else(|| "which Kogge did not make".to_owned(), |id| format!("which belongs to clusterID {id}"))
}

impl Refusal {
    /// A stable word in CamelCase.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::NameTaken { .. } => "NameTaken",
            Self::AnchorChanged(_) => "AnchorChanged",
            Self::NotObserved { .. } => "WorkerNotObserved",
            Self::Suspended { .. } => "WorkerSuspended",
            Self::Malformed { .. } => "MalformedObject",
        }
    }
}

/// What a comparison comes to.
#[derive(Debug, Default, PartialEq)]
pub struct Comparison {
    /// The write that makes the desired object stand; none where it stands, or where a write would not change that.
    pub action: Option<Action>,
    /// Fields that others, or admission, made differ.
    pub drift: Vec<Drift>,
}

/// The write that makes `desired` stand on a worker; none where it stands already (A5).
pub fn apply_if_needed(
    worker: &WorkerName,
    desired: Object,
    view: &WorkerView,
    database: Database<'_>,
) -> Result<Option<Action>, Refusal> {
    compare(worker, desired, view, database).map(|comparison| comparison.action)
}

/// Compares `desired` with what was observed of it on a worker.
///
/// The object is written where a desired field is not observed as desired, and where it was last applied from
/// something else, so that a field that is not desired any more is noticed too. It is not written where the same write
/// was made before and came to nothing: where admission changed a field, or another manager owns it.
pub fn compare(
    worker: &WorkerName,
    desired: Object,
    view: &WorkerView,
    database: Database<'_>,
) -> Result<Comparison, Refusal> {
    let malformed = |what: String, why| Refusal::Malformed { worker: worker.clone(), what, why };
    let Some(key) = ObjectKey::of(&desired) else {
        return Err(malformed("an object".to_owned(), "has no kind or no name"));
    };
    if labelled(&desired) != Some(database.cluster_id.as_str()) {
        return Err(malformed(key.to_string(), "does not carry this database's kogge.dev/cluster-id"));
    }
    if !database.owns(&desired) {
        return Err(malformed(key.to_string(), "is not in this database's namespace, or names another database"));
    }
    if key.kind == "Secret" && desired.data.get("stringData").is_some() {
        // It is never read back, so whether it stands could not be told.
        return Err(malformed(key.to_string(), "has stringData; give data, encoded as base64"));
    }
    if view.suspended {
        return Err(Refusal::Suspended { worker: worker.clone() });
    }
    if !view.is_current() {
        return Err(Refusal::NotObserved { worker: worker.clone(), why: why_not_current(view) });
    }
    let (desired, body, hash) = stamped(desired);
    let apply = |object, precondition, why: String| Action::Apply {
        worker: worker.clone(),
        object: Box::new(object),
        precondition,
        why,
    };
    let Some(observed) = view.objects.get(&key) else {
        let action = Some(apply(desired, ApplyPrecondition::Absent, "it is not there".to_owned()));
        return Ok(Comparison { action, drift: Vec::new() });
    };
    if !database.owns(observed) {
        let owner = labelled(observed).map(str::to_owned);
        return Err(Refusal::NameTaken { worker: worker.clone(), key: Box::new(key), owner });
    }
    let Difference { why, drift } = difference(worker, &key, &desired, &observable(&key, body), observed, &hash);
    let Some(why) = why else {
        return match drift.first() {
            Some(changed) if is_anchor(&desired) => Err(Refusal::AnchorChanged(Box::new(changed.clone()))),
            _ => Ok(Comparison { action: None, drift }),
        };
    };
    let (Some(uid), Some(resource_version)) =
        (observed.metadata.uid.clone(), observed.metadata.resource_version.clone())
    else {
        return Err(Refusal::NotObserved {
            worker: worker.clone(),
            why: format!("{key} was seen without uid and resourceVersion"),
        });
    };
    let action = Some(apply(desired, ApplyPrecondition::Observed { uid, resource_version }, why));
    Ok(Comparison { action, drift })
}

fn why_not_current(view: &WorkerView) -> String {
    match &view.liveness {
        Liveness::Silent { message, .. } => message.clone(),
        Liveness::Live if !view.complete => "it is not wholly listed yet".to_owned(),
        Liveness::Live => "it has not told its UID yet".to_owned(),
    }
}

/// The object with the hash of its content, the content that is compared, and the hash.
fn stamped(mut object: Object) -> (Object, Value, String) {
    if let Some(annotations) = &mut object.metadata.annotations {
        annotations.remove(labels::APPLIED_HASH);
    }
    let body = body(&object);
    let hash = short_hash(&body);
    object.metadata.annotations.get_or_insert_default().insert(labels::APPLIED_HASH.to_owned(), hash.clone());
    (object, body, hash)
}

/// What Kogge decides about an object: its own metadata and everything but the status.
fn body(object: &Object) -> Value {
    let mut body = match &object.data {
        Value::Object(data) => data.clone(),
        _ => serde_json::Map::new(),
    };
    body.remove("status");
    // Metadata is plain data: it always serialises.
    if let Ok(Value::Object(metadata)) = serde_json::to_value(&object.metadata) {
        let own = metadata.into_iter().filter(|(field, _)| OWN_METADATA.contains(&field.as_str())).collect();
        body.insert("metadata".to_owned(), Value::Object(own));
    }
    Value::Object(body)
}

/// The part of the content that watches show: a Secret's bytes are never listed, so its hash speaks for them.
fn observable(key: &ObjectKey, mut body: Value) -> Value {
    if key.kind == "Secret"
        && let Some(fields) = body.as_object_mut()
    {
        fields.retain(|field, _| field == "metadata");
    }
    body
}

/// What differs, in words without values, because it may be a Secret's (A12).
struct Difference {
    /// Why the object is to be written; none where it stands, or a write would not change it.
    why: Option<String>,
    drift: Vec<Drift>,
}

fn difference(
    worker: &WorkerName,
    key: &ObjectKey,
    desired: &Object,
    desired_body: &Value,
    observed: &Object,
    hash: &str,
) -> Difference {
    let drift = |field: String, cause| Drift { worker: worker.clone(), key: key.clone(), field, cause };
    let managers = Managers::of(observed);
    let found = differences(desired_body, Some(&body(observed)));
    let not_as_desired = |path: &Path| format!("{} is not as desired", path.join("."));
    if !is_applied_from(observed, managers.as_ref(), hash) {
        let why = found.first().map_or_else(|| "it was applied from other content".to_owned(), not_as_desired);
        return Difference { why: Some(why), drift: Vec::new() };
    }
    let Some(managers) = managers else {
        return Difference { why: found.first().map(not_as_desired), drift: Vec::new() };
    };
    let told: Vec<Drift> = found
        .iter()
        .map(|path| drift(path.join("."), cause(key, desired, desired_body, &managers, path)))
        .chain(declined_restart(key, desired_body, observed).map(|field| drift(field, Cause::Restart)))
        .collect();
    let why =
        told.iter().find(|drift| drift.is_put_back()).map(|drift| format!("{} is not as desired", drift.field));
    Difference { why, drift: told }
}

/// Whether the last apply was of the same content. Where admission removed the hash, nothing speaks against it.
fn is_applied_from(observed: &Object, managers: Option<&Managers<'_>>, hash: &str) -> bool {
    let applied = observed.metadata.annotations.as_ref().and_then(|a| a.get(labels::APPLIED_HASH));
    let path = ["metadata", "annotations", labels::APPLIED_HASH].map(str::to_owned);
    let with_hash = serde_json::json!({"metadata": {"annotations": {labels::APPLIED_HASH: hash}}});
    let was_removed = || managers.is_some_and(|managers| managers.are_we(&with_hash, &path));
    applied.map_or_else(was_removed, |applied| applied == hash)
}

fn cause(key: &ObjectKey, object: &Object, desired: &Value, managers: &Managers<'_>, path: &[String]) -> Cause {
    let other = managers.other(desired, path).map(str::to_owned);
    if managers.are_we(desired, path) {
        return other.map_or(Cause::Admission, |manager| Cause::Extended { manager });
    }
    match other {
        Some(manager) if !is_forced(key, object, &format!(".{}", path.join("."))) => Cause::Owned { manager },
        manager => Cause::PutBack { manager },
    }
}

/// The annotation by which somebody asked the pods of a StatefulSet to be restarted. Kubernetes restarts none of them:
/// they are replaced as Kogge deletes them.
fn declined_restart(key: &ObjectKey, desired: &Value, observed: &Object) -> Option<String> {
    let path = format!("/spec/template/metadata/annotations/{}", RESTARTED_AT.replace('/', "~1"));
    let asked =
        key.kind == "StatefulSet" && observed.data.pointer(&path).is_some() && desired.pointer(&path).is_none();
    asked.then(|| format!("spec.template.metadata.annotations.{RESTARTED_AT}"))
}
