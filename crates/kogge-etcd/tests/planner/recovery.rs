//! A lost majority: cases 44 to 46.

use kogge_api::gate::{Disk, Report};
use kogge_etcd::{Action, FindingKind, Health, MemberId, MemberRole, PodName, SeedSource, StartState};

use crate::support::{World, pod, voters};

const THREE: &[(&str, u32)] = &[("vdc1", 1), ("vdc2", 1), ("vdc3", 1)];
const FIVE: &[(&str, u32)] = &[("vdc1", 2), ("vdc2", 2), ("vdc3", 1)];

/// Two of three vdcs are lost; the member that is left has served since before.
fn majority_lost() -> World {
    let mut world = World::settled(THREE);
    for placement in ["vdc1", "vdc2"] {
        world.lose(&pod(placement, 0));
    }
    world.run(5);
    world
}

fn declare(world: &mut World, lost: &[PodName]) {
    world.goal.recovery.lost = lost.iter().cloned().collect();
    world.goal.recovery.cut_off = true;
}

fn both() -> Vec<PodName> {
    vec![pod("vdc1", 0), pod("vdc2", 0)]
}

#[test]
fn etcd_44_a_lost_majority_is_told_and_nothing_is_forced() {
    let mut world = majority_lost();
    assert!(world.run(60).is_empty());
    let plan = world.plan();
    let finding = plan.findings.iter().find(|f| f.kind == FindingKind::MajorityLost).unwrap();
    assert!(finding.message.contains("1 of 3") && finding.message.contains("2 are needed"), "{}", finding.message);
    assert_eq!(plan.group.health, Health::Unavailable);
    assert!(plan.approvals.is_empty());
    // Members that were restarted since answer only their peers; that is no leader either.
    world.kill(&pod("vdc3", 0));
    assert!(world.run(10).is_empty());
    assert!(world.plan().findings.iter().any(|f| f.kind == FindingKind::MajorityLost));
}

#[test]
fn a_recovery_is_refused_while_something_speaks_against_it() {
    let refused = |world: &mut World, words: &str| {
        let plan = world.believed();
        assert!(plan.steps.is_empty() && plan.approvals.is_empty(), "{plan:#?}");
        let finding = plan.findings.iter().find(|f| f.kind == FindingKind::RecoveryRefused).unwrap();
        assert!(finding.message.contains(words), "{}", finding.message);
    };
    // Not cut off yet.
    let mut world = majority_lost();
    world.goal.recovery.lost = both().into_iter().collect();
    refused(&mut world, "fenced: true");
    // Its pod runs.
    let mut world = majority_lost();
    declare(&mut world, &both());
    let node = world.node(&pod("vdc1", 0));
    (node.lost, node.seen) = (false, true);
    node.make_pod("uid-back".to_owned(), "r1");
    refused(&mut world, "its pod runs");
    // A survivor whose position is not known.
    let mut world = World::settled(FIVE);
    for ordinal in 0..2 {
        world.lose(&pod("vdc1", ordinal));
        world.lose(&pod("vdc2", ordinal));
    }
    world.run(5);
    declare(&mut world, &[pod("vdc1", 0), pod("vdc1", 1), pod("vdc2", 0)]);
    refused(&mut world, "raft index of e-vdc2-1");
}

#[test]
fn a_vdc_that_was_declared_lost_while_the_group_serves_changes_nothing() {
    let mut world = World::settled(THREE);
    world.lose(&pod("vdc3", 0));
    declare(&mut world, &[pod("vdc3", 0)]);
    assert!(world.run(20).is_empty());
    assert!(world.plan().approvals.is_empty());
    // The two that are left do not reach each other for now: they are a quorum, and nothing is forced.
    world.node(&pod("vdc2", 0)).side = 1;
    world.run(5);
    let plan = world.believed();
    assert_eq!(plan.group.leader, None);
    assert!(plan.steps.is_empty() && plan.approvals.is_empty());
}

