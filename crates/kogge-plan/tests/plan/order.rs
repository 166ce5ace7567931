use kogge_api::anchor::Anchor;
use kogge_api::anchor::mongodb::Record;
use kogge_plan::{Action, ApplyPrecondition, Object, ObjectKey, anchors, order};
use serde_json::json;

use crate::support::{NAME, NAMESPACE, id, ours};

fn apply(worker: &str, object: Object) -> Action {
    Action::Apply {
        worker: worker.into(),
        object: Box::new(object),
        precondition: ApplyPrecondition::Absent,
        why: String::new(),
    }
}

fn delete(worker: &str, kind: &str) -> Action {
    Action::Delete {
        worker: worker.into(),
        key: ObjectKey::namespaced("v1", kind, NAMESPACE, "gone"),
        uid: "u".to_owned(),
        resource_version: None,
        why: String::new(),
    }
}

#[test]
fn what_is_referred_to_comes_first_and_goes_last() {
    let anchor = Anchor {
        cluster_id: id(),
        name: NAME.to_owned(),
        resource: None,
        owner_uid: String::new(),
        epoch: 1,
        spec_hash: String::new(),
        worker_uids: [].into(),
        record: Record::default(),
    };
    let kinds =
        ["Deployment", "StatefulSet", "PodDisruptionBudget", "EndpointSlice", "Service", "ConfigMap", "Secret"];
    let mut actions = vec![
        delete("w1", "ConfigMap"),
        delete("w1", "Deployment"),
        apply("w2", ours("Secret", "s", &[], json!({}))),
    ];
    actions.extend(kinds.map(|kind| apply("w1", ours(kind, "a", &[], json!({})))));
    actions.extend(anchors::objects(&anchor, NAMESPACE).unwrap().map(|object| apply("w1", object)));
    order::sort(&mut actions);
    let told: Vec<String> = actions.iter().map(ToString::to_string).collect();
    let expected = [
        "w1: create ConfigMap databases/ll2022-anchor: ",
        "w1: create ConfigMap kogge-system/anchor-abcdefgh: ",
        "w1: create Secret databases/a: ",
        "w1: create ConfigMap databases/a: ",
        "w1: create Service databases/a: ",
        "w1: create EndpointSlice databases/a: ",
        "w1: create PodDisruptionBudget databases/a: ",
        "w1: create StatefulSet databases/a: ",
        "w1: create Deployment databases/a: ",
        "w1: delete Deployment databases/gone: ",
        "w1: delete ConfigMap databases/gone: ",
        "w2: create Secret databases/s: ",
    ];
    assert_eq!(told, expected);
}
