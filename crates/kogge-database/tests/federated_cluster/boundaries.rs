//! A9, A10 and A12: what belongs to others stays theirs. That owners stand beside what they own, that every object
//! carries our label, and that no secret is told, are laws of the world.

use kogge_api::conditions::database as types;
use kogge_api::labels;
use kogge_database::secrets::DatabaseSecrets;
use kogge_plan::object::label;
use serde_json::json;

use crate::world::{ID, SHARD, World, hidden, kind, name};

#[test]
fn everything_that_stands_carries_our_label() {
    let world = World::three_settled();
    for object in world.workers.values().flat_map(|worker| {
        ["ConfigMap", "Secret", "Service", "StatefulSet", "Deployment", "EndpointSlice", "PersistentVolumeClaim"]
            .into_iter()
            .flat_map(|kind| worker.list(kind))
    }) {
        assert_eq!(label(object, labels::CLUSTER_ID), Some(ID), "{} {}", kind(object), name(object));
    }
}

#[test]
fn a_name_that_another_database_has_is_told_and_the_rest_goes_on() {
    let mut world = World::three();
    let other = json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "ll2022-mongos", "namespace": "databases", "labels": {labels::CLUSTER_ID: "zzzzzzzz"}},
        "spec": {"selector": {"app": "other"}},
    });
    world.worker("vdc2").put(other);
    world.rounds(80);
    let ready = world.condition(types::READY);
    assert_eq!(ready.reason, "NameTaken");
    assert!(ready.message.contains("worker-vdc2") && ready.message.contains("zzzzzzzz"), "{}", ready.message);
    assert!(ready.message.contains("rename the database, or remove that object"), "{}", ready.message);
    assert_eq!(world.servers.voters(SHARD).len(), 3, "the members do not need it");
    assert_eq!(world.status().groups["ll2022-shard-0"].joined, Some(true));
    let theirs = world.worker("vdc2").object("Service", "ll2022-mongos").unwrap();
    assert_eq!(label(theirs, labels::CLUSTER_ID), Some("zzzzzzzz"));

    world.worker("vdc2").remove("Service", "ll2022-mongos");
    world.settle();
}

#[test]
fn a_name_that_a_stranger_has_is_told_and_the_rest_goes_on() {
    let mut world = World::three();
    let stranger = json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "ll2022-mongos", "namespace": "databases"},
        "spec": {"selector": {"app": "other"}},
    });
    world.worker("vdc2").put(stranger);
    world.rounds(80);
    assert_eq!(world.condition(types::READY).reason, "NameTaken");
    assert_eq!(world.servers.voters(SHARD).len(), 3);
    world.worker("vdc2").remove("Service", "ll2022-mongos");
    world.settle();
}

#[test]
fn a12_what_is_kept_and_told_holds_no_secret() {
    let mut world = World::three_settled();
    world.chart_version("1.1.0");
    world.settle();
    let hidden = hidden(&DatabaseSecrets::read(world.secrets.as_ref().unwrap()).unwrap());
    let kept = serde_json::to_string(&world.revisions).unwrap();
    let told = serde_json::to_string(&world.cluster).unwrap();
    let why = format!("{:?} {:?}", world.writes, world.steps);
    for secret in &hidden {
        assert!([&kept, &told, &why].iter().all(|text| !text.contains(secret)));
    }
    let holders = world.workers.values().flat_map(|worker| {
        ["ConfigMap", "Service", "StatefulSet", "Deployment", "Pod"].into_iter().flat_map(|kind| worker.list(kind))
    });
    for object in holders {
        let text = serde_json::to_string(object).unwrap();
        assert!(hidden.iter().all(|secret| !text.contains(secret)), "{}", name(object));
    }
}

#[test]
fn a_secret_that_changed_is_written_again_although_its_bytes_are_never_seen() {
    let mut world = World::three_settled();
    let mut restored = DatabaseSecrets::read(world.secrets.as_ref().unwrap()).unwrap();
    restored.current.keys = vec!["another-key".to_owned()];
    world.secrets = Some(restored.to_secret(&ID.parse().unwrap(), "kogge-system", &world.owner()).unwrap());
    world.settle();
    for vdc in ["vdc1", "vdc2", "vdc3"] {
        assert!(world.written_on(vdc).iter().any(|(kind, _)| kind == "Secret"), "{vdc}");
    }
}
