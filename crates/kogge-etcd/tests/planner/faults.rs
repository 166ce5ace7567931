//! Faults: cases 41 to 50, and 57.

use std::collections::BTreeSet;

use kogge_etcd::{Alarm, AlarmKind, FindingKind, Health, MemberId, RefusedPeer, Server, Topology, Window, plan};

use crate::support::{World, pod, voters};

const THREE: &[(&str, u32)] = &[("vdc1", 1), ("vdc2", 1), ("vdc3", 1)];
const FIVE: &[(&str, u32)] = &[("vdc1", 2), ("vdc2", 2), ("vdc3", 1)];

#[test]
fn etcd_41_a_minority_that_is_cut_off_moves_nobody() {
    let mut world = World::settled(FIVE);
    for ordinal in 0..2 {
        let node = world.node(&pod("vdc2", ordinal));
        (node.side, node.seen, node.reachable) = (1, false, false);
    }
    assert!(world.run(60).is_empty());
    let plan = world.plan();
    assert_eq!(plan.group.health, Health::Degraded);
    assert!(plan.available() && plan.group.quorum_at_risk);
    for ordinal in 0..2 {
        let node = world.node(&pod("vdc2", ordinal));
        (node.side, node.seen, node.reachable) = (0, true, true);
    }
    assert!(world.run_until_settled(20).is_empty());
}

#[test]
fn a_leader_that_is_cut_off_is_followed_by_the_next_one() {
    let mut world = World::settled(THREE);
    let old = world.leader();
    world.node(&old).side = 1;
    let steps = world.run(10);
    assert!(steps.is_empty());
    assert_ne!(world.leader(), old);
    let plan = world.plan();
    assert_eq!(plan.group.leader, Some(world.leader()));
    assert!(plan.waiting.iter().any(|w| w.message.contains(old.as_str()) && w.message.contains("no leader")));
}

/// Lets a member say that it leads, in this term.
fn claims(topology: &Topology, who: &str, term: u64) -> Topology {
    let mut topology = topology.clone();
    let seen = topology.members.get_mut(who).unwrap();
    if let Server::Serving(state) = &mut seen.server {
        (state.leader, state.raft_term) = (Some(state.member_id), term);
    }
    topology
}

#[test]
fn etcd_42_of_two_that_say_they_lead_the_one_of_the_later_term_does() {
    let mut world = World::settled(THREE);
    let leader = world.leader();
    let term = world.group().term;
    let seen = world.look().clone();
    let other = "e-vdc3-0";
    let behind = plan(&world.goal, &claims(&seen, other, term - 1), world.now);
    assert_eq!(behind.group.leader, Some(leader.clone()));
    let ahead = plan(&world.goal, &claims(&seen, other, term + 1), world.now);
    assert_eq!(ahead.group.leader, Some(other.into()));
    assert!(ahead.steps.is_empty());
    // In the same term (they tell that of the last entry that they applied) the one that others follow.
    let equal = plan(&world.goal, &claims(&seen, other, term), world.now);
    assert_eq!(equal.group.leader, Some(leader));
}

#[test]
fn etcd_43_with_the_apis_lost_and_etcd_alive_nothing_is_done() {
    let mut world = World::settled(THREE);
    world.want(&voters(FIVE));
    for placement in ["vdc2", "vdc3"] {
        let node = world.node(&pod(placement, 0));
        (node.seen, node.reachable) = (false, false);
    }
    let steps = world.run(60);
    assert!(steps.is_empty(), "{:?}", World::names(&steps));
    let plan = world.plan();
    assert!(plan.findings.iter().all(|f| f.kind != FindingKind::MajorityLost), "{:#?}", plan.findings);
    assert!(plan.waiting.iter().any(|w| w.message.contains("1 of 3 voters are seen")));
    // All of them.
    let node = world.node(&pod("vdc1", 0));
    (node.seen, node.reachable) = (false, false);
    assert!(world.run(60).is_empty());
    assert_eq!(world.plan().group.health, Health::Unknown);
}

#[test]
fn what_is_waited_for_too_long_is_reported() {
    let mut world = World::settled(THREE);
    world.lose(&pod("vdc3", 0));
    world.run(5);
    assert!(world.plan().findings.iter().all(|f| f.kind != FindingKind::Stuck));
    world.now += 21 * 60 * 1_000;
    let plan = world.plan();
    let stuck = plan.findings.iter().find(|f| f.kind == FindingKind::Stuck).unwrap();
    assert!(stuck.message.contains("e-vdc3-0"), "{}", stuck.message);
}

