//! Lost disks and members that come back: cases 24 to 31.

use kogge_api::gate::HoldReason;
use kogge_etcd::{Action, FindingKind};

use crate::support::{Disk, World, pod, voters};

const THREE: &[(&str, u32)] = &[("vdc1", 1), ("vdc2", 1), ("vdc3", 1)];
const FIVE: &[(&str, u32)] = &[("vdc1", 2), ("vdc2", 2), ("vdc3", 1)];

const REPLACED: [&str; 8] = [
    "Remove",
    "RecordRemoved",
    "RestartPod",
    "AddLearner",
    "RecordMember",
    "AllowStart",
    "MarkInitialized",
    "Promote",
];

#[test]
fn etcd_24_one_lost_disk_of_three_is_removed_added_and_promoted() {
    for lost in ["vdc1", "vdc2", "vdc3"] {
        let mut world = World::settled(THREE);
        let victim = pod(lost, 0);
        let before = world.id_of(&victim);
        world.wipe(&victim);
        let steps = world.run_until_settled(100);
        assert_eq!(World::names(&steps), REPLACED);
        assert_ne!(world.id_of(&victim), before);
        assert_eq!(world.group().voters().count(), 3);
    }
}

#[test]
fn two_lost_disks_of_five_leave_before_either_comes_back() {
    let mut world = World::settled(FIVE);
    world.wipe(&pod("vdc1", 1));
    world.wipe(&pod("vdc3", 0));
    let steps = world.run_until_settled(200);
    let changes: Vec<_> = steps.iter().filter(|s| World::is_change(&s.action)).cloned().collect();
    assert_eq!(World::names(&changes)[..2], ["Remove", "Remove"]);
    assert_eq!(world.group().voters().count(), 5);
}

#[test]
fn etcd_25_under_the_same_url_the_gate_waits_for_everybodys_list() {
    let mut world = World::settled(FIVE);
    let victim = pod("vdc3", 0);
    world.wipe(&victim);
    world.run_until(|world| {
        let anchor = &world.goal.member(&pod("vdc3", 0)).unwrap().anchor;
        anchor.removed.is_some() && anchor.member_id.is_some()
    });
    assert_eq!(world.clone().actions(), ["AllowStart"]);
    // One member is cut off from its peers since before the removal, and still lists the old id.
    let late = pod("vdc2", 1);
    let node = world.node(&late);
    if let Disk::Data(data) = &mut node.disk {
        data.applied = 5;
    }
    assert!(world.actions().is_empty());
    let plan = world.plan();
    assert!(
        plan.waiting.iter().any(|w| w.member.as_ref() == Some(&late) && w.message.contains("list of members"))
    );
    world.run_until_settled(100);
}

#[test]
fn etcd_26_an_empty_disk_is_held_until_its_member_was_added_again() {
    let mut world = World::settled(THREE);
    let victim = pod("vdc2", 0);
    world.wipe(&victim);
    let mut started = Vec::new();
    for _ in 0..60 {
        let plan = world.plan();
        if plan.ready() {
            break;
        }
        started.extend(World::names(&world.carry_out(plan)));
        world.tick();
        // The world itself panics where a server starts empty under an id that held data.
        if world.nodes[&victim].runs().is_some() {
            assert!(started.contains(&"AddLearner") && started.contains(&"AllowStart"), "{started:?}");
        }
    }
    assert!(world.plan().ready());
}

#[test]
fn what_the_gate_has_not_said_several_times_costs_nothing() {
    let mut world = World::settled(THREE);
    let victim = pod("vdc2", 0);
    world.wipe(&victim);
    world.tick();
    assert!(world.plan().steps.is_empty());
    assert!(world.plan().steps.is_empty());
    assert_eq!(World::names(&world.plan().steps), ["Remove"]);
    // Silence is no lost disk, and neither is a server that a peer hears.
    let mut silent = World::settled(THREE);
    silent.lose(&victim);
    assert!(silent.run(30).is_empty());
    let node = world.node(&victim);
    node.hold(HoldReason::LostDisk, "from before");
    node.disk = silent.nodes[&victim].disk.clone();
    let mut heard = World::settled(THREE);
    heard.node(&victim).reachable = false;
    let gate = world.node(&victim).facts().gate.clone();
    heard.node(&victim).facts().gate = gate;
    assert!(heard.actions().is_empty());
}

#[test]
fn etcd_27_a_lost_disk_that_returns_is_refused_under_its_old_id() {
    let mut world = World::settled(THREE);
    let victim = pod("vdc3", 0);
    let old = world.nodes[&victim].disk.clone();
    world.wipe(&victim);
    world.run_until_settled(100);
    // Its volume turns up again under the member of now.
    world.kill(&victim);
    world.node(&victim).disk = old;
    let steps = world.run(20);
    assert!(steps.is_empty(), "{:?}", World::names(&steps));
    let plan = world.plan();
    let finding = plan.findings.iter().find(|f| f.kind == FindingKind::HeldByGate).unwrap();
    assert!(finding.message.contains("OldDisk"), "{}", finding.message);
    assert!(world.nodes[&victim].process.is_none());
}

