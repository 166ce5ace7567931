//! The sharded cluster through its life: shards that come and go, the balancer, versions and defaults.

use std::collections::BTreeMap;

use kogge_mongo::{
    Action, BalancerWindow, Chunks, ClusterState, CollectionChunks, FindingKind, KeptRanges, MemberAnchor,
    OBSERVATION_MAX_AGE, PodName, Replication, RouterGoal, RouterServer, Server, SetName, SetRole, ShardingAction,
    Step, plan,
};

use crate::support::{SHARD, World, voters};

const CONFIG: &str = "ll-config-7f3k2m9q";
const SECOND: &str = "ll-shard-1-7f3k2m9q";
const THIRD: &str = "ll-shard-2-7f3k2m9q";
const SHAPE: &[(&str, u32)] = &[("vdc1", 1), ("vdc2", 1), ("vdc3", 1)];

/// A settled cluster of that many shards, its balancer on.
pub(crate) fn cluster(shards: u32) -> World {
    let mut world = World::shard(SHAPE);
    world.want(CONFIG, SetRole::Config, &voters(SHAPE));
    for (index, name) in [SHARD, SECOND, THIRD].into_iter().enumerate().take(shards as usize).skip(1) {
        world.want(name, SetRole::Shard { index: index as u32 }, &voters(SHAPE));
    }
    world.cluster = ClusterState {
        balancer_on: Some(true),
        feature_compatibility_version: Some("6.0".to_owned()),
        default_write_concern: Some(true),
        ..ClusterState::default()
    };
    world.run_until_settled(400);
    world
}

fn retire(world: &mut World, set: &str) {
    world.goal.sets.iter_mut().find(|goal| goal.name.as_str() == set).unwrap().retired = true;
}

fn database(world: &mut World, shard: &str, name: &str) {
    world.cluster.databases.entry(shard.to_owned()).or_default().insert(name.to_owned());
}

pub(crate) fn names(steps: &[Step]) -> Vec<&'static str> {
    steps.iter().map(|step| step.action.name()).collect()
}

fn listed(world: &World) -> Vec<&str> {
    world.shards.iter().map(|shard| shard.name.as_str()).collect()
}

pub(crate) fn findings(world: &World) -> Vec<FindingKind> {
    world.plan().findings.iter().map(|finding| finding.kind).collect()
}

pub(crate) fn waits(world: &World) -> String {
    let waiting: Vec<String> = world.plan().waiting.iter().map(ToString::to_string).collect();
    waiting.join("; ")
}

#[test]
fn a_shard_is_added_when_it_has_a_primary_and_a_router_serves() {
    let mut world = cluster(1);
    world.want(SECOND, SetRole::Shard { index: 1 }, &voters(SHAPE));
    let steps = world.run_until_settled(100);
    assert_eq!(listed(&world), [SHARD, SECOND]);
    let hosts = steps.iter().find_map(|step| match &step.action {
        Action::AddShard { hosts, .. } => Some(hosts.len()),
        _ => None,
    });
    assert_eq!(hosts, Some(3), "routers look for it at every member");

    world.shards.pop();
    world.set(SECOND).primary = None;
    assert!(world.plan().steps.is_empty(), "without a primary it is not added: {:?}", world.plan().steps);
}

#[test]
fn what_no_router_lists_does_not_take_the_database_away() {
    let mut world = cluster(1);
    world.want(SECOND, SetRole::Shard { index: 1 }, &voters(SHAPE));
    let plan = world.plan();
    assert_eq!(plan.sets[SECOND].primary, None);
    assert!(plan.available() && !plan.every_set_has_a_primary());

    // A shard that is listed counts, and so does the first one before it is.
    world.run_until_settled(100);
    world.set(SECOND).primary = None;
    assert!(!world.plan().available(), "a shard that serves nothing");
    let mut alone = cluster(1);
    alone.shards.clear();
    assert!(!alone.plan().available(), "a database without a shard");
}

#[test]
fn case_45_a_shard_is_drained_before_it_goes() {
    let mut world = cluster(2);
    database(&mut world, SECOND, "shop");
    database(&mut world, SECOND, "wiki");
    world.cluster.chunks.insert(SECOND.to_owned(), Chunks { total: 3, jumbo: 0 });
    retire(&mut world, SECOND);
    let steps = world.run_until_settled(50);
    let expected = ["RecordDrain", "RemoveShard", "MovePrimary", "MovePrimary", "RemoveShard", "RecordRemoval"];
    assert_eq!(names(&steps), expected);
    assert_eq!(listed(&world), [SHARD]);
    assert_eq!(world.cluster.databases[SHARD].len(), 2);
    assert_eq!(world.goal.sets.len(), 2, "nothing is remembered of it but that it was removed");
}

