//! The pods of the database, as the workers' API servers tell them.

use kogge_api::federated_cluster::Component;
use kogge_api::{labels, names};
use kogge_mongo::{Pod, PodFacts};
use kogge_plan::{Liveness, Object, ObjectKey, WorkerView};
use serde_json::Value;

use crate::identity::Identity;

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
    let Some(object) = worker.objects.get(&key) else { return Pod::Absent };
    if object.metadata.labels.as_ref().and_then(|l| l.get(labels::CLUSTER_ID)).map(String::as_str)
        != Some(identity.id.as_str())
    {
        return Pod::Absent;
    }
    let workload = names::workload(&identity.name, component, placement);
    let stateful_set = ObjectKey::namespaced("apps/v1", "StatefulSet", &identity.namespace, &workload);
    let template = worker
        .objects
        .get(&stateful_set)
        .and_then(|set| set.data.pointer("/spec/template/metadata/labels").and_then(|l| l.get(labels::REVISION)));
    Pod::Present(PodFacts {
        uid: object.metadata.uid.clone().unwrap_or_default(),
        running: object.data.pointer("/status/phase").and_then(Value::as_str) == Some("Running"),
        ready: is_ready(object),
        terminating: object.metadata.deletion_timestamp.is_some(),
        revision: object.metadata.labels.as_ref().and_then(|l| l.get(labels::REVISION)).cloned(),
        target_revision: template.and_then(Value::as_str).map(str::to_owned),
        resolves_everywhere,
    })
}

/// The router pods that run, with their names and UIDs.
pub fn routers<'a>(
    identity: &'a Identity,
    placement: &'a str,
    worker: &'a WorkerView,
) -> impl Iterator<Item = (String, String)> + 'a {
    let mongos = Component::Mongos.to_string();
    worker.list("Pod", &identity.namespace).filter_map(move |pod| {
        let labels = pod.metadata.labels.as_ref()?;
        let ours = labels.get(labels::CLUSTER_ID).map(String::as_str) == Some(identity.id.as_str())
            && labels.get(labels::COMPONENT) == Some(&mongos)
            && labels.get(labels::PLACEMENT).map(String::as_str) == Some(placement);
        let runs = pod.metadata.deletion_timestamp.is_none()
            && pod.data.pointer("/status/phase").and_then(Value::as_str) == Some("Running");
        (ours && runs).then(|| Some((pod.metadata.name.clone()?, pod.metadata.uid.clone()?)))?
    })
}

/// Whether a pod's Ready condition holds.
fn is_ready(pod: &Object) -> bool {
    let conditions = pod.data.pointer("/status/conditions").and_then(Value::as_array);
    conditions.into_iter().flatten().any(|c| c["type"] == "Ready" && c["status"] == "True")
}
