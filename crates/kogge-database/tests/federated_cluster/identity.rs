//! A database is its control cluster, namespace, name, resource and clusterID together: whoever names the clusterID of
//! another, or would give objects the names of another's, gets nothing by it and harms nothing by its end.

use k8s_openapi::api::core::v1::Secret;
use kogge_api::anchor::Anchor;
use kogge_api::conditions::database as types;
use kogge_api::{FINALIZER, FederatedCluster, OwnerRecord, labels, names};
use kogge_database::pass::Read;
use kogge_engine::{Database, Engine as _};
use kogge_mongo::MongoDb;
use kogge_plan::anchors;
use rstest::rstest;
use serde_json::{Value, json};

use crate::world::{ID, World};

/// Rounds in which a resource that could do anything would have done it.
const ROUNDS: usize = 10;

/// A settled database, and a copy of its manifest that is applied under that namespace and name.
fn with_copy(namespace: &str, name: &str, change: impl FnOnce(&mut FederatedCluster)) -> World {
    let mut world = World::three_settled();
    world.copy(namespace, name, change);
    world
}

/// What stands beside the statuses.
fn kept(world: &World) -> Value {
    json!([world.revisions, world.secrets, world.picture().into_values().collect::<Vec<_>>()])
}

/// Makes passes that must neither read, write nor delete anything of the other's.
fn gets_nothing(world: &mut World) {
    let before = kept(world);
    for _ in 0..ROUNDS {
        let passed = world.round();
        let read = passed.reads.iter().all(|what| matches!(what, Read::Owner(_)));
        assert!(read && !passed.wrote_beside_status && passed.plan.is_none(), "{:?}", passed.reads);
    }
    assert!(world.writes.is_empty() && world.steps.is_empty() && world.admin_secret.is_none());
    assert!(kept(world) == before, "what is kept of the other changed");
}

fn is_told(world: &World) {
    let valid = world.condition(types::SPEC_VALID);
    assert_eq!((valid.status.as_str(), valid.reason.as_str()), ("False", "ClusterIDTaken"));
    let told = format!("clusterID {ID} belongs to databases/ll2022");
    assert!(valid.message.contains(&told) && valid.message.contains("spec.clusterID"), "{}", valid.message);
    assert_eq!(world.condition(types::READY).status, "False");
}

#[rstest]
#[case::beside_it("databases", "ll2023")]
#[case::where_no_worker_allows_it("others", "x")]
#[case::under_its_name_elsewhere("others", "ll2022")]
fn field_02_a_copied_manifest_gets_nothing(#[case] namespace: &str, #[case] name: &str) {
    let mut world = with_copy(namespace, name, |_| {});
    gets_nothing(&mut world);
    is_told(&world);
    assert_eq!(world.cluster.metadata.finalizers, None, "nothing holds it");
}

#[rstest]
#[case::unprotected(None)]
#[case::with_the_finalizer_of_the_manifest(Some(vec![FINALIZER.to_owned()]))]
fn field_03_its_end_removes_nothing_but_itself(#[case] finalizers: Option<Vec<String>>) {
    let held = finalizers.is_some();
    let mut world = with_copy("others", "x", |copy| {
        copy.metadata.finalizers = finalizers;
        let deletion = json!({"coolOff": "0s", "data": "Delete"});
        copy.spec.deletion = serde_json::from_value(deletion).unwrap();
    });
    gets_nothing(&mut world);
    let before = kept(&world);
    world.delete();
    world.rounds(3);
    assert_eq!(world.released, held, "it is let go at once where anything holds it");
    assert!(kept(&world) == before && world.writes.is_empty() && !world.tombstone);
    world.turn_to("ll2022");
    world.settle();
    assert!(world.admin_secret.is_some() && world.steps.is_empty());
}

#[test]
fn field_02_the_first_is_served_on_beside_its_copy() {
    let mut world = with_copy("databases", "ll2023", |_| {});
    world.rounds(ROUNDS);
    world.turn_to("ll2022");
    world.forget_history();
    world.settle();
    assert!(world.writes.is_empty(), "{:?}", world.writes);
    world.chart_version("1.1.0");
    world.settle();
}

/// Who is older does not matter where the records name the owner.
#[test]
fn field_03_an_older_resource_that_names_the_id_later_gets_nothing() {
    let mut world = with_copy("others", "x", |copy| {
        copy.metadata.creation_timestamp = Some(serde_json::from_value(json!("2020-01-01T00:00:00Z")).unwrap());
    });
    gets_nothing(&mut world);
    is_told(&world);
}