#[test]
fn case_45_a_restart_in_the_middle_goes_on_where_it_was() {
    // The plan has no memory: whatever the world holds, the next plan takes it from there.
    for stop_after in 0..6 {
        let mut world = cluster(2);
        database(&mut world, SECOND, "shop");
        retire(&mut world, SECOND);
        for _ in 0..stop_after {
            let plan = world.plan();
            // Killed before the last of what was planned.
            for step in plan.steps.iter().rev().skip(1) {
                world.apply(step);
            }
            if let Some(step) = plan.steps.last() {
                world.apply(step);
                if matches!(step.action, Action::Sharding { step: ShardingAction::RemoveShard { .. } }) {
                    // Its answer was lost, and it is asked again.
                    world.apply(step);
                }
            }
            if !listed(&world).contains(&SECOND) {
                break;
            }
        }
        world.run_until_settled(50);
        assert_eq!(listed(&world), [SHARD], "stopped after {stop_after}");
        assert_eq!(world.cluster.databases[SHARD].len(), 1);
    }
}

#[test]
fn case_45_the_databases_to_move_are_named_and_the_progress_is_told() {
    let mut world = cluster(2);
    for name in ["a", "b", "c", "d", "e", "f", "g"] {
        database(&mut world, SECOND, name);
    }
    world.cluster.balancer_on = Some(false);
    world.cluster.chunks.insert(SECOND.to_owned(), Chunks { total: 12, jumbo: 0 });
    retire(&mut world, SECOND);
    for _ in 0..3 {
        for step in world.plan().steps {
            world.apply(&step);
        }
    }
    assert!(waits(&world).contains("7 databases (a, b, c, d, e, 2 more), 12 chunks remain"), "{}", waits(&world));
    let left = world.plan().sets[&SetName::new(SECOND)].draining.clone().unwrap();
    assert_eq!((left.databases.len(), left.chunks.total), (7, 12));
    assert!(findings(&world).contains(&FindingKind::BalancerOff));
    assert_eq!(world.plan(), world.plan(), "nothing changes while nothing happens");
    assert!(world.plan().steps.is_empty(), "a person's balancer is left as it is, and nothing else can be done");
}

const SESSIONS: &str = "config.system.sessions";

/// A shard that is drained and holds chunks of two collections.
fn draining() -> World {
    let mut world = cluster(2);
    world.cluster.chunks.insert(SECOND.to_owned(), Chunks { total: 14, jumbo: 0 });
    let counted = [(SESSIONS, 9), ("shop.orders", 2)];
    let counted = counted.map(|(name, chunks)| CollectionChunks { name: name.to_owned(), chunks });
    world.cluster.collections.insert(SECOND.to_owned(), counted.to_vec());
    retire(&mut world, SECOND);
    for _ in 0..2 {
        for step in world.plan().steps {
            world.apply(&step);
        }
    }
    world
}

