//! Members that join: cases 10 to 18.

use kogge_etcd::{Action, FindingKind, MemberRole, SMALL_LAG};

use crate::support::{World, pod, voters};

const ONE: &[(&str, u32)] = &[("vdc1", 1)];
const TWO: &[(&str, u32)] = &[("vdc1", 1), ("vdc2", 1)];
const THREE: &[(&str, u32)] = &[("vdc1", 1), ("vdc2", 1), ("vdc3", 1)];
const FIVE: &[(&str, u32)] = &[("vdc1", 2), ("vdc2", 2), ("vdc3", 1)];

fn grown_from(shape: &[(&'static str, u32)], to: &[(&'static str, u32)]) -> World {
    let mut world = World::settled(shape);
    world.want(&voters(to));
    world
}

#[test]
fn etcd_10_members_always_join_as_learners() {
    let mut world = grown_from(ONE, FIVE);
    let steps = world.run_until_settled(200);
    let named = |name| World::members_of(&steps, name);
    assert_eq!(named("AddLearner"), named("Promote"));
    assert_eq!(named("AddLearner").len(), 4);
    assert_eq!(world.group().voters().count(), 5);
}

#[test]
fn etcd_11_an_add_whose_answer_was_lost_is_found_by_its_url() {
    let mut world = grown_from(TWO, THREE);
    world.run_until(|world| world.group().members().len() > 1);
    let mut adds = 0;
    for _ in 0..20 {
        let steps = world.run(1);
        adds += World::members_of(&steps, "AddLearner").len();
    }
    assert_eq!(adds, 1, "added a second time");
    assert!(world.refused.iter().all(|words| !words.contains("exists")), "{:?}", world.refused);
}

#[test]
fn etcd_12_after_a_crash_the_id_that_the_group_lists_is_recorded() {
    let mut world = grown_from(ONE, THREE);
    world.run_until(|world| world.group().members().len() == 2);
    let joined = world.goal.members.iter().find(|m| world.group().members()[1].peer_urls.contains(&m.peer_url));
    let joined = joined.unwrap().pod.clone();
    // Nothing is remembered but what the anchors and the group hold.
    assert_eq!(world.goal.member(&joined).unwrap().anchor.member_id, None);
    let steps = world.plan().steps;
    let recorded = steps.iter().find_map(|step| match &step.action {
        Action::RecordMember { pod, member_id } if *pod == joined => Some(*member_id),
        _ => None,
    });
    assert_eq!(recorded, Some(world.id_of(&joined)));
    assert!(!steps.iter().any(|step| World::is_change(&step.action)), "{steps:#?}");
}

#[test]
fn etcd_13_too_many_learners_are_waited_for() {
    let mut world = grown_from(ONE, FIVE);
    world.run_until(|world| world.group().members().len() == 2);
    let joiner = world.goal.members.iter().find(|m| world.group().members()[1].peer_urls.contains(&m.peer_url));
    let joiner = joiner.unwrap().pod.clone();
    world.node(&joiner).facts().resolves_everywhere = false;
    world.run(10);
    let plan = world.plan();
    assert!(plan.steps.is_empty(), "{:#?}", plan.steps);
    assert!(plan.waiting.iter().any(|w| w.message.contains("fewer than 1 learners")), "{:#?}", plan.waiting);
}

#[test]
fn etcd_14_a_learner_that_never_catches_up_is_reported_and_not_promoted() {
    let mut world = grown_from(ONE, THREE);
    world.group_mut().rate = 400;
    world.node(&pod("vdc2", 0)).sync_rate = 390;
    world.node(&pod("vdc3", 0)).sync_rate = 390;
    // etcd itself would promote it: nine tenths of a long log.
    world.group_mut().commit += 50_000;
    world.run(140);
    for node in ["vdc2", "vdc3"] {
        if let Some(kogge_etcd::MemberId(_)) = world.nodes[&pod(node, 0)].data().map(|d| d.id) {
            world.node(&pod(node, 0)).sync_rate = 2_500;
        }
    }
    let joiner = world
        .nodes
        .iter()
        .find(|(_, n)| n.data().is_some_and(|d| d.id != world.goal.seed.as_ref().unwrap().member_id));
    let joiner = joiner.unwrap().0.clone();
    world.run_until(|world| {
        let applied = world.nodes[&joiner].data().unwrap().applied;
        world.nodes[&joiner].process.as_ref().unwrap().published && world.group().commit - applied > SMALL_LAG
    });
    world.node(&joiner).sync_rate = 400;
    let steps = world.run(30);
    assert!(!World::names(&steps).contains(&"Promote"));
    let plan = world.plan();
    let waiting = plan.waiting.iter().find(|w| w.member.as_ref() == Some(&joiner)).unwrap();
    assert!(waiting.message.contains("entries behind the leader"), "{}", waiting.message);
    assert_eq!(world.group().voters().count(), 1);
}

#[test]
fn etcd_15_a_dead_learner_is_not_promoted() {
    let mut world = grown_from(ONE, THREE);
    world.run_until(|world| {
        let group = world.group();
        let learner = group.members().iter().find(|m| m.learner);
        let node = learner.and_then(|m| group.node(&world.nodes, m.id));
        node.and_then(|n| n.data()).is_some_and(|data| data.applied >= group.commit)
    });
    let learner = world.group().members().iter().find(|m| m.learner).unwrap().peer_urls[0].clone();
    let learner = world.goal.members.iter().find(|m| m.peer_url == learner).unwrap().pod.clone();
    world.plan();
    // It is in sync, and dies: etcd would still promote it.
    world.lose(&learner);
    let steps = world.run(20);
    assert!(!World::names(&steps).contains(&"Promote"), "{:?}", World::names(&steps));
    assert_eq!(world.group().voters().count(), 1);
}

