//! Turns: what another database has under way in a vdc holds up what this one would begin there, and nothing else.

use std::cell::RefCell;
use std::collections::BTreeMap;

use kogge_api::ClusterId;
use kogge_database::queue::{Demand, Queue};
use kogge_mongo::{Action, Vdc};

use crate::world::World;

fn other() -> ClusterId {
    "zzzzzzzz".parse().unwrap()
}

/// One set at a time, and another database's set is being changed in this vdc for ever.
fn occupied(vdc: &str) -> RefCell<Queue> {
    let under_way = BTreeMap::from([("other".into(), [Vdc::new(vdc)].into())]);
    let mut queue = Queue::new(1);
    queue.ask(&other(), Demand { under_way, ..Demand::default() }, u64::MAX);
    RefCell::new(queue)
}

fn free(world: &World) {
    world.turns.as_ref().unwrap().borrow_mut().forget(&other());
}

fn waits_for_its_turn(world: &World) {
    let status = world.status();
    assert!(status.groups.values().any(|set| set.in_queue), "{:#?}", status.groups);
    let waits = status.waiting_for.unwrap_or_default();
    assert!(waits.contains("is queued"), "{waits}");
    assert!(!world.is_ready());
}

#[test]
fn one_set_at_a_time_reaches_the_same() {
    let mut world = World::three();
    world.turns = Some(RefCell::new(Queue::new(1)));
    world.settle();
    assert!(world.status().groups.values().all(|set| !set.in_queue));
}

#[test]
fn a_member_joins_when_its_vdc_has_a_turn_for_it() {
    let mut world = World::three();
    world.turns = Some(occupied("vdc2"));
    world.rounds(60);
    waits_for_its_turn(&world);
    let added: Vec<&str> = world
        .steps
        .iter()
        .filter_map(|(_, step)| match &step.action {
            Action::AddMember { member, .. } => Some(member.host.as_str()),
            _ => None,
        })
        .collect();
    assert!(added.iter().all(|host| !host.contains("-vdc2-")), "{added:?}");
    free(&world);
    world.settle();
}

#[test]
fn a_member_restarts_when_its_vdc_has_a_turn_for_it() {
    let mut world = World::three_settled();
    let running = |world: &World| -> Vec<Option<String>> {
        let pods = ["ll2022-config-vdc1-0", "ll2022-shard-0-vdc1-0"];
        let worker = world.workers.values().find(|worker| worker.vdc == "vdc1").unwrap();
        pods.iter().map(|pod| worker.object("Pod", pod).and_then(|pod| pod.metadata.uid.clone())).collect()
    };
    let before = running(&world);
    world.turns = Some(occupied("vdc1"));
    world.chart_version("1.1.0");
    world.rounds(60);
    waits_for_its_turn(&world);
    assert_eq!(running(&world), before);
    free(&world);
    world.settle();
    assert_ne!(running(&world), before);
}