/// What is waited for when the primary of the shard that stays keeps ranges of these collections.
fn waits_while_kept(world: &World, kept: &[(&str, u64)], delay_seconds: Option<u64>) -> String {
    let mut topology = world.observe();
    let by_collection = kept.iter().map(|(name, ranges)| ((*name).to_owned(), *ranges)).collect();
    let kept = KeptRanges { by_collection, delay_seconds };
    for (_, seen) in topology.members.iter_mut().filter(|(pod, _)| pod.as_str().starts_with("ll-shard-0-")) {
        let Server::Reachable(server) = &mut seen.server else { panic!() };
        let Replication::Member { status, .. } = &mut server.replication else { panic!() };
        status.kept_ranges = Some(kept.clone());
    }
    let plan = plan(&world.goal, &topology, world.now);
    assert!(plan.steps.is_empty(), "{:?}", plan.steps);
    plan.waiting.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

#[test]
fn a_drain_names_the_collections_that_still_have_chunks() {
    let world = draining();
    let expected =
        "0 databases, 14 chunks remain (config.system.sessions 9, shop.orders 2, 3 in other collections)";
    assert!(waits(&world).contains(expected), "{}", waits(&world));
    let left = world.plan().sets[&SetName::new(SECOND)].draining.clone().unwrap();
    assert_eq!(left.collections.len(), 2);
}

#[test]
fn a_drain_tells_that_it_waits_for_another_shard_s_range_deleter() {
    let world = draining();
    let told = waits_while_kept(&world, &[(SESSIONS, 512), ("wiki.pages", 3)], Some(900));
    let expected = format!(
        "chunks of {SESSIONS} that return to shard {SHARD} wait for its range deleter, which still keeps 512 ranges: \
         orphanCleanupDelaySecs is 900 s"
    );
    assert!(told.contains(&expected), "{told}");
    assert!(!told.contains("wiki.pages"), "none of its chunks returns: {told}");
    let told = waits_while_kept(&world, &[(SESSIONS, 1)], None);
    assert!(told.contains("orphanCleanupDelaySecs is not known"), "{told}");
    assert!(!waits_while_kept(&world, &[], Some(900)).contains("range deleter"));
}

#[test]
fn a_drain_tells_the_balancer_s_window_and_that_it_is_off_before_all_else() {
    let mut world = draining();
    assert!(!waits(&world).contains("the balancer"), "nothing is known that holds it up: {}", waits(&world));
    world.cluster.balancer_window = Some(BalancerWindow { start: "23:00".to_owned(), stop: "06:00".to_owned() });
    let window = "the balancer moves chunks only from 23:00 to 06:00 in the time zone of the config servers";
    assert!(waits(&world).contains(window), "{}", waits(&world));
    world.cluster.balancer_on = Some(false);
    assert!(findings(&world).contains(&FindingKind::BalancerOff));
    assert!(!waits_while_kept(&world, &[(SESSIONS, 9)], Some(900)).contains("range deleter"));
}

#[test]
fn case_45_jumbo_chunks_are_told_and_hold_nothing_else() {
    let mut world = cluster(2);
    world.cluster.chunks.insert(SECOND.to_owned(), Chunks { total: 4, jumbo: 2 });
    retire(&mut world, SECOND);
    for _ in 0..20 {
        for step in world.plan().steps {
            world.apply(&step);
        }
        world.tick();
    }
    assert_eq!(world.cluster.chunks[SECOND], Chunks { total: 2, jumbo: 2 });
    assert!(findings(&world).contains(&FindingKind::JumboChunks));
    world.cluster.chunks.clear();
    world.run_until_settled(20);
    assert_eq!(listed(&world), [SHARD]);
}

#[test]
fn case_45_the_last_shard_is_never_removed() {
    let mut world = cluster(2);
    retire(&mut world, SHARD);
    retire(&mut world, SECOND);
    for _ in 0..20 {
        for step in world.plan().steps {
            world.apply(&step);
        }
        world.tick();
    }
    assert_eq!(listed(&world), [SHARD, SECOND]);
    assert!(waits(&world).contains("the last one is never removed"));
}

#[test]
fn shards_go_from_the_highest_number_on_and_give_to_those_that_stay() {
    let mut world = cluster(3);
    database(&mut world, THIRD, "shop");
    database(&mut world, SECOND, "wiki");
    database(&mut world, SHARD, "mail");
    retire(&mut world, SECOND);
    retire(&mut world, THIRD);
    let steps = world.run_until_settled(60);
    let sets: Vec<&str> =
        steps.iter().filter(|s| s.action.name() == "RecordRemoval").map(|s| s.set.as_str()).collect();
    assert_eq!(sets, [THIRD, SECOND]);
    assert_eq!(world.cluster.databases[SHARD].len(), 3);
    assert_eq!(listed(&world), [SHARD]);
}

#[test]
fn a_database_goes_where_the_fewest_are() {
    let mut world = cluster(3);
    database(&mut world, THIRD, "shop");
    database(&mut world, SHARD, "mail");
    retire(&mut world, THIRD);
    world.run_until_settled(60);
    assert!(world.cluster.databases[SECOND].contains("shop"));
}

#[test]
fn a_database_does_not_go_to_a_shard_that_a_person_drains() {
    let mut world = cluster(3);
    database(&mut world, THIRD, "shop");
    database(&mut world, SECOND, "wiki");
    world.shards.iter_mut().find(|shard| shard.name == SHARD).unwrap().draining = true;
    retire(&mut world, THIRD);
    world.run(30);
    assert_eq!(listed(&world), [SHARD, SECOND]);
    assert!(world.cluster.databases[SECOND].contains("shop"));
}

#[test]
fn a_removal_that_has_begun_is_not_taken_back() {
    let mut world = cluster(2);
    database(&mut world, SECOND, "shop");
    retire(&mut world, SECOND);
    for step in world.plan().steps {
        world.apply(&step);
    }
    world.goal.sets.iter_mut().for_each(|set| set.retired = false);
    for _ in 0..20 {
        for step in world.plan().steps {
            world.apply(&step);
        }
        world.tick();
    }
    assert_eq!(listed(&world), [SHARD], "removed all the same");
    assert!(findings(&world).contains(&FindingKind::StaleData), "{:?}", world.plan());
    assert!(waits(&world).contains("empty volumes of ll-shard-1-vdc1-0"));

    world.set(SECOND).config = None;
    for member in world.members.iter_mut().filter(|(pod, _)| pod.as_str().contains("shard-1")) {
        member.1.disk = crate::support::Disk::Empty;
    }
    world.set(SECOND).users = false;
    world.set(SECOND).primary = None;
    world.run_until_settled(100);
    assert_eq!(listed(&world), [SHARD, SECOND], "empty, it is a shard like any other");
}

#[test]
fn a_shard_that_was_never_added_goes_at_once() {
    let mut world = cluster(1);
    world.want(SECOND, SetRole::Shard { index: 1 }, &voters(SHAPE));
    retire(&mut world, SECOND);
    assert_eq!(names(&world.run_until_settled(10)), ["RecordRemoval"]);
}

#[test]
fn a_shard_is_not_forgotten_in_the_pass_that_records_something_of_its_members() {
    let mut world = cluster(1);
    world.want(SECOND, SetRole::Shard { index: 1 }, &voters(SHAPE));
    let mut seen = 0;
    for _ in 0..40 {
        let mut retired = world.clone();
        retire(&mut retired, SECOND);
        let steps = retired.plan().steps;
        if names(&steps).contains(&"MarkInitialized") {
            seen += 1;
            assert!(!names(&steps).contains(&"RecordRemoval"), "{steps:?}");
        }
        world.run(1);
    }
    assert!(seen > 0 && listed(&world).contains(&SECOND));
}

#[test]
fn nothing_is_forgotten_while_a_placement_is_not_seen() {
    let mut world = cluster(2);
    retire(&mut world, SECOND);
    world.goal.unseen = BTreeMap::from([("vdc3".into(), "cut off".to_owned())]);
    for _ in 0..20 {
        for step in world.plan().steps {
            world.apply(&step);
        }
        world.tick();
    }
    assert_eq!(listed(&world), [SHARD], "the routers go on");
    assert!(world.goal.sets.iter().any(|set| set.name.as_str() == SECOND && set.removals.under_way()));
}

#[test]
fn without_a_router_nothing_is_removed() {
    let mut world = cluster(2);
    retire(&mut world, SECOND);
    let mut topology = world.observe();
    topology.routers.values_mut().for_each(|seen| seen.observed_at -= OBSERVATION_MAX_AGE + 1);
    assert!(plan(&world.goal, &topology, world.now).steps.is_empty(), "what it said is too old");
    world.goal.routers.clear();
    assert!(world.plan().steps.is_empty());
}

#[test]
fn a_shard_that_only_one_router_lists_yet_is_neither_added_again_nor_forgotten() {
    let mut world = cluster(2);
    world.goal.routers.push(RouterGoal { pod: "ll-mongos-vdc2-x".into(), placement: "vdc2".into() });
    let seen = |world: &World| {
        let mut topology = world.observe();
        let (_, first) = topology.routers.iter_mut().next().unwrap();
        let RouterServer::Serving { shards, .. } = &mut first.server else { panic!() };
        shards.retain(|shard| shard.name != SECOND);
        plan(&world.goal, &topology, world.now)
    };
    assert!(seen(&world).steps.is_empty(), "{:?}", seen(&world).steps);
    retire(&mut world, SECOND);
    assert_eq!(names(&seen(&world).steps), ["RecordDrain"]);
}

#[test]
fn a_foreign_shard_is_reported_and_left_alone() {
    let mut world = cluster(1);
    world.shards.push(kogge_mongo::ShardEntry {
        name: "theirs".to_owned(),
        host: "theirs/a:1".to_owned(),
        draining: false,
    });
    assert!(world.plan().steps.is_empty());
    assert_eq!(findings(&world), [FindingKind::ForeignShard]);
}

#[test]
fn a_member_that_was_recorded_again_is_no_stale_data() {
    let mut world = cluster(2);
    let goal = world.goal.sets.iter_mut().find(|set| set.name.as_str() == SECOND).unwrap();
    (goal.removals.begun, goal.removals.ended) = (1, 1);
    for member in &mut goal.members {
        member.anchor = MemberAnchor { initialized: false, ..member.anchor };
    }
    assert!(!findings(&world).contains(&FindingKind::StaleData), "it was initiated since");
    assert!(world.members.contains_key(&PodName::new("ll-shard-1-vdc1-0")));
}