#[test]
fn an_old_observation_is_none() {
    let mut world = World::settled(THREE);
    world.want(&voters(FIVE));
    let seen = world.look().clone();
    let later = plan(&world.goal, &seen, world.now + 31_000);
    assert!(later.steps.is_empty());
    assert_eq!(later.group.health, Health::Unknown);
}

#[test]
fn etcd_48_two_operators_that_add_at_once_add_one_member() {
    let mut world = World::settled(&[("vdc1", 1)]);
    world.want(&voters(THREE));
    world.run_until(|world| world.plan_peek().contains(&"AddLearner"));
    let (one, other) = (world.plan(), world.plan());
    world.carry_out(one);
    world.carry_out(other);
    assert_eq!(world.group().members().len(), 2);
    world.run_until_settled(200);
    assert_eq!(world.group().members().len(), 3);
}

fn raise(world: &mut World, of: &str, kind: AlarmKind) -> Alarm {
    let alarm = Alarm { member_id: world.id_of(&of.into()), kind };
    world.group_mut().alarms.insert(alarm);
    alarm
}

#[test]
fn etcd_49_a_database_over_its_quota_is_told_and_not_rolled() {
    let mut world = World::settled(THREE);
    let quota = world.goal.quota_bytes;
    for node in world.nodes.values_mut() {
        node.sizes = (quota + 1, quota);
    }
    raise(&mut world, "e-vdc2-0", AlarmKind::NoSpace);
    world.revision.push('+');
    let steps = world.run(20);
    assert!(steps.is_empty(), "{:?}", World::names(&steps));
    let plan = world.plan();
    let finding = plan.findings.iter().find(|f| f.kind == FindingKind::NoSpace).unwrap();
    assert!(finding.message.contains("e-vdc2-0") && finding.message.contains("quotaBackendBytes"));
    assert!(finding.message.contains(&quota.to_string()), "{}", finding.message);
    // A larger quota needs the rollout, and the alarm goes after it: also while other placements keep the former template.
    world.goal.quota_bytes = 2 * quota;
    world.goal.rolling = true;
    let mut early = world.clone();
    early.run(60);
    assert!(early.group().alarms.len() == 1, "disarmed before all templates have the new quota");
    assert!(early.plan().waiting.iter().any(|w| w.message.contains("NOSPACE")));
    world.goal.rolling = false;
    let steps = world.run_until_settled(100);
    assert_eq!(World::names(&steps).last(), Some(&"DisarmAlarm"));
    assert_eq!(World::members_of(&steps, "RestartPod").len(), 3);
}

#[test]
fn a_quota_above_what_etcd_advises_is_told_and_keeps_nothing_from_being_ready() {
    let mut world = World::settled(THREE);
    world.goal.quota_bytes = 8 << 30;
    assert!(world.plan().findings.is_empty());
    world.goal.quota_bytes = 9 << 30;
    let plan = world.plan();
    let advice = plan.findings.iter().find(|f| f.kind == FindingKind::QuotaAboveAdvised).unwrap();
    assert!(advice.kind.is_advice() && advice.message.contains("8Gi"), "{}", advice.message);
    assert!(plan.ready());
}

#[test]
fn compaction_that_is_turned_off_is_told() {
    let mut world = World::settled(THREE);
    world.goal.auto_compaction = false;
    let plan = world.plan();
    let advice = plan.findings.iter().find(|f| f.kind == FindingKind::NoAutoCompaction).unwrap();
    assert!(advice.kind.is_advice() && advice.message.contains("flags.auto-compaction-retention"));
    assert!(plan.ready());
}

#[test]
fn what_is_free_after_a_compaction_is_given_back_member_by_member() {
    let mut world = World::settled(THREE);
    let quota = world.goal.quota_bytes;
    for node in world.nodes.values_mut() {
        node.sizes = (quota + 1, quota / 4);
    }
    raise(&mut world, "e-vdc1-0", AlarmKind::NoSpace);
    let leader = world.leader();
    let steps = world.run_until_settled(50);
    assert_eq!(World::names(&steps), ["Defragment", "Defragment", "Defragment", "DisarmAlarm"]);
    assert_eq!(World::members_of(&steps, "Defragment").last(), Some(&leader));
    assert!(world.group().alarms.is_empty());
}

