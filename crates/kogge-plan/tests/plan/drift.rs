//! Fields that others, or admission, made differ: what is written again, and what is told and left.

use kogge_api::labels;
use kogge_plan::drift::{Cause, in_words};
use kogge_plan::managed_fields::trim;
use kogge_plan::{Action, Object, diff};
use rstest::rstest;
use serde_json::{Map, Value, json};

use crate::support::{database, id, ours, view};

fn stateful_set() -> Object {
    ours(
        "StatefulSet",
        "ll2022-config-vdc1",
        &[],
        json!({"spec": {
            "replicas": 1,
            "minReadySeconds": 5,
            "template": {"spec": {"containers": [
                {"name": "mongod", "image": "m:7", "imagePullPolicy": "IfNotPresent", "args": ["--replSet", "x"],
                 "env": [{"name": "A", "value": "1"}], "ports": [{"containerPort": 27017}]},
                {"name": "agent", "image": "a:1"},
            ]}},
        }}),
    )
}

/// The fields of a value as an API server records them: items of these lists are told by their keys.
fn fields_of(value: &Value) -> Value {
    let Value::Object(map) = value else { return json!({}) };
    let field = |(name, value): (&String, &Value)| {
        let fields = match value {
            Value::Array(items) if items.iter().all(|item| item["name"].is_string()) => items
                .iter()
                .map(|item| (format!("k:{}", json!({"name": item["name"]})), fields_of(item)))
                .collect(),
            Value::Array(items) if name == "ports" => items
                .iter()
                .map(|item| {
                    let key = json!({"containerPort": item["containerPort"], "protocol": "TCP"});
                    (format!("k:{key}"), fields_of(item))
                })
                .collect(),
            other => fields_of(other),
        };
        (format!("f:{name}"), fields)
    };
    Value::Object(map.iter().map(field).collect::<Map<_, _>>())
}

fn entry(manager: &str, operation: &str, subresource: &str, fields: &Value) -> Value {
    json!({
        "manager": manager, "operation": operation, "subresource": subresource, "apiVersion": "apps/v1",
        "fieldsType": "FieldsV1", "fieldsV1": fields,
    })
}

/// The object as it is stored after Kogge's apply.
fn applied() -> Object {
    let Ok(Some(Action::Apply { object, .. })) =
        kogge_plan::apply_if_needed(&"w1".into(), stateful_set(), &view("u", []), database(&id()))
    else {
        panic!("it is not there")
    };
    let mut stored = *object;
    let mut content = stored.data.clone();
    content["metadata"] = json!({"labels": stored.metadata.labels, "annotations": stored.metadata.annotations});
    let entries = json!([
        entry("kogge", "Apply", "", &fields_of(&content)),
        entry("kube-controller-manager", "Update", "status", &json!({"f:status": {}})),
    ]);
    stored.metadata.managed_fields = serde_json::from_value(entries).unwrap();
    stored
}

const SPEC: &str = "/spec/template/spec/containers/0";

/// Takes a field from Kogge, as the API server does where another manager changes it.
fn take(object: &mut Object, path: &[&str], by: Option<(&str, &str)>) {
    let entries = object.metadata.managed_fields.as_mut().unwrap();
    let mut at = &mut entries[0].fields_v1.as_mut().unwrap().0;
    let (last, above) = path.split_last().unwrap();
    for step in above {
        at = &mut at[*step];
    }
    at.as_object_mut().unwrap().remove(*last).unwrap();
    if let Some((manager, subresource)) = by {
        let fields = path.iter().rev().fold(json!({}), |below, step| json!({ *step: below }));
        entries.push(serde_json::from_value(entry(manager, "Update", subresource, &fields)).unwrap());
    }
}

fn add(object: &mut Object, path: &[&str], by: &str) {
    let fields = path.iter().rev().fold(json!({}), |below, step| json!({ *step: below }));
    let entries = object.metadata.managed_fields.as_mut().unwrap();
    entries.push(serde_json::from_value(entry(by, "Update", "", &fields)).unwrap());
}

fn set(object: &mut Object, path: &str, value: Value) {
    *object.data.pointer_mut(path).unwrap() = value;
}

fn compared(mut stored: Object) -> (bool, Vec<(String, Cause)>) {
    trim(&mut stored);
    let found = diff::compare(&"w1".into(), stateful_set(), &view("u", [stored]), database(&id())).unwrap();
    (found.action.is_some(), found.drift.into_iter().map(|drift| (drift.field, drift.cause)).collect())
}

