//! The end of an etcd cluster: it runs on through its cool-off, and goes only where that was wanted.

use std::collections::BTreeSet;

use kogge_api::labels;
use kogge_database::pass::Endings;
use serde_json::json;

use crate::world::{Fate, ID, Worker, World};

fn deleted(cool_off: &str, data: &str) -> World {
    let mut world = World::three();
    world.set(&[("deletion", json!({"coolOff": cool_off, "data": data}))]);
    world.settle();
    world.forget_history();
    world.delete();
    world
}

fn until_released(world: &mut World) {
    for _ in 0..60 {
        world.round();
        if world.released {
            return;
        }
    }
    panic!("it waits for {:?}", world.status().waiting_for);
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
    until_released(&mut world);
    assert_eq!(standing(&world), [""; 0]);
    assert!(world.secrets.is_none() && world.revisions.is_empty() && !world.tombstone);
}

#[test]
fn volumes_stay_where_the_policy_says_so() {
    let mut world = deleted("0s", "Retain");
    until_released(&mut world);
    assert_eq!(standing(&world), ["PersistentVolumeClaim"]);
    assert!(world.secrets.is_some());
}

#[test]
fn an_accident_halts_it() {
    let mut world = deleted("5s", "Delete");
    world.end(Endings { namespace: true, definition: false });
    world.rounds(30);
    assert!(world.writes.is_empty() && !world.released && !world.tombstone);
    assert_eq!(world.condition("DeletionPending").reason, "Halted");
}

#[test]
fn killed_anywhere_it_ends() {
    let mut world = deleted("3s", "Delete");
    for pass in 0..60 {
        world.observe();
        world.pass(&Fate::Killed { writes: vec![pass % 2, (pass + 1) % 3, 1], steps: 0 });
        world.tick();
    }
    until_released(&mut world);
    assert_eq!(standing(&world), [""; 0]);
}