#[test]
fn members_are_defragmented_in_the_window_only_and_the_leader_last() {
    let mut world = World::settled(THREE);
    for node in world.nodes.values_mut() {
        node.sizes = (1 << 30, 1 << 28);
    }
    assert!(world.run(10).is_empty());
    // Told in words that do not change with the sizes, and nothing is kept from being Ready by it.
    let said = |world: &mut World, words: &str| {
        let plan = world.plan();
        let advice = plan.findings.iter().find(|f| f.kind == FindingKind::Fragmented).unwrap();
        assert!(advice.kind.is_advice() && advice.message.contains(words), "{}", advice.message);
        assert!(plan.ready() && plan.findings.len() == 1);
        advice.message.clone()
    };
    let message = said(&mut world, "set spec.maintenance.window");
    world.node(&pod("vdc1", 0)).sizes.1 += 1;
    assert_eq!(said(&mut world, "e-vdc1-0, e-vdc2-0, e-vdc3-0"), message);
    world.goal.window = Window::Closed;
    said(&mut world, "in the next maintenance window");
    assert!(world.run(10).is_empty());
    world.goal.window = Window::Open;
    world.goal.rolling = true;
    assert!(world.run(10).is_empty());
    world.goal.rolling = false;
    let mut one_down = world.clone();
    one_down.lose(&pod("vdc3", 0));
    assert!(one_down.run(10).is_empty());
    let leader = world.leader();
    let steps = world.run_until_settled(20);
    assert_eq!(World::names(&steps), ["Defragment"; 3]);
    assert_eq!(World::members_of(&steps, "Defragment").last(), Some(&leader));
}

#[test]
fn etcd_50_a_member_with_corrupt_data_is_replaced() {
    for corrupt in ["e-vdc3-0", "e-vdc1-0"] {
        let mut world = World::settled(THREE);
        let before = world.id_of(&corrupt.into());
        raise(&mut world, corrupt, AlarmKind::Corrupt);
        world.empties_old_disks = true;
        let steps = world.run(40);
        assert!(World::names(&steps).contains(&"Remove"), "{:?}", World::names(&steps));
        world.run_until_settled(100);
        assert_ne!(world.id_of(&corrupt.into()), before);
        assert!(world.group().alarms.is_empty());
    }
    // One that etcd does not name, or more than one: told, and nothing is removed.
    let mut world = World::settled(THREE);
    world.group_mut().alarms.insert(Alarm { member_id: MemberId(0), kind: AlarmKind::Corrupt });
    assert!(world.run(20).is_empty());
    assert!(world.plan().findings.iter().any(|f| f.kind == FindingKind::Corrupt));
    let mut world = World::settled(THREE);
    raise(&mut world, "e-vdc2-0", AlarmKind::Corrupt);
    raise(&mut world, "e-vdc3-0", AlarmKind::Corrupt);
    assert!(world.run(20).is_empty());
}

#[test]
fn etcd_57_a_refused_peer_certificate_is_told_with_the_peers_address() {
    let mut world = World::settled(THREE);
    world.node(&pod("vdc1", 0)).refused_peers = BTreeSet::from([RefusedPeer {
        address: "10.2.0.7:41822".to_owned(),
        reason: "does not match any of DNSNames".to_owned(),
    }]);
    let plan = world.plan();
    let finding = plan.findings.iter().find(|f| f.kind == FindingKind::PeerCertificateRefused).unwrap();
    assert!(finding.message.contains("10.2.0.7:41822") && finding.message.contains("DNSNames"));
    assert!(plan.steps.is_empty());
}

#[test]
fn a_member_that_is_not_ours_is_kept_and_counted() {
    let mut world = World::settled(THREE);
    let stranger = kogge_etcd::ListedMember {
        id: MemberId(77),
        name: Some("by-hand".to_owned()),
        peer_urls: vec!["https://by-hand:2380".into()],
        learner: false,
    };
    world.group_mut().history.last_mut().unwrap().1.push(stranger);
    let plan = world.believed();
    assert!(plan.steps.is_empty());
    let finding = plan.findings.iter().find(|f| f.kind == FindingKind::ForeignMember).unwrap();
    assert!(finding.message.contains("https://by-hand:2380"));
    assert_eq!(plan.group.voters, 4);
}

#[test]
fn a_changed_peer_url_is_written_to_the_group() {
    let mut world = World::settled(THREE);
    let pod = pod("vdc2", 0);
    let url = kogge_etcd::Url::from("https://e-vdc2-0.e.db.svc:12380");
    world.wanted(&pod).peer_url = url.clone();
    world.node(&pod).url = url.clone();
    let steps = world.run_until_settled(20);
    assert_eq!(World::names(&steps), ["UpdatePeerUrl"]);
    assert!(world.group().members().iter().any(|m| m.peer_urls == [url.clone()]));
}

#[test]
fn a_paused_database_is_left_alone_and_its_status_is_made() {
    let mut world = World::settled(&[("vdc1", 1)]);
    world.want(&voters(THREE));
    world.goal.paused = true;
    assert!(world.run(10).is_empty());
    let plan = world.plan();
    assert_eq!(plan.group.voters, 1);
    assert!(plan.waiting.iter().any(|w| w.message.contains("paused")));
}
