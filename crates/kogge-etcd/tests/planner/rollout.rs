//! Rolling restarts and versions: cases 32 to 40.

use kogge_etcd::{FindingKind, PodName, Series, Step, Vdc, Version};

use crate::support::{Disk, V36, World, pod, voters};

const ONE: &[(&str, u32)] = &[("vdc1", 1)];
const THREE: &[(&str, u32)] = &[("vdc1", 1), ("vdc2", 1), ("vdc3", 1)];
const V35: Version = Version::new(3, 5, 33);

/// Settled, on this version.
fn settled_on(version: Version, shape: &[(&'static str, u32)]) -> World {
    let mut world = World::new(shape);
    (world.version, world.goal.version) = (version, version);
    world.run_until_settled(200);
    world.run(8);
    world
}

/// The templates change.
fn roll(world: &mut World) {
    world.revision.push('+');
    world.tick();
}

fn restarted(steps: &[Step]) -> Vec<PodName> {
    World::members_of(steps, "RestartPod")
}

#[test]
fn etcd_32_one_member_restarts_at_a_time_while_all_voters_are_live() {
    let mut world = World::settled(THREE);
    roll(&mut world);
    // The world refuses a restart that leaves less than a quorum. With one voter down nobody is restarted.
    let mut one_down = world.clone();
    one_down.lose(&pod("vdc3", 0));
    assert!(!World::names(&one_down.run(20)).contains(&"RestartPod"));
    assert!(one_down.plan().waiting.iter().any(|w| w.message.contains("restarts wait")));
    // With one far behind nobody is either.
    let mut behind = world.clone();
    behind.group_mut().commit += 100_000;
    assert!(!behind.plan_peek().contains(&"RestartPod"));
    let steps = world.run_until_settled(100);
    assert_eq!(restarted(&steps), [pod("vdc2", 0), pod("vdc3", 0), pod("vdc1", 0)]);
}

#[test]
fn the_rollout_keeps_the_order_of_the_spec() {
    let mut world = World::settled(THREE);
    world.goal.rollout_order = vec!["vdc3".into(), "vdc1".into()];
    roll(&mut world);
    let steps = world.run_until_settled(100);
    assert_eq!(restarted(&steps), [pod("vdc3", 0), pod("vdc2", 0), pod("vdc1", 0)]);
}

#[test]
fn etcd_33_the_leader_hands_over_and_restarts_last() {
    let mut world = World::settled(THREE);
    let leader = world.leader();
    roll(&mut world);
    let steps = world.run_until_settled(100);
    assert_eq!(World::names(&steps), ["RestartPod", "RestartPod", "MoveLeader", "RestartPod"]);
    assert_eq!(restarted(&steps).last(), Some(&leader));
    assert_ne!(world.leader(), leader);
}

#[test]
fn etcd_34_a_hand_over_that_times_out_is_waited_for_and_nobody_is_killed() {
    let mut world = World::settled(THREE);
    let leader = world.leader();
    world.transfers_time_out = true;
    roll(&mut world);
    let steps = world.run(60);
    assert!(!restarted(&steps).contains(&leader));
    assert_eq!(world.leader(), leader);
    assert_eq!(restarted(&steps).len(), 2);
    world.transfers_time_out = false;
    world.run_until_settled(100);
}

#[test]
fn a_leader_without_an_heir_is_not_restarted() {
    let mut world = World::settled(THREE);
    let leader = world.leader();
    roll(&mut world);
    world.run_until(|world| world.plan_peek() == ["MoveLeader"]);
    for other in world.pods().into_iter().filter(|pod| *pod != leader) {
        world.node(&other).reachable = false;
    }
    assert!(world.actions().is_empty());
}

#[test]
fn etcd_35_the_next_restart_waits_until_connections_count() {
    let mut world = World::settled(THREE);
    roll(&mut world);
    let mut restarts = Vec::new();
    for _ in 0..60 {
        let steps = world.run(1);
        restarts.extend(restarted(&steps).into_iter().map(|_| world.now));
    }
    assert_eq!(restarts.len(), 3);
    assert!(restarts.windows(2).all(|pair| pair[1] - pair[0] >= 7_000), "{restarts:?}");
}

#[test]
fn etcd_36_a_changed_heartbeat_restarts_every_member() {
    let mut world = World::settled(THREE);
    roll(&mut world);
    let mut restarted = restarted(&world.run_until_settled(100));
    restarted.sort();
    assert_eq!(restarted, world.pods());
    let revision = world.revision.clone();
    for pod in world.pods() {
        assert_eq!(world.node(&pod).facts().revision.as_ref(), Some(&revision));
    }
}

#[test]
fn a_member_that_does_not_work_is_restarted_whatever_holds_the_others() {
    let mut world = World::settled(THREE);
    // Its template is broken: the new pod never becomes ready.
    let broken = pod("vdc2", 0);
    world.node(&broken).crashes = true;
    world.kill(&broken);
    world.run(5);
    assert!(world.actions().is_empty());
    world.goal.unseen.insert("vdc3".into(), "its API is not responding".to_owned());
    roll(&mut world);
    world.forget();
    assert!(world.plan().steps.is_empty(), "seen once, it may be starting");
    let steps = world.believed().steps;
    assert_eq!(restarted(&steps), [broken]);
}

#[test]
fn members_that_nobody_reaches_are_not_taken_for_broken() {
    let mut world = World::settled(THREE);
    roll(&mut world);
    for pod in world.pods() {
        world.node(&pod).reachable = false;
    }
    assert!(world.run(20).is_empty());
}

#[test]
fn a_member_that_has_not_heard_of_the_next_leader_yet_is_not_taken_for_broken() {
    let mut world = World::settled(THREE);
    roll(&mut world);
    let seen = world.look().clone();
    let mut late = seen.clone();
    let member = late.members.get_mut("e-vdc3-0").unwrap();
    if let kogge_etcd::Server::Serving(state) = &mut member.server {
        state.leader = None;
    }
    let late = late.after(Some(&seen));
    let steps = kogge_etcd::plan(&world.goal, &late, world.now).steps;
    assert!(steps.is_empty(), "{steps:#?}");
}

#[test]
fn etcd_37_a_version_that_skips_a_minor_is_refused() {
    let mut world = settled_on(V35, THREE);
    world.goal.version = Version::new(3, 7, 1);
    let plan = world.believed();
    let finding = plan.findings.iter().find(|f| f.kind == FindingKind::VersionSkipped).unwrap();
    assert!(finding.message.contains("3.6"), "{}", finding.message);
    assert_eq!(plan.accepted_version, None);
    // Even where templates have changed all the same.
    world.revision.push('+');
    assert!(!World::names(&world.run(20)).contains(&"RestartPod"));
    // Below the agreed version binaries end at once.
    world.goal.version = Version::new(3, 4, 30);
    let plan = world.plan();
    assert!(plan.findings.iter().any(|f| f.kind == FindingKind::VersionBehind));
    assert_eq!(plan.accepted_version, None);
}

#[test]
fn before_3_6_every_member_must_have_the_last_patches_of_3_5() {
    let mut world = settled_on(Version::new(3, 5, 31), THREE);
    world.goal.version = V36;
    let plan = world.believed();
    let finding = plan.findings.iter().find(|f| f.kind == FindingKind::VersionTooOld).unwrap();
    assert!(finding.message.contains("3.5.32"), "{}", finding.message);
    assert_eq!(plan.accepted_version, None);
    // A patch of the same minor is always accepted.
    world.goal.version = V35;
    assert_eq!(world.plan().accepted_version, Some(V35));
}

#[test]
fn an_upgrade_goes_member_by_member_and_the_group_agrees() {
    let mut world = settled_on(V35, THREE);
    world.goal.version = V36;
    assert_eq!(world.plan().accepted_version, Some(V36));
    world.version = V36;
    roll(&mut world);
    world.run_until_settled(100);
    assert_eq!(world.group().version, Some(Series(3, 6)));
}

#[test]
fn etcd_38_a_version_that_is_stuck_names_the_silent_member() {
    let mut world = settled_on(V35, THREE);
    world.goal.version = V36;
    // Before it begins, everybody must tell the version that it has.
    let mut silent = world.clone();
    silent.lose(&pod("vdc3", 0));
    let plan = silent.believed();
    assert_eq!(plan.accepted_version, None);
    assert!(plan.findings.iter().any(|f| f.kind == FindingKind::VersionUnknown && f.message.contains("e-vdc3-0")));
    // In the middle of it: all others run the new one.
    world.version = V36;
    roll(&mut world);
    world.run_until(|world| {
        let new = world.nodes.values().filter(|n| n.process.as_ref().is_some_and(|p| p.version == V36));
        new.count() == 2
    });
    let old =
        world.pods().into_iter().find(|pod| world.nodes[pod].process.as_ref().is_some_and(|p| p.version == V35));
    let old = old.unwrap();
    world.lose(&old);
    world.run(10);
    let plan = world.plan();
    let finding = plan.findings.iter().find(|f| f.kind == FindingKind::VersionUnknown).unwrap();
    assert!(finding.message.contains(old.as_str()) && finding.message.contains("3.5"), "{}", finding.message);
    assert_eq!(world.group().version, Some(Series(3, 5)));
}

#[test]
fn etcd_39_half_upgraded_the_way_back_is_allowed() {
    let mut world = settled_on(V35, THREE);
    world.goal.version = V36;
    world.version = V36;
    roll(&mut world);
    world.run_until(|world| world.nodes.values().any(|n| n.process.as_ref().is_some_and(|p| p.version == V36)));
    world.run(3);
    world.goal.version = V35;
    assert_eq!(world.plan().accepted_version, Some(V35));
    world.version = V35;
    roll(&mut world);
    world.run_until_settled(100);
    assert!(world.nodes.values().all(|n| n.process.as_ref().is_some_and(|p| p.version == V35)));
    // Once the group has agreed there is none.
    world.goal.version = V36;
    world.version = V36;
    roll(&mut world);
    world.run_until_settled(100);
    world.goal.version = V35;
    assert_eq!(world.plan().accepted_version, None);
}

#[test]
fn etcd_40_nobody_joins_while_two_minors_run() {
    let mut world = settled_on(V35, THREE);
    world.goal.version = V36;
    world.version = V36;
    roll(&mut world);
    world.run_until(|world| world.nodes.values().any(|n| n.process.as_ref().is_some_and(|p| p.version == V36)));
    world.want(&voters(&[("vdc1", 1), ("vdc2", 1), ("vdc3", 1), ("vdc4", 1), ("vdc5", 1)]));
    let mut mixed = 0;
    for _ in 0..100 {
        let minors: std::collections::BTreeSet<Series> =
            world.nodes.values().filter_map(|n| Some(n.process.as_ref()?.version.series())).collect();
        let steps = world.plan().steps;
        if minors.len() > 1 {
            mixed += 1;
            assert!(!World::names(&steps).contains(&"AddLearner"));
        }
        world.run(1);
    }
    assert!(mixed > 5);
    world.run_until_settled(200);
    assert_eq!(world.group().voters().count(), 5);
}

#[test]
fn a_disk_lost_in_the_middle_of_an_upgrade_ends_in_neither() {
    let mut world = settled_on(V35, THREE);
    world.goal.version = V36;
    world.version = V36;
    roll(&mut world);
    world.run_until(|world| world.nodes.values().any(|n| n.process.as_ref().is_some_and(|p| p.version == V36)));
    world.wipe(&pod("vdc3", 0));
    world.run_until_settled(200);
    assert_eq!(world.group().version, Some(Series(3, 6)));
    assert_ne!(world.nodes[&pod("vdc3", 0)].disk, Disk::Empty);
}

#[test]
fn a_group_of_one_restarts_without_an_heir() {
    let mut world = World::settled(ONE);
    roll(&mut world);
    assert_eq!(World::names(&world.run_until_settled(50)), ["RestartPod"]);
}

#[test]
fn the_leader_moves_away_from_a_vdc_on_request_and_stays_away() {
    let mut world = World::settled(THREE);
    let vdc = Vdc::from("vdc1");
    assert_eq!(world.leader(), pod("vdc1", 0));
    world.goal.away_from.insert(vdc.clone());
    let steps = world.run_until_settled(20);
    assert_eq!(World::names(&steps), ["MoveLeader"]);
    roll(&mut world);
    world.run_until_settled(100);
    assert_ne!(world.leader(), pod("vdc1", 0));
    // Where everybody is inside, nothing is moved, and it is said.
    world.goal.away_from = ["vdc1", "vdc2", "vdc3"].into_iter().map(Vdc::from).collect();
    let plan = world.believed();
    assert!(plan.steps.is_empty());
    assert!(plan.waiting.iter().any(|w| w.message.contains("no member outside")));
}