const CONTAINERS: [&str; 4] = ["f:spec", "f:template", "f:spec", "f:containers"];

fn in_mongod<'a>(more: &[&'a str]) -> Vec<&'a str> {
    CONTAINERS.into_iter().chain(["k:{\"name\":\"mongod\"}"]).chain(more.iter().copied()).collect()
}

#[test]
fn what_stands_as_it_was_applied_has_no_drift() {
    assert_eq!(compared(applied()), (false, vec![]));
}

/// What admission changes stays Kogge's in the managed fields; the same write would come to the same.
#[rstest]
#[case::a_value("/imagePullPolicy", json!("Always"), "imagePullPolicy")]
#[case::an_atomic_list("/args", json!(["--replSet", "x", "--ipv6"]), "args")]
#[case::an_item_of_a_list("/env/0/value", json!("2"), "env.0.value")]
#[case::an_injected_item("/env", json!([{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]), "env")]
#[case::an_item_that_is_gone("/env", json!([]), "env")]
fn field_29_what_admission_changes_is_told_and_not_written_again(
    #[case] path: &str,
    #[case] value: Value,
    #[case] field: &str,
) {
    let mut stored = applied();
    set(&mut stored, &format!("{SPEC}{path}"), value);
    let field = format!("spec.template.spec.containers.0.{field}");
    assert_eq!(compared(stored), (false, vec![(field, Cause::Admission)]));
}

#[test]
fn field_29_an_injected_sidecar_is_told_and_not_written_again() {
    let mut stored = applied();
    let containers = stored.data.pointer_mut("/spec/template/spec/containers").unwrap().as_array_mut().unwrap();
    containers.insert(0, json!({"name": "istio-proxy", "image": "i:1"}));
    let field = "spec.template.spec.containers".to_owned();
    assert_eq!(compared(stored), (false, vec![(field, Cause::Admission)]));
}

#[test]
fn field_29_a_hash_that_admission_removes_is_not_written_again() {
    let mut stored = applied();
    stored.metadata.annotations.as_mut().unwrap().remove(labels::APPLIED_HASH);
    let found = diff::compare(&"w1".into(), stateful_set(), &view("u", [stored]), database(&id())).unwrap();
    assert_eq!(found.action, None);
}

#[test]
fn field_29_what_is_desired_otherwise_is_written_whatever_admission_did() {
    let mut stored = applied();
    set(&mut stored, &format!("{SPEC}/imagePullPolicy"), json!("Always"));
    let mut desired = stateful_set();
    desired.data["spec"]["replicas"] = json!(2);
    let found = diff::compare(&"w1".into(), desired, &view("u", [stored]), database(&id())).unwrap();
    assert!(found.action.is_some());
}

#[test]
fn field_29_the_words_name_worker_object_field_and_way_out_and_no_value() {
    let mut stored = applied();
    set(&mut stored, &format!("{SPEC}/imagePullPolicy"), json!("Always"));
    let found = diff::compare(&"w1".into(), stateful_set(), &view("u", [stored]), database(&id())).unwrap();
    let words = in_words(&found.drift).join("\n");
    for part in
        ["w1", "StatefulSet databases/ll2022-config-vdc1", "containers.0.imagePullPolicy", "webhook", "values"]
    {
        assert!(words.contains(part), "{part}: {words}");
    }
    assert!(!words.contains("Always"), "{words}");
}

#[test]
fn field_29_one_sentence_speaks_of_all_objects_with_one_drift() {
    let mut stored = applied();
    set(&mut stored, &format!("{SPEC}/imagePullPolicy"), json!("Always"));
    let found = diff::compare(&"w1".into(), stateful_set(), &view("u", [stored]), database(&id())).unwrap();
    let many: Vec<_> = found.drift.iter().cycle().take(7).cloned().collect();
    let words = in_words(&many);
    assert_eq!(words.len(), 1);
    assert!(words[0].contains("and 2 more: "), "{words:?}");
}