#[test]
fn a_learner_that_is_in_sync_once_is_not_promoted() {
    let mut world = grown_from(ONE, THREE);
    world.run_until(|world| world.plan_peek().contains(&"Promote"));
    // The same observation without the ones before.
    world.forget();
    let plan = world.plan();
    assert!(!World::names(&plan.steps).contains(&"Promote"));
    assert!(plan.waiting.iter().any(|w| w.message.contains("too few observations")));
    assert!(World::names(&world.believed().steps).contains(&"Promote"));
}

#[test]
fn etcd_16_two_voters_are_passed_quickly_and_told() {
    let mut world = grown_from(ONE, TWO);
    world.run_until_settled(100);
    // Two that may vote have one voter: a second would only be a second that must not fail.
    let plan = world.plan();
    assert_eq!(plan.group.voters, 1);
    assert!(plan.findings.iter().any(|f| f.kind == FindingKind::EvenVoters), "{:#?}", plan.findings);
    // On the way to three with one learner at a time there are two for as long as the third takes to join.
    world.want(&voters(THREE));
    world.run_until(|world| world.group().voters().count() == 2);
    assert!(world.plan().group.quorum_at_risk || world.plan().group.critical_vdcs.len() == 2);
    // With two learners at a time, both are in sync before the first is promoted.
    let mut world = grown_from(ONE, THREE);
    world.goal.max_learners = 2;
    world.run_until(|world| world.group().voters().count() == 2);
    world.run_until(|world| world.group().voters().count() == 3);
    let steps = grown_pairwise();
    assert_eq!(steps[steps.len() - 2..], ["Promote", "Promote"]);
}

fn grown_pairwise() -> Vec<&'static str> {
    let mut world = grown_from(ONE, THREE);
    world.goal.max_learners = 2;
    World::names(&world.run_until_settled(200))
}

#[test]
fn etcd_17_an_add_that_etcd_calls_unhealthy_is_tried_again() {
    let mut world = grown_from(THREE, FIVE);
    world.run_until(|world| world.plan_peek().contains(&"AddLearner"));
    let plan = world.plan();
    // A connection broke in between.
    for node in world.nodes.values_mut() {
        if let Some(process) = &mut node.process {
            process.since = 1_000_000_000;
        }
    }
    world.now = 1_000_000_001;
    world.carry_out(plan);
    assert!(world.refused.iter().any(|words| words.contains("unhealthy cluster")), "{:?}", world.refused);
    world.run_until_settled(200);
    assert_eq!(world.group().voters().count(), 5);
}

#[test]
fn etcd_18_a_member_that_is_promoted_already_is_not_promoted_again() {
    let mut world = grown_from(ONE, THREE);
    world.run_until(|world| world.plan_peek().contains(&"Promote"));
    let plan = world.plan();
    world.carry_out(plan.clone());
    // The answer was lost, and an operator of before sends it once more.
    world.carry_out(plan);
    assert!(world.refused.iter().any(|words| words.contains("can only promote a learner")), "{:?}", world.refused);
    world.tick();
    assert!(!world.plan_peek().contains(&"Promote"));
    world.run_until_settled(200);
}

#[test]
fn a_member_that_never_votes_leaves_a_place_for_voters_that_join() {
    let mut world = World::settled(THREE);
    let mut shares = voters(THREE);
    shares.push(("vdc4", 1, MemberRole::Learner));
    world.want(&shares);
    world.run_until_settled(50);
    let plan = world.plan();
    assert_eq!((plan.group.learners, plan.group.health), (0, kogge_etcd::Health::Ready));
    let surplus = plan.findings.iter().find(|f| f.kind == FindingKind::Surplus).unwrap();
    assert!(surplus.message.contains("maxLearners"), "{}", surplus.message);
    world.goal.max_learners = 2;
    world.run_until_settled(50);
    assert_eq!(world.plan().group.learners, 1);
    assert!(world.plan().findings.iter().all(|f| f.kind != FindingKind::Surplus));
}

#[test]
fn nobody_joins_before_its_disk_is_proven_empty() {
    let mut world = grown_from(ONE, THREE);
    world.tick();
    for node in ["vdc2", "vdc3"] {
        world.node(&pod(node, 0)).facts().gate = None;
    }
    assert!(world.actions().is_empty());
}

#[test]
fn a_learner_that_was_removed_by_hand_joins_again_only_once_that_is_recorded() {
    let mut world = grown_from(ONE, THREE);
    world.run_until(|world| world.goal.members.iter().filter(|m| m.anchor.member_id.is_some()).count() == 2);
    let listed = world.group().members().iter().find(|m| m.learner).unwrap().clone();
    let joiner = world.goal.members.iter().find(|m| m.peer_url == listed.peer_urls[0]).unwrap().pod.clone();
    let step = kogge_etcd::Step {
        action: Action::Remove { via: world.leader(), pod: joiner.clone(), member_id: listed.id },
        reason: String::new(),
        waits_for: String::new(),
    };
    world.apply(&step);
    let steps = world.believed().steps;
    assert_eq!(World::members_of(&steps, "RecordRemoved"), std::slice::from_ref(&joiner));
    assert!(!World::members_of(&steps, "AddLearner").contains(&joiner));
    world.run_until_settled(200);
}
