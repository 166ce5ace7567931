//! From nothing to a group: cases 1 to 9.

use kogge_api::gate::Report;
use kogge_etcd::{Action, FindingKind, Health, Pod, StartState, Token, Vdc, ids};

use crate::support::{Disk, World, pod};

const TWO: &[(&str, u32)] = &[("vdc1", 1), ("vdc2", 1)];
const THREE: &[(&str, u32)] = &[("vdc1", 1), ("vdc2", 1), ("vdc3", 1)];

#[test]
fn a_group_of_three_begins_with_one_seed_and_grows() {
    let mut world = World::new(THREE);
    let steps = world.run_until_settled(100);
    let joins = ["AddLearner", "RecordMember", "AllowStart", "MarkInitialized", "Promote"];
    assert_eq!(World::names(&steps)[..3], ["RecordSeed", "AllowStart", "MarkInitialized"]);
    assert_eq!(World::names(&steps)[3..8], joins);
    assert_eq!(World::names(&steps)[8..], joins);
    assert_eq!(world.group().voters().count(), 3);
    assert!(world.refused.is_empty(), "{:?}", world.refused);
    let plan = world.plan();
    assert!(plan.ready() && plan.findings.is_empty(), "{plan:#?}");
}

#[test]
fn etcd_01_two_empty_placements_have_one_seed() {
    let mut world = World::new(TWO);
    world.tick();
    let steps = world.plan().steps;
    let [Action::RecordSeed { seed }] = &steps.iter().map(|s| s.action.clone()).collect::<Vec<_>>()[..] else {
        panic!("{steps:#?}");
    };
    // The ids are those that etcd will make of the URL and the token.
    let url = world.goal.member(&seed.pod).unwrap().peer_url.clone();
    assert_eq!(seed.member_id, ids::member_id(&[url], &Token::of(&world.goal.uid, 0)));
    let steps = world.run(40);
    let new = |step: &kogge_etcd::Step| matches!(&step.action, Action::AllowStart { start, .. } if start.state == StartState::New);
    assert_eq!(steps.iter().filter(|step| new(step)).count(), 1);
    assert_eq!(world.groups.len(), 1);
}

#[test]
fn etcd_02_a_placement_unseen_means_no_seed() {
    let mut world = World::new(THREE);
    world.tick();
    world.goal.unseen.insert("vdc2".into(), "its API is not responding".to_owned());
    let plan = world.plan();
    assert!(plan.steps.is_empty());
    assert!(plan.waiting.iter().any(|w| w.message.contains("vdc2") && w.message.contains("not responding")));
    assert_eq!(plan.group.health, Health::Pending);
    assert!(plan.findings.iter().all(|f| f.kind != FindingKind::MajorityLost), "{:#?}", plan.findings);
    world.goal.unseen.clear();
    // A pod that is not seen, or whose gate has not spoken, is not proven empty either.
    let seen = world.clone();
    world.node(&pod("vdc2", 0)).seen = false;
    assert!(world.plan().steps.is_empty());
    world = seen.clone();
    world.node(&pod("vdc2", 0)).facts().gate = None;
    assert!(world.plan().steps.is_empty());
    world = seen.clone();
    world.node(&pod("vdc2", 0)).facts().running = false;
    assert!(world.plan().steps.is_empty());
    world = seen.clone();
    let data = Report::Open { disk: kogge_api::gate::Disk::Data, message: "its server is down".to_owned() };
    world.node(&pod("vdc2", 0)).facts().gate = Some(data);
    assert!(world.plan().steps.is_empty());
    world = seen;
    world.node(&pod("vdc2", 0)).disk = Disk::Litter;
    world.node(&pod("vdc2", 0)).pod = Pod::Absent;
    world.tick();
    assert!(world.plan().steps.is_empty(), "litter seen once is no proof");
    assert_eq!(world.actions(), ["RecordSeed"]);
}

