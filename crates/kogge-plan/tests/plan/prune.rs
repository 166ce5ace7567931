use std::collections::BTreeSet;

use kogge_api::federated_cluster::DataPolicy;
use kogge_api::labels;
use kogge_plan::prune::{PruneFacts, Pruning, Released, prune};
use kogge_plan::{Action, Object, ObjectKey, WorkerView};
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::{OTHER_ID, database, id, ours, partial, silent, view};

fn facts() -> PruneFacts {
    PruneFacts {
        render_complete: true,
        anchored_uid: Some("u".to_owned()),
        placements: ["vdc1".to_owned()].into(),
        released: Released::default(),
        approved: BTreeSet::new(),
    }
}

fn drained(placement: &str) -> Released {
    Released { placements: [placement.to_owned()].into(), ..Released::default() }
}

fn config_map(name: &str) -> Object {
    ours("ConfigMap", name, &[], json!({"data": {"a": "b"}}))
}

/// Enough wanted objects for one or two deletions not to need approval.
fn wanted() -> Vec<Object> {
    (0..7).map(|n| config_map(&format!("wanted-{n}"))).collect()
}

fn pruned(unwanted: Vec<Object>, facts: &PruneFacts) -> Pruning {
    let desired: BTreeSet<ObjectKey> = wanted().iter().filter_map(ObjectKey::of).collect();
    prune(&"w1".into(), &view("u", wanted().into_iter().chain(unwanted)), database(&id()), &desired, facts)
}

fn names(pruning: &Pruning) -> Vec<&str> {
    pruning
        .actions
        .iter()
        .map(|action| match action {
            Action::Delete { key, .. } => key.name.as_str(),
            Action::Apply { .. } => panic!("{action}"),
        })
        .collect()
}

#[rstest]
#[case("ConfigMap", &[])]
#[case::field_28("Job", &[])]
#[case::field_28("NetworkPolicy", &[])]
#[case::field_28("ServiceAccount", &[])]
#[case("Deployment", &[])]
#[case("PodDisruptionBudget", &[])]
#[case("Secret", &[])]
#[case("Service", &[])]
#[case("EndpointSlice", &[(labels::ENDPOINT_SLICE_MANAGED_BY, labels::MANAGER)])]
fn what_is_not_desired_any_more_goes(#[case] kind: &str, #[case] more: &[(&str, &str)]) {
    let pruning = pruned(vec![ours(kind, "old", more, json!({}))], &facts());
    assert_eq!(names(&pruning), ["old"]);
    assert!(matches!(&pruning.actions[0],
        Action::Delete { uid, resource_version: Some(_), .. } if uid == "uid-old"));
}

#[rstest]
#[case("StatefulSet")]
#[case("PersistentVolumeClaim")]
#[case("Pod")]
#[case("ControllerRevision")]
#[case("ReplicaSet")]
#[case("Namespace")]
#[case("SomethingNew")]
#[case("EndpointSlice")]
fn a02_what_holds_data_or_is_not_ours_to_judge_stays(#[case] kind: &str) {
    let drained = PruneFacts { released: drained("vdc1"), ..facts() };
    let made_by_kubernetes = [(labels::ENDPOINT_SLICE_MANAGED_BY, "endpointslice-controller.k8s.io")];
    let pruning = pruned(vec![ours(kind, "old", &made_by_kubernetes, json!({}))], &drained);
    assert_eq!(names(&pruning), [""; 0]);
}

type Doubt = fn(&mut WorkerView, &mut PruneFacts);

