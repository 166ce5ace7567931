use kogge_api::labels;
use kogge_plan::diff::Refusal;
use kogge_plan::{Action, ApplyPrecondition, Object, ObjectKey, WorkerView, apply_if_needed};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use crate::support::{OTHER_ID, database, id, object, ours, partial, silent, view};

fn stateful_set() -> Object {
    ours(
        "StatefulSet",
        "ll2022-config-vdc1",
        &[],
        json!({"spec": {"replicas": 1, "template": {"spec": {"hostNetwork": false, "containers": [
            {"name": "mongod", "args": ["--replSet", "x"], "resources": {"limits": {"cpu": "1000m"}}}]}}}}),
    )
}

fn applied(action: Option<Action>) -> (Object, ApplyPrecondition) {
    match action {
        Some(Action::Apply { object, precondition, .. }) => (*object, precondition),
        other => panic!("{other:?}"),
    }
}

fn needed(desired: Object, view: &WorkerView) -> Option<Action> {
    apply_if_needed(&"w1".into(), desired, view, database(&id())).unwrap()
}

#[test]
fn what_is_not_there_is_made_if_absent() {
    let (object, precondition) = applied(needed(stateful_set(), &view("u", [])));
    assert_eq!(precondition, ApplyPrecondition::Absent);
    assert!(object.metadata.annotations.unwrap().contains_key(labels::APPLIED_HASH));
}

#[test]
fn a05_what_stands_is_not_written_again() {
    let (mut object, _) = applied(needed(stateful_set(), &view("u", [])));
    object.data["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"]["cpu"] = json!("1");
    object.data["spec"]["template"]["spec"]["containers"][0]["imagePullPolicy"] = json!("IfNotPresent");
    object.data["spec"]["template"]["spec"].as_object_mut().unwrap().remove("hostNetwork");
    object.data["spec"]["podManagementPolicy"] = json!("Parallel");
    object.data["status"] = json!({"replicas": 1});
    assert_eq!(needed(stateful_set(), &view("u", [object])), None);
}

#[test]
fn a07_an_update_names_the_object_that_was_observed() {
    let (object, _) = applied(needed(stateful_set(), &view("u", [])));
    let mut changed = stateful_set();
    changed.data["spec"]["replicas"] = json!(2);
    let (_, precondition) = applied(needed(changed, &view("u", [object])));
    let observed =
        ApplyPrecondition::Observed { uid: "uid-ll2022-config-vdc1".to_owned(), resource_version: "7".to_owned() };
    assert_eq!(precondition, observed);
}

#[test]
fn a_field_that_is_not_desired_any_more_is_noticed() {
    let mut before = stateful_set();
    before.data["spec"]["minReadySeconds"] = json!(5);
    let (object, _) = applied(needed(before, &view("u", [])));
    assert!(needed(stateful_set(), &view("u", [object])).is_some());
}

#[test]
fn a07_a_name_that_is_taken_is_refused() {
    let mut stranger = stateful_set();
    stranger.metadata.labels.as_mut().unwrap().insert(labels::CLUSTER_ID.to_owned(), OTHER_ID.to_owned());
    let mut unlabelled = stateful_set();
    unlabelled.metadata.labels = None;
    for (observed, says) in [(stranger, OTHER_ID), (unlabelled, "Kogge did not make")] {
        let refusal =
            apply_if_needed(&"w1".into(), stateful_set(), &view("u", [observed]), database(&id())).unwrap_err();
        assert_eq!(refusal.reason(), "NameTaken");
        assert!(refusal.to_string().contains(says), "{refusal}");
    }
}

#[test]
fn a01_nothing_is_written_on_a_view_that_is_not_current() {
    let suspended = WorkerView { suspended: true, ..view("u", []) };
    let reasons = [silent(view("u", [])), partial(view("u", [])), suspended]
        .map(|view| apply_if_needed(&"w1".into(), stateful_set(), &view, database(&id())).unwrap_err().reason());
    assert_eq!(reasons, ["WorkerNotObserved", "WorkerNotObserved", "WorkerSuspended"]);
}

#[test]
fn an_object_that_could_not_be_found_again_is_refused() {
    let unlabelled = object(json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}}));
    let nameless = object(json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {}}));
    let write_only = ours("Secret", "s", &[], json!({"stringData": {"a": "b"}}));
    for bad in [unlabelled, nameless, write_only] {
        let refusal = apply_if_needed(&"w1".into(), bad, &view("u", []), database(&id())).unwrap_err();
        assert!(matches!(refusal, Refusal::Malformed { .. }), "{refusal}");
    }
}

