//! A1 and A2: nothing goes on doubt, and data outlives everything. That no StatefulSet, claim, Secret or anchor is
//! ever deleted of what is a part of the database is a law of the world, so here it is enough to provoke it.

use kogge_api::conditions::database as types;
use kogge_api::labels;
use kogge_database::report::Problem;
use kogge_plan::Action;
use rstest::rstest;
use serde_json::json;

use crate::world::{CONFIG, ID, SHARD, World, key};

fn four() -> World {
    let mut world = World::new(&["vdc1", "vdc2", "vdc3", "vdc4"]);
    world.settle();
    world.forget_history();
    world
}

fn deleted(world: &World) -> Vec<String> {
    let deletions = world.writes.iter().filter(|(_, action)| matches!(action, Action::Delete { .. }));
    deletions.map(|(_, action)| key(action).to_string()).collect()
}

#[test]
fn a_placement_that_is_taken_out_leaves_the_sets_and_keeps_its_data() {
    let mut world = four();
    world.edit(|spec| spec.placement.retain(|placement| placement.name != "vdc4"));
    world.settle();
    for set in [CONFIG, SHARD] {
        assert_eq!(world.servers.config(set).members.len(), 3);
        assert_eq!(world.servers.voters(set).len(), 3);
    }
    let left: Vec<String> = world.worker("vdc4").contents().into_keys().map(|key| key.kind).collect();
    assert_eq!(left, ["PersistentVolumeClaim"; 2], "nothing but its volumes");
    assert!(world.anchor("vdc1").unwrap().record.members.keys().all(|pod| !pod.contains("vdc4")));
}

#[test]
fn what_is_left_of_a_placement_does_not_hold_up_a_rollout() {
    let mut world = four();
    world.edit(|spec| spec.placement.retain(|placement| placement.name != "vdc4"));
    world.settle();
    world.chart_version("1.1.0");
    world.settle();
    assert_eq!(world.status().chart_version.as_deref(), Some("1.1.0"));
}

#[test]
fn a_placement_that_is_taken_out_leaves_nothing_where_the_policy_says_so() {
    let mut world = four();
    world.set(&[("deletion", json!({"coolOff": "1h", "data": "Delete"}))]);
    world.edit(|spec| spec.placement.retain(|placement| placement.name != "vdc4"));
    world.settle();
    assert!(world.worker("vdc4").contents().is_empty());
}

#[test]
fn a_placement_that_is_taken_out_is_cleared_when_its_worker_answers_again() {
    let mut world = four();
    world.worker("vdc4").silent = true;
    world.edit(|spec| spec.placement.retain(|placement| placement.name != "vdc4"));
    world.settle();
    assert_eq!(world.worker("vdc4").list("StatefulSet").count(), 2);
    world.worker("vdc4").silent = false;
    world.round();
    world.settle();
    assert_eq!(world.worker("vdc4").list("StatefulSet").count(), 0);
}

#[test]
fn a_placement_that_is_taken_out_stays_while_its_members_cannot_leave() {
    let mut world = four();
    let (reason, message) = ("HostUnreachable".to_owned(), "no".to_owned());
    world.refused.insert("RemoveMember", Problem::Refused { reason, message });
    world.edit(|spec| spec.placement.retain(|placement| placement.name != "vdc4"));
    world.rounds(30);
    assert_eq!(world.worker("vdc4").list("StatefulSet").count(), 2);
    assert_eq!(world.worker("vdc4").list("Deployment").count(), 1, "nothing of it goes before they left");
    world.refused.clear();
    world.settle();
    assert_eq!(world.worker("vdc4").list("StatefulSet").count(), 0);
}

#[rstest]
#[case::silent(|world: &mut World, unseen| world.worker("vdc2").silent = unseen)]
#[case::not_wholly_listed(|world: &mut World, unseen| world.worker("vdc2").listing = unseen)]
fn a_placement_that_is_taken_out_stays_while_another_is_not_seen(#[case] lose: fn(&mut World, bool)) {
    let mut world = four();
    world.edit(|spec| spec.placement.retain(|placement| placement.name != "vdc4"));
    for _ in 0..100 {
        world.round();
        if world.servers.config(SHARD).members.len() == 3 && world.servers.config(CONFIG).members.len() == 3 {
            break;
        }
    }
    lose(&mut world, true);
    world.rounds(20);
    assert_eq!(world.worker("vdc4").list("StatefulSet").count(), 2);
    lose(&mut world, false);
    world.settle();
    assert_eq!(world.worker("vdc4").list("StatefulSet").count(), 0);
}