#[test]
fn etcd_03_a_crash_after_the_seed_was_recorded_keeps_its_ids() {
    let mut world = World::new(THREE);
    world.tick();
    let plan = world.plan();
    world.carry_out(plan);
    let seed = world.goal.seed.clone().unwrap();
    // Another operator, to whom the seed's vdc is one that the leader shall not be in.
    world.goal.away_from.insert(Vdc::from("vdc1"));
    world.run_until_settled(100);
    assert_eq!(world.goal.seed.as_ref(), Some(&seed));
    assert_eq!(world.id_of(&seed.pod), seed.member_id);
    assert_eq!(world.groups.len(), 1);
}

#[test]
fn a_seed_that_is_not_wanted_any_more_is_reported() {
    let mut world = World::new(THREE);
    world.tick();
    let plan = world.plan();
    world.carry_out(plan);
    world.goal.members.retain(|m| m.pod != pod("vdc1", 0));
    let plan = world.plan();
    assert!(plan.steps.is_empty());
    assert!(plan.findings.iter().any(|f| f.kind == FindingKind::SeedLost));
}

/// The seed has run, and nobody has recorded it.
fn seed_runs() -> World {
    let mut world = World::new(THREE);
    world.run(3);
    assert_eq!(world.groups.len(), 1);
    assert!(world.goal.members.iter().all(|m| !m.anchor.initialized));
    world
}

#[test]
fn etcd_04_a_seed_that_lost_its_disk_alone_is_not_started_again() {
    let mut world = seed_runs();
    let seed = world.goal.seed.clone().unwrap();
    world.wipe(&seed.pod);
    assert!(world.run(30).is_empty());
    let plan = world.plan();
    let finding = plan.findings.iter().find(|f| f.kind == FindingKind::SeedLost).unwrap();
    assert!(finding.message.contains(seed.pod.as_str()));
    assert_eq!(world.groups.len(), 1);
    // Only your approval begins again, once, under other ids.
    world.goal.recovery.approved.insert(plan.approvals[0].hash.clone());
    world.run_until_settled(100);
    let again = world.goal.seed.clone().unwrap();
    assert_eq!(again.incarnation, 1);
    assert_ne!(again.cluster_id, seed.cluster_id);
}

#[test]
fn a_seed_whose_disk_is_emptied_under_its_gate_is_held_until_you_approve() {
    let mut world = seed_runs();
    let seed = world.goal.seed.clone().unwrap().pod;
    // The server ends, and its container starts again in the same pod.
    let node = world.node(&seed);
    (node.process, node.disk) = (None, Disk::Empty);
    assert!(world.run(10).is_empty());
    let approval = world.plan().approvals[0].clone();
    assert!(approval.message.contains("is lost"), "{}", approval.message);
    world.goal.recovery.approved.insert(approval.hash);
    let steps = world.run_until_settled(100);
    assert_eq!(World::names(&steps)[..3], ["RecordSeed", "RestartPod", "AllowStart"]);
}

#[test]
fn a_seed_that_was_recorded_and_lost_its_disk_is_reported() {
    let mut world = seed_runs();
    let seed = world.goal.seed.clone().unwrap().pod;
    let steps = world.plan().steps;
    assert_eq!(steps[0].action.name(), "MarkInitialized");
    world.apply(&steps[0]);
    world.wipe(&seed);
    assert!(world.run(30).is_empty());
    let plan = world.plan();
    assert!(plan.findings.iter().any(|f| f.kind == FindingKind::GroupLost), "{plan:#?}");
    assert!(plan.approvals.is_empty());
}

#[test]
fn a_seed_whose_first_start_failed_starts_again_on_the_same_disk() {
    let mut world = World::new(THREE);
    world.run(2);
    let seed = world.goal.seed.clone().unwrap().pod;
    // etcd ended before it wrote a log; then the pod was made again.
    world.node(&seed).disk = Disk::Litter;
    world.kill(&seed);
    world.run_until_settled(100);
    assert_eq!(world.goal.seed.as_ref().unwrap().incarnation, 0);
}

