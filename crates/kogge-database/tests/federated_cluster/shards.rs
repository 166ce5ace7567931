//! Shards that come and go: their data leaves them first, and nothing of them goes before.

use kogge_api::conditions::database as types;
use kogge_mongo::{Action as EngineAction, ShardingAction, Step};
use kogge_plan::{Action, Object};
use proptest::prelude::*;
use serde_json::json;

use crate::world::{Fate, SHARD, World, key, name};

const SECOND: &str = "ll2022-shard-1-abcdefgh";

fn shard_count(world: &mut World, count: u16) {
    world.edit(|spec| spec.shard.shard_count = count);
}

/// Two shards, and databases on both.
fn two() -> World {
    let mut world = World::three();
    shard_count(&mut world, 2);
    world.settle();
    world.servers.routers.write(SHARD, "mail");
    for name in ["shop", "wiki"] {
        world.servers.routers.write(SECOND, name);
    }
    world.forget_history();
    world
}

fn stands(world: &World) -> Vec<String> {
    let objects = world.workers.values().flat_map(|worker| worker.contents().into_keys());
    let of_it = objects.filter(|key| key.name.contains("shard-1"));
    let mut kinds: Vec<String> = of_it.map(|key| key.kind).collect();
    kinds.sort();
    kinds.dedup();
    kinds
}

fn names(steps: &[(usize, Step)]) -> Vec<&'static str> {
    steps.iter().map(|(_, step)| step.action.name()).collect()
}

#[test]
fn a_shard_more_is_added_beside_the_others() {
    let mut world = World::three_settled();
    shard_count(&mut world, 2);
    world.settle();
    assert!(world.servers.routers.lists(SECOND));
    assert_eq!(world.status().groups["ll2022-shard-1"].ready, 3);
    assert_eq!(world.status().groups["ll2022-shard-1"].joined, Some(true));
    assert_eq!(world.status().rollout, None, "to grow is no rollout");
}

#[test]
fn the_database_is_available_while_a_shard_is_added() {
    let mut world = World::three_settled();
    shard_count(&mut world, 2);
    let mut seen_without_a_primary = false;
    for _ in 0..400 {
        world.round();
        let status = world.status();
        let added = status.groups.get("ll2022-shard-1");
        seen_without_a_primary |= added.is_some_and(|set| set.leader.is_none());
        assert!(status.available, "{:?}", status.conditions);
        assert_eq!(world.condition(types::AVAILABLE).status, "True");
        if world.is_ready() {
            break;
        }
    }
    world.settle();
    assert!(seen_without_a_primary && world.servers.routers.lists(SECOND));
}

#[test]
fn a_shard_fewer_gives_its_databases_away_before_its_members_go() {
    let mut world = two();
    shard_count(&mut world, 1);
    world.settle();
    assert_eq!(names(&world.steps), ["RemoveShard", "MovePrimary", "MovePrimary", "RemoveShard"]);
    assert!(!world.servers.routers.lists(SECOND));
    assert_eq!(world.servers.routers.cluster.databases[SHARD].len(), 3);
    assert_eq!(stands(&world), ["PersistentVolumeClaim"], "its claims are kept");
    assert!(!world.status().groups.contains_key("ll2022-shard-1"));
    let anchor = world.anchor("vdc1").unwrap();
    assert!(anchor.record.members.keys().all(|pod| !pod.contains("shard-1")));
    assert_eq!(
        (anchor.record.shard_removals["shard-1"].begun, anchor.record.shard_removals["shard-1"].ended),
        (1, 1)
    );
}

#[test]
fn its_volumes_go_where_the_policy_says_so() {
    let mut world = two();
    world.set(&[("deletion", json!({"coolOff": "1h", "data": "Delete"}))]);
    shard_count(&mut world, 1);
    world.settle();
    assert_eq!(stands(&world), Vec::<String>::new());
}

#[test]
fn its_members_go_only_after_it_was_removed_and_the_anchors_say_so() {
    let mut world = two();
    shard_count(&mut world, 1);
    world.settle();
    let removed = world.steps.iter().rev().find(|(_, step)| step.action.name() == "RemoveShard").unwrap().0;
    let deleted = world.writes.iter().filter(|(_, action)| matches!(action, Action::Delete { .. }));
    let first = deleted.filter(|(_, action)| key(action).name.contains("shard-1")).map(|(pass, _)| *pass).min();
    assert!(first.unwrap() > removed + 1);
}