#[test]
fn a_placement_that_comes_back_joins_again() {
    let mut world = four();
    let all = world.cluster.spec.placement.clone();
    world.edit(|spec| spec.placement.retain(|placement| placement.name != "vdc4"));
    world.settle();
    world.edit(|spec| spec.placement = all);
    world.settle();
    assert_eq!(world.servers.config(SHARD).members.len(), 4);
}

#[test]
fn a_placement_may_come_back_at_any_moment_while_it_goes() {
    for rounds in (0..30).step_by(3) {
        let mut world = four();
        let all = world.cluster.spec.placement.clone();
        world.edit(|spec| spec.placement.retain(|placement| placement.name != "vdc4"));
        world.rounds(rounds);
        world.edit(|spec| spec.placement.clone_from(&all));
        world.settle();
        assert_eq!(world.servers.config(SHARD).members.len(), 4, "after {rounds} rounds");
        assert_eq!(world.worker("vdc4").list("StatefulSet").count(), 2);
    }
}

#[rstest]
#[case::silent(|world: &mut World| world.worker("vdc3").silent = true)]
#[case::partial_view(|world: &mut World| world.worker("vdc3").listing = true)]
#[case::not_registered(|world: &mut World| drop(world.workers.remove(&"worker-vdc3".into())))]
#[case::namespace_not_allowed(|world: &mut World| world.worker("vdc3").allowed_namespace = "others".to_owned())]
#[case::another_cluster_behind_it(|world: &mut World| world.worker("vdc3").uid = "uid-of-a-stranger".to_owned())]
fn a_worker_that_is_lost_loses_nothing(#[case] lose: fn(&mut World)) {
    let mut world = World::three_settled();
    lose(&mut world);
    world.set(&[("mongos", json!({"replicasPerPlacement": 2}))]);
    world.rounds(20);
    assert!(world.written_on("vdc1").iter().any(|(kind, _)| kind == "Deployment"), "the others go on");
    assert_eq!(deleted(&world), Vec::<String>::new());
    assert!(!world.is_ready() && world.servers.voters(SHARD).len() == 3);
    assert!(world.written_on("vdc3").is_empty());
    assert!(world.status().waiting_for.unwrap().contains("vdc3"));
}

/// Where no anchor is in sight, the status alone knows where the database was put.
#[test]
fn other_clusters_behind_all_workers_get_no_second_database() {
    let mut world = World::three_settled();
    for vdc in ["vdc1", "vdc2", "vdc3"] {
        world.register(vdc);
        world.worker(vdc).uid = format!("uid-of-a-stranger-in-{vdc}");
    }
    world.rounds(20);
    assert!(world.writes.is_empty() && world.steps.is_empty(), "{:?} {:?}", world.writes, world.steps);
    assert_eq!(world.condition(types::READY).reason, "WorkerReplaced");
}

#[test]
fn a_worker_that_lost_everything_is_filled_again() {
    let mut world = World::three_settled();
    let picture = world.picture();
    let names: Vec<(String, String)> = world.picture().into_keys().map(|(_, key)| (key.kind, key.name)).collect();
    for (kind, name) in names {
        world.worker("vdc2").remove(&kind, &name);
    }
    world.round();
    world.settle();
    assert_eq!(deleted(&world), Vec::<String>::new());
    assert_eq!(world.picture(), picture);
}

/// The hash that the resource is to be annotated with.
fn asked_for(world: &World) -> String {
    let needed = world.condition(types::APPROVAL_NEEDED);
    assert_eq!(needed.status, "True", "{needed:?}");
    needed.message.rsplit('=').next().unwrap().to_owned()
}

