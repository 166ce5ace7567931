//! A member is restarted by the deletion of its pod: its StatefulSet makes it again from the present template.

use kogge_engine::{Engine, Executor, Step};
use kogge_plan::{Action, ObjectKey};

use crate::prepared::Prepared;

/// The deletion that restarts a member, guarded by the pod that the step was planned on, in the state it had: one
/// that came back to health by itself meanwhile is left alone.
pub(crate) fn restart<E: Engine>(prepared: &Prepared<'_, E>, step: &Step<E::Action>) -> Option<Action> {
    let Executor::Restart { pod, uid } = &step.executor else { return None };
    let observation = &prepared.observation;
    let identity = &observation.identity;
    let placement = prepared.placement_of(pod.as_str())?;
    let (worker, view) = observation.worker_of(&placement, &prepared.anchor)?;
    let key = ObjectKey::namespaced("v1", "Pod", &identity.namespace, pod.as_str());
    let seen = view.objects.get(&key).and_then(|object| object.metadata.resource_version.clone());
    Some(Action::Delete {
        worker: worker.clone(),
        key,
        uid: uid.clone(),
        resource_version: seen,
        why: format!("restart: {}", step.reason),
    })
}
