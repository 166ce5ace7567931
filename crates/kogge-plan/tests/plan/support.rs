//! Views and objects, as short as a table needs them.

use std::sync::Arc;

use kogge_api::{ClusterId, labels};
use kogge_plan::workload::{Database, ShareKey};
use kogge_plan::{Liveness, Object, ObjectKey, WorkerView};
use serde_json::{Value, json};

pub(crate) const ID: &str = "abcdefgh";
pub(crate) const OTHER_ID: &str = "zzzzzzzz";
pub(crate) const NAMESPACE: &str = "databases";
pub(crate) const NAME: &str = "ll2022";

pub(crate) fn id() -> ClusterId {
    ID.parse().unwrap()
}

pub(crate) fn database(id: &ClusterId) -> Database<'_> {
    Database { name: NAME, namespace: NAMESPACE, cluster_id: id }
}

pub(crate) fn share_key(component: &str, placement: &str) -> ShareKey {
    ShareKey { component: component.into(), placement: placement.to_owned() }
}

/// An object from JSON, without what the API server adds.
pub(crate) fn object(value: Value) -> Object {
    serde_json::from_value(value).unwrap()
}

/// An object of ours with more labels.
pub(crate) fn ours(kind: &str, name: &str, more: &[(&str, &str)], data: Value) -> Object {
    let api_version = match kind {
        "StatefulSet" | "Deployment" | "ControllerRevision" | "ReplicaSet" => "apps/v1",
        "EndpointSlice" => "discovery.k8s.io/v1",
        "PodDisruptionBudget" => "policy/v1",
        _ => "v1",
    };
    let mut object = object(json!({
        "apiVersion": api_version, "kind": kind,
        "metadata": {"name": name, "namespace": NAMESPACE, "labels": {labels::CLUSTER_ID: ID}},
    }));
    if ["ControllerRevision", "Pod", "ReplicaSet"].contains(&kind) {
        let owner =
            json!({"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "o", "uid": "o", "controller": true});
        object.metadata.owner_references = Some(vec![serde_json::from_value(owner).unwrap()]);
    }
    let of = object.metadata.labels.as_mut().unwrap();
    of.extend(more.iter().map(|(label, value)| ((*label).to_owned(), (*value).to_owned())));
    object.data = data;
    object
}

/// An object as the API server stores it.
pub(crate) fn stored(mut object: Object) -> Object {
    let name = object.metadata.name.clone().unwrap();
    object.metadata.uid = Some(format!("uid-{name}"));
    object.metadata.resource_version = Some("7".to_owned());
    object.metadata.generation = Some(1);
    object
}

/// A live and complete view.
pub(crate) fn view(uid: &str, objects: impl IntoIterator<Item = Object>) -> WorkerView {
    WorkerView {
        vdc: format!("vdc-of-{uid}"),
        uid: Some(uid.to_owned()),
        cluster_domain: "cluster.local".to_owned(),
        liveness: Liveness::Live,
        complete: true,
        suspended: false,
        objects: objects.into_iter().map(|o| (ObjectKey::of(&o).unwrap(), Arc::new(stored(o)))).collect(),
    }
}

pub(crate) fn silent(mut view: WorkerView) -> WorkerView {
    view.liveness =
        Liveness::Silent { since: None, reason: "Timeout".to_owned(), message: "no answer in 10s".to_owned() };
    view
}

pub(crate) fn partial(mut view: WorkerView) -> WorkerView {
    view.complete = false;
    view
}

/// A pod of a share.
pub(crate) fn pod(key: &ShareKey, ordinal: u32, revision: &str, ready: bool) -> Object {
    let name = kogge_api::names::member(NAME, &key.component, &key.placement, ordinal);
    ours(
        "Pod",
        &name,
        &[
            (labels::COMPONENT, key.component.as_str()),
            (labels::PLACEMENT, &key.placement),
            (labels::REVISION, revision),
        ],
        json!({"status": {"phase": "Running", "podIPs": [{"ip": "10.1.0.7"}, {"ip": "fd00::7"}],
            "conditions": [{"type": "Ready", "status": if ready { "True" } else { "False" }}]}}),
    )
}

/// The workload of a share.
pub(crate) fn workload(key: &ShareKey, revision: &str) -> Object {
    let kind = if key.component.as_str() == "mongos" { "Deployment" } else { "StatefulSet" };
    let name = kogge_api::names::workload(NAME, &key.component, &key.placement);
    ours(
        kind,
        &name,
        &[(labels::COMPONENT, key.component.as_str()), (labels::PLACEMENT, &key.placement)],
        json!({"spec": {"template": {"metadata": {"labels": {labels::REVISION: revision}}}},
            "status": {"observedGeneration": 1}}),
    )
}