#[test]
fn etcd_28_an_older_image_of_a_disk_is_a_lost_disk() {
    let mut world = World::settled(THREE);
    let victim = pod("vdc3", 0);
    world.kill(&victim);
    world.tick();
    // The gate compares the disk's index with the one that the anchor has, and holds.
    world.node(&victim).hold(HoldReason::LostDisk, "the disk is an older image");
    let mut plan = world.believed();
    assert_eq!(World::names(&plan.steps), ["Remove"]);
    assert!(plan.findings.iter().any(|f| f.kind == FindingKind::LostDisk && f.message.contains("older image")));
    plan.steps.truncate(1);
    world.carry_out(plan);
    // Recorded as removed, its disk is an old one, and somebody empties it.
    world.empties_old_disks = true;
    world.run_until_settled(100);
}

#[test]
fn etcd_29_two_lost_disks_of_three_are_a_lost_majority() {
    let mut world = World::settled(THREE);
    world.wipe(&pod("vdc2", 0));
    world.wipe(&pod("vdc3", 0));
    assert!(world.run(30).is_empty());
    let plan = world.plan();
    let finding = plan.findings.iter().find(|f| f.kind == FindingKind::MajorityLost).unwrap();
    assert!(finding.message.contains("1 of 3"), "{}", finding.message);
}

#[test]
fn etcd_30_a_member_that_was_removed_by_hand_is_held_and_joins_only_empty() {
    let mut world = World::settled(THREE);
    let victim = pod("vdc3", 0);
    let id = world.id_of(&victim);
    let via = world.leader();
    world.apply(&kogge_etcd::Step {
        action: Action::Remove { via, pod: victim.clone(), member_id: id },
        reason: String::new(),
        waits_for: String::new(),
    });
    let steps = world.run(20);
    assert_eq!(World::names(&steps), ["RecordRemoved"]);
    let anchor = world.goal.member(&victim).unwrap().anchor.clone();
    assert_eq!((anchor.removed, anchor.member_id), (Some(id), None));
    assert!(world.plan().findings.iter().any(|f| f.kind == FindingKind::HeldByGate));
    world.wipe(&victim);
    world.run_until_settled(100);
    assert_ne!(world.id_of(&victim), id);
}

#[test]
fn etcd_31_a_new_address_with_the_same_disk_is_nothing() {
    let mut world = World::settled(THREE);
    // The pods are made elsewhere, one after another, with their volumes.
    for placement in ["vdc1", "vdc2", "vdc3"] {
        world.kill(&pod(placement, 0));
        let steps = world.run(20);
        assert!(steps.is_empty(), "{:?}", World::names(&steps));
    }
    assert!(world.plan().ready());
}

#[test]
fn a_learner_that_lost_its_disk_joins_again_under_another_id() {
    let mut world = World::settled(&[("vdc1", 1)]);
    world.want(&voters(THREE));
    world.run_until(|world| world.nodes[&pod("vdc2", 0)].data().is_some());
    let before = world.id_of(&pod("vdc2", 0));
    world.wipe(&pod("vdc2", 0));
    world.run_until_settled(200);
    assert_ne!(world.id_of(&pod("vdc2", 0)), before);
}

#[test]
fn a_dead_member_that_leaves_goes_before_its_replacement_joins() {
    let mut world = World::settled(THREE);
    world.lose(&pod("vdc3", 0));
    world.run(5);
    world.want(&voters(&[("vdc1", 1), ("vdc2", 1), ("vdc4", 1)]));
    let steps = world.run_until_settled(100);
    let names = World::names(&steps);
    let at = |name: &str| names.iter().position(|n| *n == name).unwrap();
    assert!(at("Remove") < at("AddLearner"), "{names:?}");
    assert_eq!(world.group().voters().count(), 3);
}

#[test]
fn a_member_that_is_cut_off_with_an_old_list_holds_no_removal() {
    let mut world = World::settled(FIVE);
    let late = pod("vdc2", 1);
    if let Disk::Data(data) = &mut world.node(&late).disk {
        data.applied = 5;
    }
    world.node(&late).side = 1;
    world.wipe(&pod("vdc3", 0));
    let steps = world.run(20);
    assert_eq!(World::members_of(&steps, "Remove"), [pod("vdc3", 0)]);
    // But nobody starts under the same URL while it may still know the old id.
    assert!(!World::names(&steps).contains(&"AllowStart"));
    world.node(&late).side = 0;
    world.run_until_settled(100);
}

#[test]
fn a_server_under_its_old_id_proves_nothing_of_the_new_one() {
    let mut world = World::settled(THREE);
    let victim = pod("vdc3", 0);
    let old = world.id_of(&victim);
    // Somebody removed it and added its URL again by hand, while its server was cut off and just restarted.
    world.node(&victim).side = 1;
    world.kill(&victim);
    world.tick();
    let via = world.leader();
    for action in [
        Action::Remove { via: via.clone(), pod: victim.clone(), member_id: old },
        Action::AddLearner { via, pod: victim.clone(), peer_url: world.nodes[&victim].url.clone() },
    ] {
        world.tick();
        world.apply(&kogge_etcd::Step { action, reason: String::new(), waits_for: String::new() });
    }
    let steps = world.run(20);
    assert!(!World::names(&steps).contains(&"MarkInitialized"), "{:?}", World::names(&steps));
    assert!(!world.goal.member(&victim).unwrap().anchor.initialized);
}
