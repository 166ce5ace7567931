//! The end of a database: it runs on through its cool-off, and is torn down only where that is what was wanted.

use std::collections::BTreeSet;

use kogge_api::labels;
use kogge_database::pass::Endings;
use proptest::prelude::*;
use rstest::rstest;
use serde_json::json;

use crate::world::{Fate, ID, Worker, World, live_through, name, round};

/// Rounds within which a teardown is over.
const ROUNDS: usize = 60;

fn deleted(cool_off: &str, data: &str) -> World {
    let mut world = World::three();
    world.set(&[("deletion", json!({"coolOff": cool_off, "data": data}))]);
    world.settle();
    world.forget_history();
    world.delete();
    world
}

fn until_released(world: &mut World) {
    let rounds = (0..ROUNDS).take_while(|_| {
        world.round();
        !world.released
    });
    let rounds = rounds.count();
    assert!(world.released, "after {rounds} rounds it waits for {:?}", world.status().waiting_for);
}

/// The kinds of our objects that stand on any worker.
fn standing(world: &World) -> Vec<String> {
    let all = world.workers.values().flat_map(Worker::contents);
    let ours = all.filter(|(_, value)| value["metadata"]["labels"][labels::CLUSTER_ID] == ID);
    ours.map(|(key, _)| key.kind).collect::<BTreeSet<_>>().into_iter().collect()
}

#[test]
fn it_runs_on_through_its_cool_off_and_then_goes() {
    let mut world = deleted("30s", "Delete");
    world.rounds(20);
    assert!(world.writes.is_empty() && world.is_ready() && !world.tombstone);
    assert_eq!(world.condition("DeletionPending").reason, "CoolingOff");
    assert!(world.events.iter().any(|event| event.reason == "DeletionPending"));
    until_released(&mut world);
    assert_eq!(standing(&world), [""; 0]);
    let kept = (world.revisions.len(), world.secrets.is_some(), world.admin_secret.is_some(), world.tombstone);
    assert_eq!(kept, (0, false, false, false));
}

#[test]
fn volumes_that_are_kept_keep_what_opens_them() {
    let mut world = deleted("0s", "Retain");
    until_released(&mut world);
    assert_eq!(standing(&world), ["PersistentVolumeClaim"]);
    assert!(world.secrets.is_some() && world.admin_secret.is_none());
}

#[rstest]
#[case::by_its_namespace(Endings { namespace: true, definition: false }, "namespace databases is being deleted")]
#[case::by_its_definition(Endings { namespace: false, definition: true }, "is being deleted")]
fn an_accident_halts_it(#[case] endings: Endings, #[case] cause: &str) {
    let mut world = deleted("5s", "Delete");
    world.end(endings);
    world.rounds(30);
    assert!(world.writes.is_empty() && !world.released && !world.tombstone);
    let pending = world.condition("DeletionPending");
    assert!(pending.reason == "Halted" && pending.message.contains(cause), "{pending:?}");
    assert_eq!(world.events.iter().filter(|event| event.reason == "DeletionHalted").count(), 1);
    let pod = name(world.worker("vdc3").list("Pod").next().unwrap()).to_owned();
    world.worker("vdc3").remove("Pod", &pod);
    world.rounds(3);
    assert!(world.status().available, "the database is served as before");
}

#[test]
fn a_worker_that_is_not_seen_is_waited_for() {
    let mut world = deleted("0s", "Delete");
    world.worker("vdc2").silent = true;
    world.rounds(ROUNDS);
    assert!(!world.released && world.tombstone);
    assert_eq!(world.condition("Ready").reason, "TearingDown");
    assert!(world.condition("Ready").message.contains("worker-vdc2"));
    assert!(world.worker("vdc2").list("StatefulSet").next().is_some());
    world.worker("vdc2").silent = false;
    until_released(&mut world);
}

#[test]
fn no_secret_is_made_beside_a_resource_that_is_being_deleted() {
    let mut world = deleted("30s", "Delete");
    world.admin_secret = None;
    world.rounds(5);
    assert_eq!(world.admin_secret, None, "its namespace may be going, too, and takes no new object");
    assert!(world.status().available);
}

#[test]
fn what_the_status_does_not_name_goes_as_well() {
    let mut world = deleted("0s", "Delete");
    world.cluster.status.as_mut().unwrap().placement.remove("vdc3");
    until_released(&mut world);
    assert_eq!(standing(&world), [""; 0]);
}

#[test]
fn one_that_was_never_written_is_released_at_once() {
    let mut world = World::three();
    world.pass(&Fate::Lives);
    world.set(&[("deletion", json!({"coolOff": "0s"}))]);
    world.delete();
    world.worker("vdc2").silent = true;
    until_released(&mut world);
    assert!(world.writes.is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, max_shrink_iters: 40, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a06_it_ends_though_the_operator_is_killed_anywhere(rounds in prop::collection::vec(round(), 0..60)) {
        let mut world = deleted("3s", "Delete");
        live_through(&mut world, &rounds);
        until_released(&mut world);
        prop_assert_eq!(standing(&world), [""; 0]);
    }
}
