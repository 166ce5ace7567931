//! Guards that no case shows by itself.

use kogge_etcd::{Action, PodName, Step, Vdc, Version};

use crate::support::{Disk, V36, World, pod, voters};

const ONE: &[(&str, u32)] = &[("vdc1", 1)];
const THREE: &[(&str, u32)] = &[("vdc1", 1), ("vdc2", 1), ("vdc3", 1)];
const FIVE: &[(&str, u32)] = &[("vdc1", 2), ("vdc2", 2), ("vdc3", 1)];
const V35: Version = Version::new(3, 5, 33);

fn remove_by_hand(world: &mut World, pod: &PodName) {
    let action = Action::Remove { via: world.leader(), pod: pod.clone(), member_id: world.id_of(pod) };
    world.apply(&Step { action, reason: String::new(), waits_for: String::new() });
}

#[test]
fn a_removal_that_was_seen_once_is_not_recorded() {
    let mut world = World::settled(THREE);
    remove_by_hand(&mut world, &pod("vdc3", 0));
    world.tick();
    world.forget();
    assert!(world.plan().steps.is_empty());
    assert!(world.plan().steps.is_empty());
    assert_eq!(World::names(&world.plan().steps), ["RecordRemoved"]);
    // A member that leaves is forgotten, and its volume released, as carefully.
    let mut world = World::settled(THREE);
    world.want(&voters(&[("vdc1", 1), ("vdc2", 1)]));
    remove_by_hand(&mut world, &pod("vdc3", 0));
    world.tick();
    world.forget();
    assert!(world.plan().steps.is_empty());
    assert!(world.plan().steps.is_empty());
    assert_eq!(World::names(&world.plan().steps), ["ForgetMember"]);
}

#[test]
fn nobody_is_promoted_while_two_minors_run() {
    let mut world = World::settled(ONE);
    world.want(&voters(THREE));
    world.run_until(|world| world.plan_peek().contains(&"Promote"));
    world.node(&pod("vdc1", 0)).process.as_mut().unwrap().version = V35;
    assert!(!world.actions().contains(&"Promote"));
    world.node(&pod("vdc1", 0)).process.as_mut().unwrap().version = V36;
    assert!(world.actions().contains(&"Promote"));
}

#[test]
fn a_learner_waits_for_the_other_one_that_makes_votes_odd() {
    let mut world = World::settled(ONE);
    world.goal.max_learners = 2;
    world.group_mut().commit += 40_000;
    world.want(&voters(THREE));
    world.node(&pod("vdc2", 0)).sync_rate = 50_000;
    let mut even = 0;
    for _ in 0..120 {
        world.run(1);
        even += usize::from(world.group().voters().count() == 2);
    }
    assert_eq!(world.group().voters().count(), 3);
    assert!(even <= 5, "two voters for {even} s");
}

#[test]
fn the_leadership_is_not_handed_to_who_is_behind() {
    let mut world = World::settled(THREE);
    world.goal.away_from.insert(Vdc::from("vdc1"));
    for follower in [pod("vdc2", 0), pod("vdc3", 0)] {
        if let Disk::Data(data) = &mut world.node(&follower).disk {
            data.applied = data.applied.saturating_sub(5);
        }
    }
    world.group_mut().commit += 10_000;
    assert!(world.actions().is_empty());
    world.run_until_settled(20);
}

#[test]
fn no_working_member_restarts_while_a_placement_is_unseen() {
    let mut world = World::settled(THREE);
    world.revision.push('+');
    world.goal.unseen.insert("vdc2".into(), "its API is not responding".to_owned());
    assert!(world.run(20).is_empty());
    world.goal.unseen.clear();
    world.run_until_settled(100);
}

#[test]
fn who_leaves_restarts_too_where_an_upgrade_meets_a_move() {
    let mut world = World::new(&[("vdc4", 1)]);
    (world.version, world.goal.version) = (V35, V35);
    world.run_until_settled(50);
    world.want(&voters(&[("vdc1", 1), ("vdc3", 2)]));
    world.run_until(|world| world.group().voters().count() == 2);
    (world.version, world.goal.version) = (V36, V36);
    world.revision.push('+');
    world.kill(&pod("vdc1", 0));
    world.run_until_settled(300);
    assert_eq!(world.group().voters().count(), 3);
}

#[test]
fn a_switchover_and_a_rollout_do_not_undo_each_other() {
    let mut world = World::settled(&[("vdc1", 1), ("vdc3", 2)]);
    world.revision.push('+');
    world.tick();
    world.goal.away_from.insert(Vdc::from("vdc3"));
    let steps = world.run_until_settled(100);
    assert_eq!(World::members_of(&steps, "RestartPod").len(), 3);
    let moves = World::names(&steps).iter().filter(|name| **name == "MoveLeader").count();
    assert!(moves <= 2, "the leader moved {moves} times");
    assert_eq!(world.leader(), pod("vdc1", 0));
}

#[test]
fn up_to_3_5_one_learner_joins_at_a_time_whatever_the_spec_says() {
    let mut world = World::new(ONE);
    (world.version, world.goal.version, world.goal.max_learners) = (V35, V35, 3);
    world.run_until_settled(50);
    world.want(&voters(FIVE));
    world.run_until_settled(300);
    assert!(world.refused.iter().all(|words| !words.contains("too many")), "{:?}", world.refused);
}

#[test]
fn litter_of_a_start_that_failed_keeps_nobody_out_whose_id_was_removed() {
    let mut world = World::settled(THREE);
    world.want(&voters(&[("vdc1", 1), ("vdc2", 1), ("vdc3", 1), ("vdc4", 1), ("vdc5", 1)]));
    let added = |world: &World| {
        let learner = world.group().members().iter().find(|m| m.learner).cloned();
        let joiner = learner.and_then(|m| world.goal.members.iter().find(|w| w.peer_url == m.peer_urls[0]));
        joiner.filter(|joiner| joiner.anchor.member_id.is_some()).map(|joiner| joiner.pod.clone())
    };
    world.run_until(|world| added(world).is_some());
    let joiner = added(&world).unwrap();
    // Its server started, found no list that named it, and ended; and somebody removed it.
    world.node(&joiner).disk = Disk::Litter;
    world.kill(&joiner);
    remove_by_hand(&mut world, &joiner);
    world.run_until_settled(200);
    assert_eq!(world.group().voters().count(), 5);
}
