//! The pods of a database, by their names and as the workers' API servers tell them.

use kogge_engine::{Component, ComponentKey, Engine, Identity, Pod, PodFacts};
use kogge_plan::workload::{self, ShareKey};
use kogge_plan::{Liveness, ObjectKey, WorkerView};

/// The phase of a pod whose containers were started.
const RUNNING: &str = "Running";

/// The component that a pod of the database belongs to, read from its name.
pub(crate) fn component_of<E: Engine>(identity: &Identity, pod: &str) -> Option<Component> {
    E::component_of_pod(identity.rest_of(pod)?)
}

/// The place of a component, by its name, in a rollout.
pub(crate) fn rank<E: Engine>(component: &str) -> Option<u32> {
    E::component(component).map(|component| component.rank)
}

/// Whether a pod of the database stands in a placement, read from its name.
pub(crate) fn is_in<E: Engine>(identity: &Identity, pod: &str, placement: &str) -> bool {
    component_of::<E>(identity, pod).is_some_and(|component| identity.is_in(&component.key, pod, placement))
}

/// What the planner wants to know of a member's pod. `worker` is none where no WorkerCluster stands for the
/// placement; `resolves_everywhere` is what discovery says of the pod's name.
pub(crate) fn pod_facts(
    identity: &Identity,
    component: &ComponentKey,
    placement: &str,
    pod: &str,
    worker: Option<&WorkerView>,
    resolves_everywhere: bool,
) -> Pod {
    let Some(worker) = worker else {
        return Pod::Unknown { reason: format!("placement {placement} has no WorkerCluster") };
    };
    if let Liveness::Silent { message, .. } = &worker.liveness {
        return Pod::Unknown { reason: message.clone() };
    }
    if !worker.complete {
        return Pod::Unknown { reason: "its worker has not been listed completely yet".to_owned() };
    }
    let key = ObjectKey::namespaced("v1", "Pod", &identity.namespace, pod);
    let ours = worker.objects.get(&key).filter(|object| identity.database().owns(object));
    let Some(facts) = ours.and_then(|object| workload::pod_facts(object)) else { return Pod::Absent };
    let share = ShareKey { component: component.clone(), placement: placement.to_owned() };
    let standing = workload::workload(worker, identity.database(), &share);
    Pod::Present(PodFacts {
        running: facts.phase == RUNNING,
        uid: facts.uid,
        ready: facts.ready,
        terminating: facts.terminating,
        revision: facts.revision,
        target_revision: standing.and_then(workload::template_revision).map(str::to_owned),
        resolves_everywhere,
        gate: facts.gate,
    })
}

/// The pods of a share that run, with their names and UIDs.
pub(crate) fn running(
    identity: &Identity,
    component: &ComponentKey,
    placement: &str,
    worker: &WorkerView,
) -> impl Iterator<Item = (String, String)> + use<> {
    let share = ShareKey { component: component.clone(), placement: placement.to_owned() };
    workload::pods(worker, identity.database(), &share)
        .into_iter()
        .filter(|pod| pod.phase == RUNNING && !pod.terminating)
        .map(|pod| (pod.name, pod.uid))
}
