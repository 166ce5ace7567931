//! From nothing to a running set, and what must never be initiated again.

use kogge_mongo::{Access, Action, FindingKind, Health, Pod, Replication, Server, SetRole, plan};

use crate::support::{SHARD, World, voters};

#[test]
fn case_01_a_running_set_is_adopted_and_never_initiated_again() {
    let mut world = World::settled(&[("vdc1", 1), ("vdc2", 1), ("vdc3", 1)]);
    let goal = &mut world.goal.sets[0];
    (goal.seed, goal.next_member_id) = (None, 0);
    for member in &mut goal.members {
        member.anchor = kogge_mongo::MemberAnchor::default();
    }
    let steps = world.run_until_settled(50);
    assert!(!steps.iter().any(|s| s.action.name() == "Initiate"));
    assert_eq!(world.config(SHARD).members.len(), 3);
}

#[test]
fn case_02_exactly_one_seed() {
    let mut world = World::shard(&[("vdc2", 1), ("vdc1", 1)]);
    let steps = world.run_until_settled(100);
    let initiates: Vec<_> = steps.iter().filter(|s| s.action.name() == "Initiate").collect();
    assert_eq!(initiates.len(), 1);
    let recorded = steps.iter().position(|s| s.action.name() == "RecordSeed").unwrap();
    let initiated = steps.iter().position(|s| s.action.name() == "Initiate").unwrap();
    assert!(recorded < initiated);
}

#[test]
fn case_03_a_crash_between_initiate_and_create_user_resumes() {
    let mut world = World::shard(&[("vdc1", 1)]);
    world.run_until(|world| world.actions().contains(&"CreateUsers"));
    assert_eq!(world.actions(), ["CreateUsers"]);
    assert_eq!(world.actions(), ["CreateUsers"]);
}

#[test]
fn case_05_a_missing_pod_or_a_crash_loop_holds_the_bootstrap() {
    let mut world = World::shard(&[("vdc1", 1), ("vdc2", 1), ("vdc3", 1)]);
    world.member("ll-shard-0-vdc2-0").pod = Pod::Absent;
    world.member("ll-shard-0-vdc3-0").facts().running = false;
    let plan = world.plan();
    assert!(plan.steps.is_empty());
    let waiting: Vec<_> = plan.waiting.iter().filter_map(|w| w.member.clone()).collect();
    assert_eq!(waiting, ["ll-shard-0-vdc2-0".into(), "ll-shard-0-vdc3-0".into()]);
}

#[test]
fn a_placement_that_was_not_seen_holds_the_bootstrap_and_is_named() {
    let mut world = World::shard(&[("vdc1", 1), ("vdc2", 1), ("vdc3", 1)]);
    world.goal.unseen.insert("vdc3".into(), "worker-vdc3 does not answer".to_owned());
    let plan = world.plan();
    assert!(plan.steps.is_empty());
    assert!(plan.waiting.iter().any(|w| w.what.contains("worker-vdc3")), "{:?}", plan.waiting);
    assert_eq!(plan.sets[SHARD].health, Health::Pending);
}

#[test]
fn case_06_a_lost_seed_is_not_replaced_silently() {
    let mut world = World::shard(&[("vdc1", 1), ("vdc2", 1), ("vdc3", 1)]);
    let step = world.plan().steps.remove(0);
    let Action::RecordSeed { pod, .. } = &step.action else { panic!("{step}") };
    world.apply(&step);
    world.member(pod.as_str()).up = false;
    assert!(world.plan().steps.is_empty());

    world.want(SHARD, SetRole::Shard { index: 0 }, &voters(&[("vdc2", 1), ("vdc3", 1)]));
    let plan = world.plan();
    assert!(plan.steps.is_empty());
    assert_eq!(plan.findings[0].kind, FindingKind::SeedLost);
}

#[test]
fn a_server_with_data_or_users_is_not_empty() {
    for broken in [Replication::Removed { config: None }, Replication::Unreadable { reason: "no".to_owned() }] {
        let world = World::shard(&[("vdc1", 1), ("vdc2", 1), ("vdc3", 1)]);
        let mut topology = world.observe();
        let seen = topology.members.get_mut("ll-shard-0-vdc2-0").unwrap();
        let Server::Reachable(server) = &mut seen.server else { panic!() };
        server.replication = broken;
        assert!(plan(&world.goal, &topology, world.now).steps.is_empty());
    }
    let world = World::shard(&[("vdc1", 1)]);
    let mut topology = world.observe();
    let seen = topology.members.get_mut("ll-shard-0-vdc1-0").unwrap();
    let Server::Reachable(server) = &mut seen.server else { panic!() };
    server.access = Access::Refused { reason: "wrong password".to_owned() };
    assert!(plan(&world.goal, &topology, world.now).steps.is_empty());
}

#[test]
fn an_empty_set_whose_anchors_say_initialized_is_never_initiated() {
    let mut world = World::shard(&[("vdc1", 1), ("vdc2", 1), ("vdc3", 1)]);
    world.wanted("ll-shard-0-vdc2-0").anchor.initialized = true;
    let lost = |plan: &kogge_mongo::Plan| plan.findings.iter().any(|f| f.kind == FindingKind::SetLost);
    // It may only be starting: its gate has not said that its disk is empty.
    let plan = world.plan();
    assert!(plan.steps.is_empty() && !lost(&plan));
    world.restart_container("ll-shard-0-vdc2-0");
    let plan = world.plan();
    assert!(plan.steps.is_empty() && lost(&plan));
}

#[test]
fn case_30_every_order_of_restarts_of_the_operator_converges() {
    // The planner has no memory, so a crash between two writes is a plan on any prefix of steps.
    let mut world = World::shard(&[("vdc1", 1), ("vdc2", 1), ("vdc3", 1)]);
    for _ in 0..200 {
        let plan = world.plan();
        if plan.ready() {
            return;
        }
        if let Some(first) = plan.steps.first() {
            world.apply(first);
        }
        world.tick();
    }
    panic!("never ready: {:#?}", world.plan());
}
