//! One desired object against what was observed of it: nothing to do, or one guarded apply.

use kogge_api::labels;
use serde_json::Value;

use crate::cover::first_difference;
use crate::fleet_view::{Liveness, WorkerName, WorkerView};
use crate::hash::short_hash;
use crate::object::cluster_id as labelled;
use crate::workload::Database;
use crate::{Action, ApplyPrecondition, Object, ObjectKey};

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
            Self::NotObserved { .. } => "WorkerNotObserved",
            Self::Suspended { .. } => "WorkerSuspended",
            Self::Malformed { .. } => "MalformedObject",
        }
    }
}

/// The write that makes `desired` stand on a worker; none where it stands already (A5).
///
/// The object is written where a desired field is not observed as desired, and where it was last applied from
/// something else, so that a field that is not desired any more is noticed too.
pub fn apply_if_needed(
    worker: &WorkerName,
    desired: Object,
    view: &WorkerView,
    database: Database<'_>,
) -> Result<Option<Action>, Refusal> {
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
    let apply = |precondition, why: String| Action::Apply {
        worker: worker.clone(),
        object: Box::new(desired),
        precondition,
        why,
    };
    let Some(observed) = view.objects.get(&key) else {
        return Ok(Some(apply(ApplyPrecondition::Absent, "it is not there".to_owned())));
    };
    if !database.owns(observed) {
        let owner = labelled(observed).map(str::to_owned);
        return Err(Refusal::NameTaken { worker: worker.clone(), key: Box::new(key), owner });
    }
    let Some(why) = difference(&observable(&key, body), observed, &hash) else { return Ok(None) };
    let (Some(uid), Some(resource_version)) =
        (observed.metadata.uid.clone(), observed.metadata.resource_version.clone())
    else {
        return Err(Refusal::NotObserved {
            worker: worker.clone(),
            why: format!("{key} was seen without uid and resourceVersion"),
        });
    };
    Ok(Some(apply(ApplyPrecondition::Observed { uid, resource_version }, why)))
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
fn difference(desired: &Value, observed: &Object, hash: &str) -> Option<String> {
    if let Some(path) = first_difference(desired, Some(&body(observed))) {
        return Some(format!("{path} is not as desired"));
    }
    let applied = observed.metadata.annotations.as_ref().and_then(|a| a.get(labels::APPLIED_HASH));
    (applied.map(String::as_str) != Some(hash)).then(|| "it was applied from other content".to_owned())
}