/// The workers on which the second shard's members are kept.
fn keeping(world: &World) -> usize {
    let second = |object: &&Object| name(object).starts_with("ll2022-shard-1-");
    world.workers.values().filter(|worker| worker.list("StatefulSet").any(|set| second(&set))).count()
}

#[test]
fn its_members_stay_while_an_anchor_tells_of_them() {
    let mut world = two();
    shard_count(&mut world, 1);
    while world.servers.routers.lists(SECOND) {
        world.round();
    }
    world.worker("vdc2").refuses = Some("ConfigMap");
    world.rounds(20);
    let ended = |vdc: &str| world.anchor(vdc).unwrap().record.shard_removals["shard-1"].ended;
    assert_eq!(["vdc1", "vdc2", "vdc3"].map(ended), [1, 0, 1]);
    assert_eq!(keeping(&world), 3);
    world.worker("vdc2").refuses = None;
    world.settle();
    assert_eq!(keeping(&world), 0);
}

#[test]
fn a_shard_that_was_added_again_by_hand_keeps_its_members() {
    let mut world = two();
    let entry = world.servers.routers.shards.iter().find(|shard| shard.name == SECOND).unwrap().clone();
    shard_count(&mut world, 1);
    let is_recorded = |world: &World| {
        let removals = world.anchor("vdc1").unwrap().record.shard_removals;
        removals.get("shard-1").is_some_and(|turns| turns.ended == 1)
    };
    while !is_recorded(&world) {
        world.round();
    }
    world.servers.routers.shards.push(entry);
    world.rounds(20);
    assert_eq!(keeping(&world), 3, "what the routers list holds data, whatever the anchors say");
    world.servers.routers.shards.retain(|shard| shard.name != SECOND);
    world.settle();
    assert_eq!(keeping(&world), 0);
}

#[test]
fn the_status_tells_how_far_the_drain_is_and_names_the_databases() {
    let mut world = two();
    world.servers.routers.cluster.balancer_on = Some(false);
    let left = kogge_mongo::Chunks { total: 12, jumbo: 0 };
    world.servers.routers.cluster.chunks.insert(SECOND.to_owned(), left);
    shard_count(&mut world, 1);
    world.rounds(20);
    let draining = world.status().groups["ll2022-shard-1"].draining.clone().unwrap();
    assert_eq!((draining.databases, draining.chunks), (vec!["shop".to_owned(), "wiki".to_owned()], 12));
    let waiting = world.status().waiting_for.unwrap();
    assert!(waiting.contains("the balancer") || waiting.contains("12 chunks remain"), "{waiting}");
    assert_eq!(world.condition(types::READY).status, "False");
    let writes = world.writes.len();
    let status = world.status();
    world.rounds(10);
    assert_eq!((world.writes.len(), world.status()), (writes, status), "nothing changes while nothing happens");
    world.servers.routers.cluster.chunks.clear();
    world.settle();
    assert!(!world.servers.routers.lists(SECOND));
}

#[test]
fn a_removal_that_has_begun_is_carried_to_its_end_and_its_data_never_joined_again() {
    let mut world = two();
    shard_count(&mut world, 1);
    while !world.steps.iter().any(|(_, step)| step.action.name() == "RemoveShard") {
        world.round();
    }
    shard_count(&mut world, 2);
    world.rounds(40);
    assert!(!world.servers.routers.lists(SECOND));
    assert!(stands(&world).contains(&"StatefulSet".to_owned()), "it is wanted");
    let ready = world.condition(types::READY);
    assert_eq!(ready.reason, "StaleData");
    assert!(
        ready.message.contains("delete the PersistentVolumeClaims of ll2022-shard-1-vdc1-0"),
        "{}",
        ready.message
    );
    world.servers.wipe(SECOND);
    world.settle();
    assert!(world.servers.routers.lists(SECOND));
}

#[test]
fn the_claims_of_a_shard_that_was_removed_are_not_used_again() {
    let mut world = two();
    shard_count(&mut world, 1);
    world.settle();
    shard_count(&mut world, 2);
    world.rounds(40);
    assert!(!world.servers.routers.lists(SECOND));
    assert_eq!(world.condition(types::READY).reason, "StaleData");
}

