//! A member is restarted by the deletion of its pod: its StatefulSet makes it again from the present template.

use kogge_mongo::{Action as EngineAction, Step};
use kogge_plan::{Action, ObjectKey};

use crate::observation::Prepared;

/// The deletion that restarts a member, guarded by the UID that the step was planned on.
pub fn restart(prepared: &Prepared<'_>, step: &Step) -> Option<Action> {
    let EngineAction::RestartPod { pod, uid } = &step.action else { return None };
    let observation = &prepared.observation;
    let identity = observation.identity;
    let placement = prepared.placement_of(pod.as_str())?;
    let (worker, _) = observation.worker_of(&placement, &prepared.anchor)?;
    Some(Action::Delete {
        worker: worker.clone(),
        key: ObjectKey::namespaced("v1", "Pod", &identity.namespace, pod.as_str()),
        uid: uid.clone(),
        resource_version: None,
        why: format!("restart: {}", step.reason),
    })
}