#[test]
fn field_27_replacing_every_placement_at_once_waits_for_an_approval() {
    let mut world = World::three_settled();
    world.register("vdc4");
    let before = world.picture();
    let present = world.cluster.spec.placement.clone();
    world.set(&[("placement", json!([{"name": "vdc4", "vdc": "vdc4"}]))]);
    world.rounds(10);
    assert!(world.steps.is_empty(), "{:?}", world.steps);
    let written: Vec<_> = ["vdc1", "vdc2", "vdc3"].iter().flat_map(|vdc| world.written_on(vdc)).collect();
    assert!(written.iter().all(|(kind, _)| kind == "EndpointSlice"), "{written:?}");
    let there = (world.written_on("vdc4"), world.worker("vdc4").contents());
    assert!(there.0.is_empty() && there.1.is_empty(), "{there:?}");
    assert_eq!(world.picture(), before);
    let needed = world.condition(types::APPROVAL_NEEDED);
    assert_eq!(needed.reason, "ReplacesAllMembers");
    for part in ["every present member that can lead leaves config, shard-0", "ll2022-shard-0-vdc2-0"] {
        assert!(needed.message.contains(part), "{}", needed.message);
    }
    assert_eq!(world.condition(types::READY).reason, "ApprovalNeeded");
    assert_eq!(world.condition(types::AVAILABLE).status, "True");

    world.edit(|spec| spec.placement.clone_from(&present));
    world.settle();
    assert_eq!(world.picture(), before, "the edit is taken back");

    world.set(&[("placement", json!([{"name": "vdc4", "vdc": "vdc4"}]))]);
    world.rounds(3);
    let hash = asked_for(&world);
    world.annotate(labels::APPROVE, Some(&hash));
    world.settle();
    for set in [CONFIG, SHARD] {
        assert_eq!(world.servers.config(set).members.len(), 1);
    }
}

/// What the workers remember that all placements left is not known, so nothing begins elsewhere.
#[test]
fn field_27_no_second_database_begins_while_those_that_were_left_are_not_seen() {
    let mut world = World::three_settled();
    world.register("vdc4");
    for vdc in ["vdc1", "vdc2", "vdc3"] {
        world.worker(vdc).listing = true;
    }
    world.set(&[("placement", json!([{"name": "vdc4", "vdc": "vdc4"}]))]);
    world.rounds(10);
    assert!(world.written_on("vdc4").is_empty() && world.steps.is_empty(), "{:?}", world.steps);
    assert!(world.condition(types::READY).message.contains("worker-vdc1"));
    for vdc in ["vdc1", "vdc2", "vdc3"] {
        world.worker(vdc).listing = false;
    }
    world.rounds(5);
    assert_eq!(world.condition(types::APPROVAL_NEEDED).reason, "ReplacesAllMembers");
}

#[test]
fn field_27_one_placement_that_stays_needs_no_approval_unless_it_cannot_lead() {
    let mut world = World::three_settled();
    world.edit(|spec| spec.placement.truncate(1));
    world.settle();
    let mut world = World::three_settled();
    world.register("vdc4");
    world.set(&[(
        "placement",
        json!([
            {"name": "vdc1", "vdc": "vdc1", "role": "ReadOnly"}, {"name": "vdc4", "vdc": "vdc4"},
        ]),
    )]);
    world.rounds(10);
    assert_eq!(world.condition(types::APPROVAL_NEEDED).reason, "ReplacesAllMembers");
    assert!(world.steps.is_empty(), "{:?}", world.steps);
}

fn leave_behind(world: &mut World, count: usize) {
    for index in 0..count {
        world.worker("vdc1").put(json!({
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {
                "name": format!("left-{index}"), "namespace": "databases",
                "labels": {labels::CLUSTER_ID: ID, labels::PLACEMENT: "vdc1"},
            },
            "data": {},
        }));
    }
}

#[test]
fn a_little_that_is_not_wanted_any_more_goes() {
    let mut world = World::three_settled();
    leave_behind(&mut world, 2);
    world.settle();
    assert_eq!(deleted(&world).len(), 2);
}

#[test]
fn a_lot_waits_for_a_person() {
    let mut world = World::three_settled();
    leave_behind(&mut world, 20);
    world.rounds(5);
    assert!(deleted(&world).is_empty() && !world.is_ready());
    let needed = world.condition(types::APPROVAL_NEEDED);
    assert_eq!(needed.status, "True");
    let hash = needed.message.rsplit('=').next().unwrap().to_owned();
    world.annotate(labels::APPROVE, Some("0000000000000000"));
    world.rounds(3);
    assert!(deleted(&world).is_empty(), "another approval");
    world.annotate(labels::APPROVE, Some(&hash));
    world.settle();
    assert_eq!(deleted(&world).len(), 20);
}

#[test]
fn nothing_goes_while_not_everything_is_rendered() {
    let mut world = World::three_settled();
    leave_behind(&mut world, 2);
    world.chart_version("9.9.9");
    world.rounds(5);
    assert!(deleted(&world).is_empty());
}