/// A10: what is forced is taken back, by name.
#[rstest]
#[case::scale("kubectl", "scale", "kubectl (scale)")]
#[case::autoscaler("kube-controller-manager", "scale", "kube-controller-manager (scale)")]
#[case::edit("kubectl-edit", "", "kubectl-edit")]
fn field_39_what_another_changed_and_is_forced_is_put_back(
    #[case] manager: &str,
    #[case] subresource: &str,
    #[case] told: &str,
) {
    let mut stored = applied();
    set(&mut stored, "/spec/replicas", json!(0));
    take(&mut stored, &["f:spec", "f:replicas"], Some((manager, subresource)));
    let cause = Cause::PutBack { manager: Some(told.to_owned()) };
    assert_eq!(compared(stored), (true, vec![("spec.replicas".to_owned(), cause)]));
}

#[test]
fn field_39_a_field_that_was_removed_is_put_back() {
    let mut stored = applied();
    stored.data["spec"].as_object_mut().unwrap().remove("minReadySeconds");
    take(&mut stored, &["f:spec", "f:minReadySeconds"], None);
    let cause = Cause::PutBack { manager: None };
    assert_eq!(compared(stored), (true, vec![("spec.minReadySeconds".to_owned(), cause)]));
}

#[test]
fn field_39_an_item_that_was_removed_is_put_back() {
    let mut stored = applied();
    set(&mut stored, &format!("{SPEC}/env"), json!([]));
    take(&mut stored, &in_mongod(&["f:env"]), None);
    let field = "spec.template.spec.containers.0.env".to_owned();
    assert_eq!(compared(stored), (true, vec![(field, Cause::PutBack { manager: None })]));
}

/// A10: what is not forced is told and left; an apply would leave it as well, and come again for ever.
#[test]
fn field_29_what_another_owns_and_is_not_forced_is_told_and_left() {
    let mut stored = applied();
    set(&mut stored, "/spec/minReadySeconds", json!(9));
    take(&mut stored, &["f:spec", "f:minReadySeconds"], Some(("kubectl-edit", "")));
    let cause = Cause::Owned { manager: "kubectl-edit".to_owned() };
    assert_eq!(compared(stored), (false, vec![("spec.minReadySeconds".to_owned(), cause)]));
}

#[test]
fn field_29_what_another_added_to_a_list_is_told_and_left() {
    let mut stored = applied();
    set(&mut stored, &format!("{SPEC}/env"), json!([{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]));
    add(&mut stored, &in_mongod(&["f:env", "k:{\"name\":\"B\"}"]), "kubectl-set");
    let cause = Cause::Extended { manager: "kubectl-set".to_owned() };
    assert_eq!(compared(stored), (false, vec![("spec.template.spec.containers.0.env".to_owned(), cause)]));
}

#[test]
fn field_39_a_rollout_restart_is_declined_in_words() {
    let mut stored = applied();
    stored.data["spec"]["template"]["metadata"] =
        json!({"annotations": {"kubectl.kubernetes.io/restartedAt": "2026-12-01T00:00:00Z"}});
    add(&mut stored, &["f:spec", "f:template", "f:metadata", "f:annotations"], "kubectl-rollout");
    let (written, drift) = compared(stored);
    assert!(!written);
    assert_eq!(drift.len(), 1);
    assert_eq!(drift[0].1, Cause::Restart);
}

#[test]
fn an_object_without_managed_fields_is_written_as_ever() {
    let mut stored = applied();
    stored.metadata.managed_fields = None;
    set(&mut stored, &format!("{SPEC}/imagePullPolicy"), json!("Always"));
    assert_eq!(compared(stored), (true, vec![]));
}

#[test]
fn field_29_an_anchor_that_is_stored_otherwise_holds_every_step() {
    let anchor = || ours("ConfigMap", "a", &[(labels::ROLE, "anchor")], json!({"data": {"epoch": "7"}}));
    let Ok(Some(Action::Apply { object, .. })) =
        kogge_plan::apply_if_needed(&"w1".into(), anchor(), &view("u", []), database(&id()))
    else {
        panic!("it is not there")
    };
    let mut stored = *object;
    let entries = json!([entry("kogge", "Apply", "", &fields_of(&stored.data))]);
    stored.metadata.managed_fields = serde_json::from_value(entries).unwrap();
    stored.data["data"]["epoch"] = json!("6");
    let refusal = diff::compare(&"w1".into(), anchor(), &view("u", [stored]), database(&id())).unwrap_err();
    assert_eq!(refusal.reason(), "AnchorChanged");
    assert!(refusal.to_string().contains("data.epoch"), "{refusal}");
}