#[test]
fn etcd_45_what_was_approved_is_done_once_and_the_lost_are_fenced_before() {
    let mut world = majority_lost();
    let old = world.group().id;
    let ids: Vec<_> = both().iter().map(|pod| world.id_of(pod)).collect();
    declare(&mut world, &both());
    let plan = world.believed();
    assert!(plan.steps.is_empty());
    let approval = plan.approvals[0].clone();
    assert!(approval.message.contains("e-vdc3-0") && approval.message.contains("is lost"), "{}", approval.message);
    world.goal.recovery.approved.insert("another".to_owned());
    assert!(world.plan().steps.is_empty());
    world.goal.recovery.approved.insert(approval.hash);
    let plan = world.plan();
    assert_eq!(World::names(&plan.steps), ["FenceMember", "FenceMember", "RecordSeed"]);
    let Action::RecordSeed { seed } = &plan.steps[2].action else { panic!() };
    assert_eq!((seed.pod.clone(), seed.source), (pod("vdc3", 0), SeedSource::OwnDisk { of: old }));
    world.carry_out(plan);
    for (pod, id) in both().iter().zip(&ids) {
        assert_eq!(world.goal.recovery.fenced.get(pod), Some(id));
    }
    let steps = world.run(20);
    assert_eq!(World::names(&steps), ["RestartPod", "AllowStart", "MarkInitialized"]);
    let plan = world.plan();
    assert_eq!((plan.group.leader.clone(), plan.group.voters), (Some(pod("vdc3", 0)), 1));
    assert!(plan.approvals.is_empty());
    assert!(plan.findings.iter().any(|f| f.kind == FindingKind::HeldOut && f.message.contains("--readmit")));
    // It is worth one recovery: with the next loss the same hash does nothing.
    assert_eq!(world.goal.seed.as_ref().unwrap().incarnation, 1);
    assert_ne!(world.group().id, old);
}

#[test]
fn etcd_46_a_lost_vdc_that_returns_is_held_and_joins_only_empty() {
    let mut world = majority_lost();
    declare(&mut world, &both());
    let hash = world.believed().approvals[0].hash.clone();
    world.goal.recovery.approved.insert(hash);
    world.run(20);
    // They come back with their old disks. Together they are a quorum of the old group.
    world.goal.recovery.lost.clear();
    for pod in both() {
        let node = world.node(&pod);
        (node.lost, node.seen) = (false, true);
    }
    let steps = world.run(20);
    assert!(steps.is_empty(), "{:?}", World::names(&steps));
    assert!(both().iter().all(|pod| world.nodes[pod].process.is_none()), "an old quorum serves on");
    // Their gates hold them as they should: what is told is how they may come back.
    let plan = world.plan();
    let told = |kind: FindingKind| plan.findings.iter().filter(|f| f.kind == kind).count();
    assert_eq!((told(FindingKind::HeldOut), told(FindingKind::HeldByGate)), (2, 0), "{:#?}", plan.findings);
    // Wiped alone does not let them in, and neither does your word alone.
    world.wipe(&pod("vdc1", 0));
    world.goal.recovery.readmitted.insert(pod("vdc2", 0));
    let steps = world.run(20);
    assert!(steps.is_empty(), "{:?}", World::names(&steps));
    world.goal.recovery.readmitted.insert(pod("vdc1", 0));
    world.wipe(&pod("vdc2", 0));
    world.run_until_settled(200);
    assert_eq!(world.group().voters().count(), 3);
}

#[test]
fn the_survivor_that_knows_most_is_restored_and_the_others_are_held() {
    let mut world = World::settled(FIVE);
    for ordinal in 0..2 {
        world.lose(&pod("vdc1", ordinal));
    }
    world.lose(&pod("vdc3", 0));
    world.run(3);
    if let crate::support::Disk::Data(data) = &mut world.node(&pod("vdc2", 0)).disk {
        data.applied -= 5;
    }
    declare(&mut world, &[pod("vdc1", 0), pod("vdc1", 1), pod("vdc3", 0)]);
    let plan = world.believed();
    assert!(plan.approvals[0].message.contains("disk of e-vdc2-1"), "{}", plan.approvals[0].message);
    world.goal.recovery.approved.insert(plan.approvals[0].hash.clone());
    let steps = world.run(30);
    assert_eq!(World::names(&steps).iter().filter(|n| **n == "FenceMember").count(), 4);
    // The other survivor still ran for the old group: its pod is made again, and its gate holds.
    assert_eq!(World::members_of(&steps, "RestartPod"), [pod("vdc2", 1), pod("vdc2", 0)]);
    assert!(world.nodes[&pod("vdc2", 0)].process.is_none());
}

#[test]
fn a_disk_that_was_to_be_restored_and_is_empty_is_reported() {
    let mut world = majority_lost();
    declare(&mut world, &both());
    let hash = world.believed().approvals[0].hash.clone();
    world.goal.recovery.approved.insert(hash);
    let plan = world.plan();
    world.carry_out(plan);
    world.wipe(&pod("vdc3", 0));
    assert!(world.run(20).is_empty());
    assert!(
        world.plan().findings.iter().any(|f| f.kind == FindingKind::SeedLost && f.message.contains("restored"))
    );
}

