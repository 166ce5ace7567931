//! The order in which actions reach a worker: what is referred to comes before what refers to it.

use crate::{Action, Object, ObjectKey, anchors};

/// The place of a kind among the applies to one worker.
fn rank(kind: &str) -> u8 {
    match kind {
        "Namespace" => 0,
        "ServiceAccount" => 2,
        "Secret" => 3,
        "ConfigMap" => 4,
        "Service" => 5,
        "EndpointSlice" => 6,
        "PodDisruptionBudget" => 7,
        "StatefulSet" => 8,
        "Deployment" => 9,
        _ => 10,
    }
}

/// The anchor's place: before everything that it guards.
const ANCHOR: u8 = 1;

fn object_rank(object: &Object) -> u8 {
    if anchors::is_anchor(object) {
        return ANCHOR;
    }
    object.types.as_ref().map_or(u8::MAX, |types| rank(&types.kind))
}

/// Sorts actions by worker; applies first, then deletions in the reverse order of kinds. Within a kind, by
/// name.
pub fn sort(actions: &mut [Action]) {
    actions.sort_by_key(|action| match action {
        Action::Apply { worker, object, .. } => (worker.clone(), 0, object_rank(object), ObjectKey::of(object)),
        Action::Delete { worker, key, .. } => (worker.clone(), 1, u8::MAX - rank(&key.kind), Some(key.clone())),
    });
}