#[rstest]
#[case::silent(|view: &mut WorkerView, _: &mut PruneFacts| *view = silent(view.clone()))]
#[case::partial(|view: &mut WorkerView, _: &mut PruneFacts| *view = partial(view.clone()))]
#[case::suspended(|view: &mut WorkerView, _: &mut PruneFacts| view.suspended = true)]
#[case::another_cluster(|view: &mut WorkerView, _: &mut PruneFacts| view.uid = Some("another".to_owned()))]
#[case::no_anchor(|_: &mut WorkerView, facts: &mut PruneFacts| facts.anchored_uid = None)]
#[case::incomplete_render(|_: &mut WorkerView, facts: &mut PruneFacts| facts.render_complete = false)]
fn a01_nothing_goes_on_doubt(#[case] doubt: Doubt) {
    let (mut view, mut facts) = (view("u", [config_map("old")]), facts());
    doubt(&mut view, &mut facts);
    let pruning = prune(&"w1".into(), &view, database(&id()), &BTreeSet::new(), &facts);
    assert!(pruning.doubt.is_some());
    assert!(pruning.actions.is_empty());
}

#[test]
fn a01_another_databases_objects_are_no_candidates() {
    let mut stranger = config_map("old");
    stranger.metadata.labels.as_mut().unwrap().insert(labels::CLUSTER_ID.to_owned(), OTHER_ID.to_owned());
    let pruning = pruned(vec![stranger], &facts());
    assert_eq!((pruning.actions.len(), pruning.kept.len()), (0, 0));
}

#[test]
fn a01_the_anchor_stays() {
    let pruning = pruned(vec![ours("ConfigMap", "a", &[(labels::ROLE, "anchor")], json!({}))], &facts());
    assert!(pruning.actions.is_empty());
}

#[test]
fn a02_the_objects_of_a_placement_go_once_it_is_drained() {
    let router = || vec![ours("Deployment", "router", &[(labels::PLACEMENT, "vdc4")], json!({}))];
    assert!(pruned(router(), &facts()).actions.is_empty());
    let drained = PruneFacts { released: drained("vdc4"), ..facts() };
    assert_eq!(names(&pruned(router(), &drained)), ["router"]);
}

#[rstest]
#[case::pod("Pod", json!({"spec": {"volumes": [{"secret": {"secretName": "old"}}]}}), true)]
#[case::template("StatefulSet", json!({"spec": {"template": {"spec": {"volumes": [{"secret": {"secretName": "old"}}]}}}}), true)]
#[case::projected("Pod", json!({"spec": {"volumes": [{"projected": {"sources": [{"secret": {"name": "old"}}]}}]}}), true)]
#[case::variable("Pod", json!({"spec": {"containers": [{"env": [{"valueFrom": {"secretKeyRef": {"name": "old", "key": "k"}}}]}]}}), true)]
#[case::another("Pod", json!({"spec": {"volumes": [{"secret": {"secretName": "other"}}]}}), false)]
#[case::old_revision("ControllerRevision", json!({"data": {"spec": {"template": {"spec": {"volumes": [{"secret": {"secretName": "old"}}]}}}}}), false)]
fn a_secret_stays_while_pods_are_made_with_it(#[case] kind: &str, #[case] data: Value, #[case] stays: bool) {
    let secret = ours("Secret", "old", &[(labels::ROLE, "keyfile")], json!({}));
    let user = ours(kind, "user", &[(labels::PLACEMENT, "vdc1")], data);
    assert_eq!(!names(&pruned(vec![secret, user], &facts())).contains(&"old"), stays);
}

#[rstest]
#[case::volume("Pod", json!({"spec": {"volumes": [{"configMap": {"name": "old"}}]}}))]
#[case::projected("StatefulSet", json!({"spec": {"template": {"spec": {"volumes": [{"projected": {"sources": [{"configMap": {"name": "old"}}]}}]}}}}))]
#[case::environment("Deployment", json!({"spec": {"containers": [{"envFrom": [{"configMapRef": {"name": "old"}}]}]}}))]
#[case::variable("Pod", json!({"spec": {"containers": [{"env": [{"valueFrom": {"configMapKeyRef": {"name": "old", "key": "k"}}}]}]}}))]
#[case::revision("ControllerRevision", json!({"data": {"spec": {"template": {"spec": {"volumes": [{"configMap": {"name": "old"}}]}}}}}))]
fn a_config_map_stays_while_something_refers_to_it(#[case] kind: &str, #[case] data: Value) {
    let pruning =
        pruned(vec![config_map("old"), ours(kind, "user", &[(labels::PLACEMENT, "vdc1")], data)], &facts());
    assert!(!names(&pruning).contains(&"old"));
}