#[test]
fn etcd_05_a_group_whose_anchors_are_lost_is_adopted_by_its_id() {
    let mut world = World::settled(THREE);
    let seed = world.goal.seed.take().unwrap();
    for member in &mut world.goal.members {
        member.anchor = kogge_etcd::MemberAnchor::default();
    }
    let steps = world.run_until_settled(20);
    assert_eq!(World::names(&steps), ["RecordSeed", "MarkInitialized", "MarkInitialized", "MarkInitialized"]);
    assert_eq!(world.goal.seed, Some(seed));
}

#[test]
fn etcd_06_a_foreign_cluster_is_refused() {
    let mut world = World::settled(THREE);
    // The same names and volumes, and another database.
    world.goal.uid = "another".to_owned();
    world.goal.seed = None;
    for member in &mut world.goal.members {
        member.anchor = kogge_etcd::MemberAnchor::default();
    }
    assert!(world.run(20).is_empty());
    let plan = world.plan();
    let foreign = plan.findings.iter().filter(|f| f.kind == FindingKind::ForeignCluster);
    assert_eq!(foreign.count(), 3);
    // One stranger among members of ours is left alone.
    let mut world = World::settled(THREE);
    let mut other = World::new(&[("vdc3", 1)]);
    other.goal.uid = "another".to_owned();
    other.run_until_settled(30);
    let stranger = pod("vdc3", 0);
    world.nodes.insert(stranger.clone(), other.nodes[&stranger].clone());
    world.groups.extend(other.groups);
    assert!(world.actions().is_empty());
    assert!(world.plan().findings.iter().any(|f| f.kind == FindingKind::ForeignCluster));
}

/// A member is listed and recorded, and is about to be allowed to start.
fn before_the_first_join() -> World {
    let mut world = World::new(THREE);
    world.run_until(|world| world.goal.members.iter().filter(|m| m.anchor.member_id.is_some()).count() == 2);
    world
}

#[test]
fn etcd_07_a_list_that_is_not_the_members_is_written_again() {
    let mut world = before_the_first_join();
    let joiner = pod("vdc2", 0);
    // The gate starts the server with a list that lacks a member: etcd exits, and leaves litter.
    let plan = world.plan();
    let Some(Action::AllowStart { start, .. }) = plan.steps.first().map(|s| s.action.clone()) else {
        panic!("{plan:#?}")
    };
    let mut wrong = start.clone();
    wrong.initial_cluster.pop_first();
    world.wanted(&joiner).anchor.start = Some(wrong);
    world.tick();
    assert_eq!(world.nodes[&joiner].disk, Disk::Litter);
    let steps = world.run_until_settled(100);
    assert_eq!(World::names(&steps)[0], "AllowStart");
    assert!(!World::names(&steps).contains(&"Remove"));
}

#[test]
fn etcd_08_a_name_that_comes_late_holds_the_joiner_and_removes_nobody() {
    let mut world = before_the_first_join();
    let joiner = pod("vdc2", 0);
    world.node(&joiner).facts().resolves_everywhere = false;
    assert!(world.run(20).is_empty());
    let plan = world.plan();
    assert!(
        plan.waiting.iter().any(|w| w.member.as_ref() == Some(&joiner) && w.message.contains("does not resolve"))
    );
    world.node(&joiner).facts().resolves_everywhere = true;
    let steps = world.run_until_settled(100);
    assert!(!World::names(&steps).contains(&"Remove"));
}

#[test]
fn etcd_09_a_database_made_again_under_the_same_name_has_another_token() {
    let mut first = World::settled(THREE);
    let mut second = World::new(THREE);
    second.goal.uid = "made-again".to_owned();
    second.run_until_settled(100);
    let of = |world: &mut World| world.group().id;
    assert_ne!(of(&mut first), of(&mut second));
    assert_ne!(first.goal.seed.unwrap().token(&first.goal.uid), second.goal.seed.unwrap().token(&second.goal.uid));
}