/// The owner is gone, and what is kept of its data is still its own.
#[test]
fn field_03_what_an_ended_database_left_is_not_adopted_by_another() {
    let mut world = World::three();
    world.set(&[("deletion", json!({"coolOff": "0s", "data": "Retain"}))]);
    world.settle();
    world.copy("others", "x", |_| {});
    world.turn_to("ll2022");
    world.delete();
    world.rounds(60);
    assert!(world.released && world.secrets.is_some());
    world.turn_to("x");
    world.forget_history();
    gets_nothing(&mut world);
    is_told(&world);
}

#[test]
fn a_resource_that_is_made_again_adopts_its_database() {
    let mut world = World::three_settled();
    world.cluster.metadata.uid = Some("uid-of-another-fc".to_owned());
    (world.cluster.metadata.finalizers, world.cluster.status) = (None, None);
    world.settle();
    assert!(world.steps.is_empty(), "{:?}", world.steps);
    let owner = world.owner();
    let named = OwnerRecord::of([&world.secrets.as_ref().unwrap().metadata]);
    assert_eq!(named, OwnerRecord::Named(owner.clone()));
    for vdc in ["vdc1", "vdc2", "vdc3"] {
        assert_eq!(world.anchor(vdc).unwrap().resource.as_ref(), Some(&owner), "{vdc}");
    }
}

/// Records from before they named an owner.
fn unnamed() -> World {
    let mut world = World::three_settled();
    world.secrets.as_mut().unwrap().metadata.annotations = None;
    world.revisions.iter_mut().for_each(|revision| revision.metadata.annotations = None);
    world
}

#[test]
fn a_database_from_before_records_named_owners_goes_on_and_is_named() {
    let mut world = unnamed();
    world.settle();
    let named = OwnerRecord::of([&world.secrets.as_ref().unwrap().metadata]);
    assert_eq!(named, OwnerRecord::Named(world.owner()));
    assert!(world.steps.is_empty());
}

#[test]
fn field_03_without_a_name_on_record_the_elder_keeps_it() {
    let mut world = unnamed();
    world.copy("others", "x", |_| {});
    gets_nothing(&mut world);
    is_told(&world);
    world.turn_to("ll2022");
    world.settle();
}

#[test]
fn field_03_a_record_that_names_nobody_is_adopted_by_approval_only() {
    let mut world = unnamed();
    world.copy("others", "x", |_| {});
    world.others.clear();
    let before = kept(&world);
    world.rounds(ROUNDS);
    assert!(kept(&world) == before && world.writes.is_empty());
    // No worker allows its namespace, so that it comes no further than to its finalizer.
    world.worker("vdc1").allowed_namespace = "others".to_owned();
    world.worker("vdc2").allowed_namespace = "others".to_owned();
    world.worker("vdc3").allowed_namespace = "others".to_owned();
    world.rounds(ROUNDS);
    let ready = world.condition(types::READY);
    assert!(["OwnerUnknown", "AnotherResource"].contains(&ready.reason.as_str()), "{ready:?}");
    assert!(kept(&world) == before && world.writes.is_empty());
}

/// Of the anchors only copies from before anchors named their resource are left: they have the name, and no namespace.
#[test]
fn field_03_a_name_alone_proves_nothing_and_the_word_of_an_administrator_does() {
    let mut world = unnamed();
    for vdc in ["vdc1", "vdc2", "vdc3"] {
        let anchor = Anchor { resource: None, ..world.anchor(vdc).unwrap() };
        let [_, copy] = anchors::objects(&anchor, "databases").unwrap();
        world.worker(vdc).put(serde_json::to_value(copy).unwrap());
        world.worker(vdc).remove("ConfigMap", "ll2022-anchor");
    }
    world.rounds(ROUNDS);
    assert!(world.writes.is_empty(), "{:?}", world.writes);
    let ready = world.condition(types::READY);
    assert_eq!(ready.reason, "OwnerUnknown");
    let approval = "FederatedCluster/databases/ll2022";
    let told = format!("kubectl -n kogge-system annotate secret secrets-{ID} {}={approval}", labels::OWNER);
    assert!(ready.message.ends_with(&told), "{}", ready.message);
    let annotations = &mut world.secrets.as_mut().unwrap().metadata.annotations;
    *annotations = Some([(labels::OWNER.to_owned(), approval.to_owned())].into());
    world.settle();
}

#[test]
fn field_03_the_end_of_a_resource_that_nothing_proves_removes_nothing_but_itself() {
    let mut world = unnamed();
    world.copy("others", "x", |copy| {
        copy.metadata.finalizers = Some(vec![FINALIZER.to_owned()]);
        copy.spec.deletion = serde_json::from_value(json!({"coolOff": "0s", "data": "Delete"})).unwrap();
    });
    world.others.clear();
    let before = kept(&world);
    world.delete();
    world.rounds(ROUNDS);
    assert!(world.released && kept(&world) == before && world.writes.is_empty());
}