#[test]
fn a_shard_stays_while_a_placement_is_not_seen() {
    let mut world = two();
    shard_count(&mut world, 1);
    world.round();
    world.worker("vdc3").silent = true;
    world.rounds(60);
    assert_eq!(world.worker("vdc1").list("StatefulSet").count(), 3);
    world.worker("vdc3").silent = false;
    world.settle();
    assert_eq!(world.worker("vdc3").list("StatefulSet").count(), 2);
}

#[test]
fn the_balancer_rests_while_a_rollout_goes_on() {
    let mut world = two();
    world.servers.routers.cluster.balancer_on = Some(true);
    world.chart_version("1.1.0");
    world.settle();
    let all = names(&world.steps);
    let at = |name| all.iter().position(|known| *known == name).unwrap();
    let first_restart =
        world.writes.iter().find(|(_, action)| matches!(action, Action::Delete { key, .. } if key.kind == "Pod"));
    let stopped = world.steps[at("StopBalancer")].0;
    assert!(stopped < first_restart.unwrap().0);
    assert_eq!(
        all.iter().filter(|name| **name == "StopBalancer").count(),
        1,
        "it rests between the shares as well"
    );
    assert_eq!(world.servers.routers.cluster.balancer_on, Some(true));
    let pauses = world.anchor("vdc1").unwrap().record.balancer_pauses;
    assert_eq!((pauses.begun, pauses.ended), (1, 1));
}

#[test]
fn the_feature_version_is_raised_when_the_spec_says_so() {
    let mut world = World::three_settled();
    world.servers.routers.cluster.feature_compatibility_version = Some("6.0".to_owned());
    world.rounds(3);
    assert_eq!(world.status().data_version.as_deref(), Some("6.0"));
    world.edit(|spec| spec.global.feature_compatibility_version = Some("7.0".to_owned()));
    world.settle();
    assert_eq!(world.status().data_version.as_deref(), Some("7.0"));
    assert!(world.steps.iter().any(|(_, step)| matches!(&step.action,
        EngineAction::Sharding { step: ShardingAction::SetFeatureCompatibilityVersion { version, .. } } if version == "7.0")));
}

#[derive(Clone, Debug)]
struct Round {
    fate: Fate,
    seconds: usize,
}

fn round() -> impl Strategy<Value = Round> {
    let killed = (prop::collection::vec(0_usize..6, 3), 0_usize..2);
    let fate = prop_oneof![
        1 => Just(Fate::Lives),
        2 => killed.prop_map(|(writes, steps)| Fate::Killed { writes, steps }),
    ];
    (fate, 0_usize..3).prop_map(|(fate, seconds)| Round { fate, seconds })
}

fn live_through(world: &mut World, rounds: &[Round]) {
    for Round { fate, seconds } in rounds {
        world.observe_some(&[true; 8]);
        world.pass(fate);
        (0..*seconds).for_each(|_| world.tick());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, max_shrink_iters: 40, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a06_a_shard_comes_and_goes_though_the_operator_is_killed_anywhere(
        up in prop::collection::vec(round(), 0..40),
        down in prop::collection::vec(round(), 0..60),
    ) {
        let mut world = World::three_settled();
        shard_count(&mut world, 2);
        live_through(&mut world, &up);
        world.settle();
        prop_assert!(world.servers.routers.lists(SECOND));
        world.servers.routers.write(SECOND, "shop");
        shard_count(&mut world, 1);
        live_through(&mut world, &down);
        world.settle();
        prop_assert!(!world.servers.routers.lists(SECOND));
        prop_assert!(world.servers.routers.cluster.databases[SHARD].contains("shop"));
        prop_assert_eq!(stands(&world), ["PersistentVolumeClaim"]);
    }

    #[test]
    fn a06_a_placement_goes_though_the_operator_is_killed_anywhere(rounds in prop::collection::vec(round(), 0..80)) {
        let mut world = World::new(&["vdc1", "vdc2", "vdc3", "vdc4"]);
        world.settle();
        world.edit(|spec| spec.placement.retain(|placement| placement.name != "vdc4"));
        live_through(&mut world, &rounds);
        world.settle();
        let left: Vec<String> = world.worker("vdc4").contents().into_keys().map(|key| key.kind).collect();
        prop_assert_eq!(left, ["PersistentVolumeClaim"; 2]);
    }
}