#[test]
fn a12_no_word_about_a_secret_shows_what_is_in_it() {
    let secret = |value: &str| ours("Secret", "s", &[], json!({"data": {"key": value}}));
    let (stored, _) = applied(needed(secret("b2xk"), &view("u", [])));
    let action = needed(secret("aHVudGVyMg=="), &view("u", [stored])).unwrap();
    for words in [action.to_string(), format!("{action:?}")] {
        assert!(words.contains("other content") && !words.contains("aHVudGVyMg"), "{words}");
    }
}

#[test]
fn a05_a_secret_that_is_watched_without_its_bytes_is_known_by_its_hash() {
    let secret = || ours("Secret", "s", &[], json!({"type": "Opaque", "data": {"key": "b2xk"}}));
    let (mut stored, _) = applied(needed(secret(), &view("u", [])));
    stored.data = json!({});
    assert!(needed(secret(), &view("u", [stored])).is_none());
}

/// Any JSON that an object may hold, without values that the API server drops.
fn content() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        (1..100_i64).prop_map(Value::from),
        "[a-z]{1,6}".prop_map(Value::from),
        Just(Value::from(true)),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 1..4).prop_map(Value::from),
            prop::collection::btree_map("[a-z]{1,4}", inner, 1..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

fn fields() -> impl Strategy<Value = Map<String, Value>> {
    prop::collection::btree_map("[a-z]{1,4}", content(), 1..4).prop_map(|map| map.into_iter().collect())
}

/// Adds to every map a key that was not desired, as defaulting does.
fn with_defaults(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let mut map: Map<String, Value> =
                map.iter().map(|(key, value)| (key.clone(), with_defaults(value))).collect();
            map.insert("DEFAULTED".to_owned(), json!({"by": ["the server"]}));
            Value::Object(map)
        }
        Value::Array(items) => Value::Array(items.iter().map(with_defaults).collect()),
        leaf => leaf.clone(),
    }
}

fn leaves(value: &Value, path: &str, out: &mut Vec<String>) {
    match value {
        Value::Object(map) => map.iter().for_each(|(key, v)| leaves(v, &format!("{path}/{key}"), out)),
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(i, v)| leaves(v, &format!("{path}/{i}"), out));
        }
        _ => out.push(path.to_owned()),
    }
}

proptest! {
    #[test]
    fn a05_whatever_the_server_fills_in_is_no_difference(fields in fields()) {
        let desired = || ours("ConfigMap", "any", &[], json!({"spec": fields}));
        let (mut object, _) = applied(needed(desired(), &view("u", [])));
        object.data = with_defaults(&object.data);
        prop_assert_eq!(needed(desired(), &view("u", [object])), None);
    }

    #[test]
    fn a10_whatever_leaf_is_changed_is_put_back(fields in fields(), which in any::<prop::sample::Index>()) {
        let desired = || ours("ConfigMap", "any", &[], json!({"spec": fields}));
        let (mut object, _) = applied(needed(desired(), &view("u", [])));
        let mut paths = Vec::new();
        leaves(&object.data, "", &mut paths);
        *object.data.pointer_mut(which.get(&paths).as_str()).unwrap() = json!("CHANGED");
        prop_assert!(needed(desired(), &view("u", [object])).is_some());
    }

    #[test]
    fn whatever_leaf_is_desired_otherwise_is_written(fields in fields(), which in any::<prop::sample::Index>()) {
        let mut desired = ours("ConfigMap", "any", &[], json!({"spec": fields}));
        let (object, _) = applied(needed(desired.clone(), &view("u", [])));
        let mut paths = Vec::new();
        leaves(&desired.data, "", &mut paths);
        *desired.data.pointer_mut(which.get(&paths).as_str()).unwrap() = json!(0);
        let action = needed(desired, &view("u", [object]));
        prop_assert!(action.is_some());
        prop_assert_eq!(action.as_ref().map(Action::worker), Some(&"w1".into()));
    }
}

#[test]
fn keys_are_read_from_types_and_names() {
    let key = ObjectKey::of(&stateful_set()).unwrap();
    assert_eq!(key.to_string(), "StatefulSet databases/ll2022-config-vdc1");
}