fn users_secret(name: &str) -> Secret {
    let secret = json!({"metadata": {"name": name}, "data": {"apikey": "c2VjcmV0"}});
    serde_json::from_value(secret).unwrap()
}

#[test]
fn field_04_a_secret_of_the_users_own_stops_a_database_before_its_first_write() {
    let mut world = World::three();
    let users = users_secret("ll2022-admin");
    world.admin_secret = Some(users.clone());
    world.rounds(ROUNDS);
    assert!(world.writes.is_empty() && world.secrets.is_none());
    assert_eq!(world.admin_secret, Some(users));
    let ready = world.condition(types::READY);
    assert_eq!(ready.reason, "SecretTaken");
    assert!(ready.message.contains("Secret databases/ll2022-admin was not made by Kogge"), "{}", ready.message);
    world.admin_secret = None;
    world.settle();
}

#[test]
fn field_04_a_secret_of_the_users_own_is_untouched_until_the_end() {
    let mut world = World::three();
    world.set(&[("deletion", json!({"coolOff": "0s", "data": "Delete"}))]);
    world.settle();
    let users = users_secret("ll2022-admin");
    world.admin_secret = Some(users.clone());
    world.set(&[("security", json!({"rotation": {"passwords": 1}}))]);
    world.rounds(ROUNDS);
    assert_eq!(world.condition(types::READY).reason, "SecretTaken");
    assert!(world.status().available, "the database is served as before");
    world.delete();
    world.rounds(60);
    assert!(world.released && world.secrets.is_none());
    assert_eq!(world.admin_secret, Some(users));
}

#[test]
fn field_04_a_key_of_the_users_own_beside_the_credentials_is_left_alone() {
    let mut world = World::three_settled();
    let data = world.admin_secret.as_mut().unwrap().data.as_mut().unwrap();
    data.extend(users_secret("x").data.unwrap());
    let before = world.admin_secret.clone();
    assert!(world.round().is_settled(), "it is not written again and again");
    assert_eq!(world.admin_secret, before);
}

#[test]
fn field_06_a_manifest_without_the_id_is_accepted_and_the_id_comes_back() {
    let mut world = World::three_settled();
    world.edit(|spec| spec.cluster_id = None);
    world.cluster.metadata.finalizers = None;
    world.settle();
    assert_eq!(world.cluster.spec.cluster_id.as_ref().map(ToString::to_string).as_deref(), Some(ID));
    assert!(world.cluster.metadata.finalizers.is_some() && world.steps.is_empty());
}

#[test]
fn field_06_a_manifest_without_the_id_that_is_deleted_takes_its_database_with_it() {
    let mut world = World::three();
    world.set(&[("deletion", json!({"coolOff": "0s", "data": "Delete"}))]);
    world.settle();
    world.edit(|spec| spec.cluster_id = None);
    world.delete();
    world.rounds(60);
    assert!(world.released && world.secrets.is_none());
}

#[test]
fn field_06_another_id_than_the_recorded_one_is_told_and_changes_nothing() {
    let mut world = World::three_settled();
    world.edit(|spec| spec.cluster_id = Some("zzzzzzzz".parse().unwrap()));
    world.rounds(ROUNDS);
    let valid = world.condition(types::SPEC_VALID);
    assert_eq!((valid.status.as_str(), valid.reason.as_str()), ("False", "ClusterIDChanged"));
    assert!(valid.message.contains(&format!("set spec.clusterID to {ID}")), "{}", valid.message);
    assert!(world.writes.is_empty() && world.steps.is_empty() && world.status().available);
}

/// A FederatedCluster as another tenant of the namespace has it.
fn neighbour(name: &str, placement: &str, status: &Value) -> Database {
    let cluster: FederatedCluster = serde_json::from_value(json!({
        "apiVersion": "kogge.dev/v1alpha1",
        "kind": "FederatedCluster",
        "metadata": {
            "name": name, "namespace": "databases", "uid": "uid-of-neighbour",
            "creationTimestamp": "2020-01-01T00:00:00Z",
        },
        "spec": {"placement": [{"name": placement, "vdc": "vdc1"}]},
        "status": status,
    }))
    .unwrap();
    MongoDb::database(&cluster)
}

fn place_at(world: &mut World, placement: &str) {
    world.set(&[("placement", json!([{"name": placement, "vdc": "vdc1"}, {"name": "vdc2", "vdc": "vdc2"}]))]);
}

