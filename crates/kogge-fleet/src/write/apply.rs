//! Server-side apply of one object, guarded by what was observed of it.

use kogge_api::{FIELD_MANAGER, labels};
use kogge_plan::forced::is_forced;
use kogge_plan::{ApplyPrecondition, Object};
use kube::api::{Patch, PatchParams};
use kube::core::ObjectMeta;
use serde_json::Value;

use super::conflict;
use super::field_path;
use super::target::{Failure, Target};
use super::{FieldConflict, Outcome, WriteError};
use crate::watch::supervisor::from_metadata;

/// Requests for one apply at most: the plain one, one without what is left to others, one more where that
/// shows further conflicts.
const ATTEMPTS: usize = 3;

/// Applies the object.
///
/// A create is an apply too, for a POST would make Kogge two field managers. It cannot carry a precondition
/// that the object is absent, so the object is read first; one that someone makes in between either differs
/// in fields that Kogge sets, which is a conflict and never forced, or is merged with.
pub(super) async fn apply(
    target: &Target<'_>,
    object: &Object,
    precondition: &ApplyPrecondition,
) -> Result<Outcome, WriteError> {
    let creates = *precondition == ApplyPrecondition::Absent;
    if creates && let Some(outcome) = occupied(target, object).await? {
        return Ok(outcome);
    }
    let mut body = body(target, object, precondition)?;
    let mut left: Vec<FieldConflict> = Vec::new();
    let mut force = false;
    for _ in 0..ATTEMPTS {
        target.permit()?;
        let status = match send(target, &body, force).await {
            Ok(applied) => return Ok(done(target, applied, left)),
            Err(Failure::Refused(error)) => return Err(error),
            Err(Failure::Unknown { message, timed_out }) => return Ok(Outcome::Unknown { message, timed_out }),
            Err(Failure::NotFound(status)) => return Err(not_found(target, &status)),
            Err(Failure::Conflict(status)) => status,
        };
        let conflicts = conflict::fields(&status);
        if creates || force || conflicts.is_empty() {
            return Ok(Outcome::Stale { message: target.words(&status) });
        }
        let (forced, others): (Vec<_>, Vec<_>) =
            conflicts.into_iter().partition(|conflict| is_forced(&target.key, object, &conflict.field));
        let stuck: Vec<_> =
            others.iter().filter(|conflict| !field_path::remove(&mut body, &conflict.field)).cloned().collect();
        if !stuck.is_empty() {
            return Err(WriteError::FieldsTaken {
                worker: target.worker.name().clone(),
                object: target.boxed_key(),
                conflicts: stuck,
            });
        }
        // The resourceVersion in the body holds the answer to this: whoever changes the object in between
        // makes it stale, so nothing is forced that was not just seen.
        force = !forced.is_empty();
        left.extend(others);
    }
    Ok(Outcome::Stale { message: "its fields change hands faster than they can be written".to_owned() })
}

/// Looks whether the name is free. An object of ours there is one that the view does not show yet.
async fn occupied(target: &Target<'_>, object: &Object) -> Result<Option<Outcome>, WriteError> {
    let found = target.api.get_metadata_opt(&target.key.name).await.map_err(|error| target.unread(error))?;
    let Some(found) = found else { return Ok(None) };
    let ours = cluster_id(&object.metadata);
    if ours.is_some() && cluster_id(&found.metadata) == ours {
        return Ok(Some(Outcome::Stale { message: "it exists already and is observed soon".to_owned() }));
    }
    Err(WriteError::NameTaken {
        worker: target.worker.name().clone(),
        object: target.boxed_key(),
        owner: owner(&found.metadata),
    })
}

fn cluster_id(metadata: &ObjectMeta) -> Option<&str> {
    metadata.labels.as_ref()?.get(labels::CLUSTER_ID).map(String::as_str)
}

/// Whose an object is, from the most to the least telling.
fn owner(metadata: &ObjectMeta) -> String {
    let label = |name: &str| metadata.labels.as_ref()?.get(name).cloned();
    if let Some(id) = label(labels::CLUSTER_ID) {
        return format!("the database with clusterID {id}");
    }
    if let Some(manager) = label(labels::MANAGED_BY) {
        return format!("{manager:?} (label {})", labels::MANAGED_BY);
    }
    if let Some(owner) = metadata.owner_references.iter().flatten().next() {
        return format!("{} {:?}", owner.kind, owner.name);
    }
    let manager = metadata.managed_fields.iter().flatten().find_map(|entry| entry.manager.clone());
    manager.map_or_else(|| "someone else".to_owned(), |manager| format!("{manager:?} (its field manager)"))
}

fn body(target: &Target<'_>, object: &Object, precondition: &ApplyPrecondition) -> Result<Value, WriteError> {
    let mut object = object.clone();
    object.metadata.managed_fields = None;
    (object.metadata.uid, object.metadata.resource_version) = match precondition {
        ApplyPrecondition::Absent => (None, None),
        ApplyPrecondition::Observed { uid, resource_version } => {
            (Some(uid.clone()), Some(resource_version.clone()))
        }
    };
    serde_json::to_value(object)
        .map_err(|_| WriteError::Malformed { worker: target.worker.name().clone(), missing: "form in JSON" })
}

async fn send(target: &Target<'_>, body: &Value, force: bool) -> Result<Object, Failure> {
    let params = PatchParams { force, dry_run: target.dry_run(), ..PatchParams::apply(FIELD_MANAGER) };
    let patch = Patch::Apply(body);
    let name = &target.key.name;
    let answer = if target.metadata_only() {
        let answer = target.api.patch_metadata(name, &params, &patch).await;
        answer.map(|metadata| from_metadata(metadata, &target.resource))
    } else {
        target.api.patch(name, &params, &patch).await
    };
    answer.map_err(|error| target.failure(error))
}

fn done(target: &Target<'_>, applied: Object, mut conflicts: Vec<FieldConflict>) -> Outcome {
    let resource_version = applied.metadata.resource_version.clone().unwrap_or_default();
    if !target.dry_run() {
        target.observe(applied);
    }
    conflicts.sort();
    conflicts.dedup();
    Outcome::Applied { resource_version, conflicts, warnings: Vec::new() }
}

fn not_found(target: &Target<'_>, status: &kube::core::Status) -> WriteError {
    if status.details.as_ref().is_some_and(|details| details.kind == "namespaces") {
        return WriteError::NamespaceMissing {
            worker: target.worker.name().clone(),
            object: target.boxed_key(),
            namespace: target.namespace.clone(),
        };
    }
    target.refused(status)
}