#[test]
fn a_service_stays_while_members_have_their_names_by_it() {
    let members = ours("StatefulSet", "members", &[], json!({"spec": {"serviceName": "old"}}));
    let pruning = pruned(vec![ours("Service", "old", &[], json!({})), members], &facts());
    assert!(pruning.actions.is_empty());
}

#[rstest]
#[case::a_third_of_nine(6, 3, false)]
#[case::more_than_a_third(6, 4, true)]
#[case::two_of_five(3, 2, true)]
#[case::few_objects(2, 2, false)]
#[case::all(0, 5, true)]
fn a01_more_than_a_third_needs_approval(#[case] wanted: usize, #[case] unwanted: usize, #[case] held: bool) {
    let of =
        |prefix: &str, count: usize| (0..count).map(|n| config_map(&format!("{prefix}{n}"))).collect::<Vec<_>>();
    let desired: BTreeSet<ObjectKey> = of("w", wanted).iter().filter_map(ObjectKey::of).collect();
    let view = view("u", of("w", wanted).into_iter().chain(of("x", unwanted)));
    let run = |facts: &PruneFacts| prune(&"w1".into(), &view, database(&id()), &desired, facts);
    let first = run(&facts());
    assert_eq!(first.approval.is_some(), held);
    assert_eq!(first.actions.len(), if held { 0 } else { unwanted });
    if let Some(approval) = first.approval {
        assert!(approval.what.contains("ConfigMap databases/x0"), "{}", approval.what);
        let wrong = PruneFacts { approved: ["another".to_owned()].into(), ..facts() };
        assert!(run(&wrong).actions.is_empty());
        let approved = PruneFacts { approved: [approval.hash].into(), ..facts() };
        assert_eq!(run(&approved).actions.len(), unwanted);
    }
}

fn shard_1(kind: &str, name: &str, data: Value) -> Object {
    ours(kind, name, &[(labels::COMPONENT, "shard-1"), (labels::PLACEMENT, "vdc1")], data)
}

fn removed(volumes: DataPolicy) -> PruneFacts {
    PruneFacts {
        released: Released { components: ["shard-1".to_owned()].into(), volumes, ..Released::default() },
        ..facts()
    }
}

#[test]
fn a02_the_members_of_a_shard_go_only_once_it_was_removed() {
    let members = || vec![shard_1("StatefulSet", "members", json!({}))];
    assert!(pruned(members(), &facts()).actions.is_empty());
    assert_eq!(names(&pruned(members(), &removed(DataPolicy::Retain))), ["members"]);
}

#[test]
fn what_was_released_is_not_held_by_the_brake_and_holds_nothing_else() {
    let many: Vec<Object> = (0..20).map(|n| shard_1("ConfigMap", &format!("c{n}"), json!({}))).collect();
    let pruning = pruned(many, &removed(DataPolicy::Retain));
    assert_eq!((pruning.actions.len(), pruning.approval), (20, None));
}

#[test]
fn a02_volumes_go_by_policy_and_after_their_pods() {
    let claim = || shard_1("PersistentVolumeClaim", "data", json!({}));
    assert!(pruned(vec![claim()], &removed(DataPolicy::Retain)).actions.is_empty());
    assert_eq!(names(&pruned(vec![claim()], &removed(DataPolicy::Delete))), ["data"]);
    let with_pod = vec![claim(), shard_1("Pod", "pod", json!({}))];
    let pruning = pruned(with_pod, &removed(DataPolicy::Delete));
    assert!(pruning.actions.is_empty());
    assert_eq!(pruning.leaving.len(), 2, "what is waited for is told");
}