/// What was approved is recorded, and the survivor's pod is made again, whose gate waits.
fn about_to_restore() -> World {
    let mut world = majority_lost();
    declare(&mut world, &both());
    let hash = world.believed().approvals[0].hash.clone();
    world.goal.recovery.approved.insert(hash);
    for _ in 0..2 {
        let plan = world.plan();
        world.carry_out(plan);
        world.tick();
    }
    world
}

#[test]
fn the_seed_restores_once_its_gate_has_seen_the_data_and_in_that_pod() {
    let mut world = about_to_restore();
    let survivor = pod("vdc3", 0);
    let url = world.nodes[&survivor].url.clone();
    // What the gate of the pod before saw says nothing of this one.
    world.node(&survivor).facts().gate = None;
    assert!(world.plan().steps.is_empty());
    for disk in [Disk::Empty, Disk::Unused] {
        world.node(&survivor).facts().gate = Some(Report::Open { disk, message: "by the gate".to_owned() });
        assert!(world.plan().steps.is_empty(), "a seed that is restored never starts empty");
    }
    world.node(&survivor).facts().gate =
        Some(Report::Open { disk: Disk::Data, message: "by the gate".to_owned() });
    let plan = world.plan();
    let [step] = &plan.steps[..] else { panic!("{:?}", plan.steps) };
    let Action::AllowStart { pod, start } = &step.action else { panic!("{step:?}") };
    assert_eq!(
        (pod, start.state, &start.uid),
        (&survivor, StartState::New, &world.node(&survivor).facts().uid.clone())
    );
    assert_eq!(start.initial_cluster.iter().collect::<Vec<_>>(), [(&url, &survivor)]);
    assert_eq!(start.token, world.goal.seed.as_ref().unwrap().token(&world.goal.uid));
    world.carry_out(plan);
    // Its pod ends in the middle, and the next one goes on.
    world.kill(&survivor);
    let steps = world.run(20);
    assert_eq!(World::names(&steps), ["AllowStart", "MarkInitialized"]);
    assert_eq!(world.plan().group.leader, Some(survivor));
}

#[test]
fn what_the_survivor_does_not_list_does_not_count_as_the_new_group() {
    let mut world = majority_lost();
    // One that was removed while the anchors could not be written.
    world.want(&voters(&[("vdc1", 1), ("vdc2", 1), ("vdc3", 1), ("vdc4", 1)]));
    world.lose(&pod("vdc4", 0));
    let gone = world.wanted(&pod("vdc4", 0));
    (gone.anchor.member_id, gone.anchor.initialized) = (Some(MemberId(4)), true);
    declare(&mut world, &both());
    let hash = world.believed().approvals[0].hash.clone();
    world.goal.recovery.approved.insert(hash);
    let steps = world.run(20);
    assert_eq!(World::members_of(&steps, "FenceMember").len(), 3);
    assert_eq!(world.plan().group.leader, Some(pod("vdc3", 0)));
}

#[test]
fn a_learner_is_not_restored_from() {
    let mut shares = voters(THREE);
    shares.push(("reader", 1, MemberRole::Learner));
    let mut world = World::new(THREE);
    world.goal.max_learners = 2;
    world.want(&shares);
    world.run_until_settled(300);
    world.run(8);
    for placement in ["vdc1", "vdc2"] {
        world.lose(&pod(placement, 0));
    }
    if let crate::support::Disk::Data(data) = &mut world.node(&pod("vdc3", 0)).disk {
        data.applied -= 5;
    }
    world.run(5);
    declare(&mut world, &both());
    let approval = world.believed().approvals[0].message.clone();
    assert!(approval.contains("disk of e-vdc3-0") && approval.contains("e-reader-0 is at"), "{approval}");
    world.lose(&pod("vdc3", 0));
    declare(&mut world, &[pod("vdc1", 0), pod("vdc2", 0), pod("vdc3", 0)]);
    let plan = world.believed();
    let refused = plan.findings.iter().find(|f| f.kind == FindingKind::RecoveryRefused).unwrap();
    assert!(
        plan.approvals.is_empty() && refused.message.contains("e-reader-0 is a learner"),
        "{}",
        refused.message
    );
}
