//! The pods of the database, as the workers' API servers tell them.

use kogge_api::federated_cluster::Component;
use kogge_mongo::{Pod, PodFacts};
use kogge_plan::object::cluster_id;
use kogge_plan::workload::{self, ShareKey};
use kogge_plan::{Liveness, ObjectKey, WorkerView};

use crate::identity::Identity;

/// The phase of a pod whose containers were started.
const RUNNING: &str = "Running";

/// What the planner wants to know of a member's pod. `worker` is none where no WorkerCluster stands for the
/// placement; `resolves_everywhere` is what discovery says of the pod's name.
pub fn pod_facts(
    identity: &Identity,
    component: Component,
    placement: &str,
    pod: &str,
    worker: Option<&WorkerView>,
    resolves_everywhere: bool,
) -> Pod {
    let Some(worker) = worker else {
        return Pod::Unknown { reason: format!("no WorkerCluster stands for placement {placement}") };
    };
    if let Liveness::Silent { message, .. } = &worker.liveness {
        return Pod::Unknown { reason: message.clone() };
    }
    if !worker.complete {
        return Pod::Unknown { reason: "its worker has not been listed completely yet".to_owned() };
    }
    let key = ObjectKey::namespaced("v1", "Pod", &identity.namespace, pod);
    let ours = worker.objects.get(&key).filter(|object| cluster_id(object) == Some(identity.id.as_str()));
    let Some(facts) = ours.and_then(|object| workload::pod_facts(object)) else { return Pod::Absent };
    let share = ShareKey { component, placement: placement.to_owned() };
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

/// The router pods that run, with their names and UIDs.
pub fn routers(
    identity: &Identity,
    placement: &str,
    worker: &WorkerView,
) -> impl Iterator<Item = (String, String)> + use<> {
    let share = ShareKey { component: Component::Mongos, placement: placement.to_owned() };
    workload::pods(worker, identity.database(), &share)
        .into_iter()
        .filter(|pod| pod.phase == RUNNING && !pod.terminating)
        .map(|pod| (pod.name, pod.uid))
}