#[test]
fn field_07_generated_names_that_meet_are_refused_before_the_first_write() {
    let mut world = World::three();
    place_at(&mut world, "config-a");
    // Its ll2022-shard-0-config-a is a share of config, in placement a; here it is one of shard-0, in config-a.
    world.of_other_kinds.push(neighbour("ll2022-shard-0", "a", &Value::Null));
    world.rounds(ROUNDS);
    assert!(world.writes.is_empty() && world.secrets.is_none() && world.revisions.is_empty());
    let valid = world.condition(types::SPEC_VALID);
    assert_eq!((valid.status.as_str(), valid.reason.as_str()), ("False", "NameTaken"));
    let told = "ll2022-shard-0-config-a of this database would have the name of one of databases/ll2022-shard-0";
    assert!(valid.message.contains(told), "{}", valid.message);
    assert_eq!(names::workload("ll2022", "shard-0", "config-a"), names::workload("ll2022-shard-0", "config", "a"));
    place_at(&mut world, "vdc1");
    world.settle();
}

#[test]
fn field_07_the_elder_keeps_its_names() {
    let mut world = World::three();
    place_at(&mut world, "config-a");
    let mut younger = neighbour("ll2022-shard-0", "a", &Value::Null);
    younger.metadata.creation_timestamp = Some(world.clock());
    world.of_other_kinds.push(younger);
    world.settle();
}

#[test]
fn field_07_a_placement_that_is_added_later_takes_no_name_of_a_younger_one_that_stands() {
    let mut world = World::three_settled();
    let placed = json!({"conditions": [], "placement": {"a": {"ready": 3, "size": 3, "status": "Ready"}}});
    let mut younger = neighbour("ll2022-shard-0", "a", &placed);
    younger.metadata.creation_timestamp = Some(world.clock());
    world.of_other_kinds.push(younger);
    world.settle();
    let mut placement = world.cluster.spec.placement.clone();
    placement.push(serde_json::from_value(json!({"name": "config-a", "vdc": "vdc4"})).unwrap());
    world.register("vdc4");
    world.edit(|spec| spec.placement = placement);
    world.rounds(ROUNDS);
    assert_eq!(world.condition(types::SPEC_VALID).reason, "NameTaken");
    assert!(world.writes.is_empty() && world.status().available);
    // Nor once the status tells of the placement.
    world.worker("vdc4").silent = true;
    world.rounds(ROUNDS);
    world.worker("vdc4").silent = false;
    world.rounds(ROUNDS);
    assert!(world.written_on("vdc4").is_empty());
}

#[test]
fn a_databases_kind_is_that_of_its_resource() {
    let world = World::three();
    assert_eq!(world.owner().kind, "FederatedCluster");
}

/// A database whose end is due.
fn ending() -> World {
    let mut world = World::three();
    world.set(&[("deletion", json!({"coolOff": "0s", "data": "Delete"}))]);
    world.settle();
    world.register("vdc4");
    world
}

/// An object that carries the clusterID, and is no part of the database for that.
fn bait(namespace: &str, more: &Value) -> Value {
    let mut bait = json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "bait", "namespace": namespace, "labels": {labels::CLUSTER_ID: ID}},
    });
    let more = more.as_object().unwrap().clone();
    bait["metadata"]["labels"].as_object_mut().unwrap().extend(more);
    bait
}

#[test]
fn field_03_what_carries_the_label_and_is_no_part_is_neither_pruned_nor_swept() {
    let mut world = ending();
    world.worker("vdc1").put(bait("kogge-system", &json!({labels::CLUSTER: "other"})));
    world.rounds(ROUNDS);
    world.delete();
    world.rounds(60);
    assert!(world.released && world.worker("vdc1").object("ConfigMap", "bait").is_some());
}

#[test]
fn field_03_a_worker_without_an_anchor_that_the_database_was_never_put_on_is_not_swept() {
    let mut world = ending();
    world.worker("vdc4").put(bait("databases", &json!({})));
    world.delete();
    world.rounds(60);
    assert!(!world.released && world.worker("vdc4").object("ConfigMap", "bait").is_some());
    let message = world.condition(types::READY).message;
    assert!(message.contains("worker-vdc4") && message.contains("no anchor"), "{message}");
    world.worker("vdc4").remove("ConfigMap", "bait");
    world.rounds(ROUNDS);
    assert!(world.released);
}

#[test]
fn field_03_a_worker_whose_anchor_is_anothers_is_not_swept() {
    let mut world = ending();
    let anchor = Anchor { owner_uid: "uid-of-another".to_owned(), ..world.anchor("vdc1").unwrap() };
    for object in anchors::objects(&anchor, "databases").unwrap() {
        world.worker("vdc4").put(serde_json::to_value(object).unwrap());
    }
    world.delete();
    world.rounds(60);
    assert!(!world.released && world.worker("vdc4").object("ConfigMap", "ll2022-anchor").is_some());
    let message = world.condition(types::READY).message;
    assert!(message.contains("control cluster with UID uid-of-another"), "{message}");
}
