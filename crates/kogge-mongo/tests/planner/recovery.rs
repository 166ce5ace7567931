//! A lost majority and what a person decides about it: five members in three vdcs, two of which are gone.

use std::collections::BTreeSet;

use kogge_api::gate;
use kogge_mongo::{
    Action, FindingKind, MemberId, MemberState, OpTime, Plan, Pod, PodName, Replication, Server, plan,
};

use crate::support::{Disk, SHARD, World};

const FIVE: &[(&str, u32)] = &[("vdc1", 2), ("vdc2", 2), ("vdc3", 1)];
const LOST: [&str; 3] = ["ll-shard-0-vdc2-0", "ll-shard-0-vdc2-1", "ll-shard-0-vdc3-0"];
const LEFT: [&str; 2] = ["ll-shard-0-vdc1-0", "ll-shard-0-vdc1-1"];

/// Two vdcs are gone; nobody has said anything about it.
fn disaster() -> World {
    let mut world = World::settled(FIVE);
    for pod in LOST {
        let member = world.member(pod);
        (member.up, member.reachable) = (false, false);
        member.pod = Pod::Unknown { reason: "its worker does not answer".to_owned() };
    }
    world.tick();
    world
}

fn declare(world: &mut World, pods: &[&str]) {
    let recovery = &mut world.goal.sets[0].recovery;
    recovery.lost = pods.iter().map(|pod| PodName::new(*pod)).collect();
    recovery.cut_off = true;
}

fn approve(world: &mut World) -> String {
    let plan = world.plan();
    assert_eq!(plan.approvals.len(), 1, "{plan:#?}");
    let hash = plan.approvals[0].hash.clone();
    world.goal.sets[0].recovery.approved.insert(hash.clone());
    hash
}

fn forces(plan: &Plan) -> bool {
    plan.steps.iter().any(|step| matches!(step.action, Action::ForceReconfig { .. }))
}

fn refusal(plan: &Plan) -> &str {
    assert!(!forces(plan));
    assert!(plan.approvals.is_empty(), "{plan:#?}");
    &plan.findings.iter().find(|f| f.kind == FindingKind::RecoveryRefused).expect("nothing is refused").message
}

/// Forced, and with a primary again.
fn recovered() -> World {
    let mut world = disaster();
    declare(&mut world, &LOST);
    approve(&mut world);
    for step in world.plan().steps {
        world.apply(&step);
    }
    world.tick();
    world.tick();
    world
}

#[test]
fn case_39_nothing_is_forced_before_a_person_declared_and_approved_it() {
    let mut world = disaster();
    assert!(world.plan().steps.is_empty() && world.plan().approvals.is_empty());
    declare(&mut world, &LOST);
    let plan = world.plan();
    assert!(plan.steps.is_empty(), "{plan:#?}");
    let what = &plan.approvals[0].what;
    assert!(what.contains("go on without ll-shard-0-vdc2-0 (member"), "{what}");
    assert!(what.contains("whatever was acknowledged after its last entry (1000, 1) of term 1 is lost"), "{what}");

    world.goal.sets[0].recovery.approved.insert("0000000000000000".to_owned());
    assert!(!forces(&world.plan()), "forced by another hash");
}

#[test]
fn case_40_a_force_runs_once_per_approval() {
    let mut world = disaster();
    declare(&mut world, &LOST);
    let hash = approve(&mut world);
    let steps = world.plan().steps;
    assert_eq!(steps.iter().filter(|s| s.action.name() == "FenceMember").count(), 3, "recorded before it is done");
    assert_eq!(steps.last().unwrap().action.name(), "ForceReconfig");
    for step in steps {
        world.apply(&step);
    }
    let left: BTreeSet<&str> = world.config(SHARD).members.iter().map(|m| m.host.as_str()).collect();
    assert_eq!(left.len(), 2, "exactly the lost members are gone: {left:?}");
    for _ in 0..5 {
        assert!(!forces(&world.plan()));
        world.tick();
    }
    assert!(world.plan().available());

    // The same disaster again, with the approval still standing: it was for another config.
    world.member(LEFT[0]).up = false;
    world.member(LEFT[0]).reachable = false;
    world.tick();
    declare(&mut world, &[LOST[0], LOST[1], LOST[2], LEFT[0]]);
    world.member(LEFT[0]).pod = Pod::Absent;
    let plan = world.plan();
    assert!(!forces(&plan));
    assert_ne!(plan.approvals[0].hash, hash);
}

#[test]
fn an_approval_is_for_the_config_that_it_was_shown_for() {
    let mut world = disaster();
    declare(&mut world, &LOST);
    approve(&mut world);
    assert!(forces(&world.plan()));
    world.set(SHARD).config.as_mut().unwrap().stamp.version += 1;
    assert!(!forces(&world.plan()));
    // Nor for other members.
    let mut world = disaster();
    declare(&mut world, &LOST);
    approve(&mut world);
    declare(&mut world, &[LOST[0], LOST[1], LOST[2], LEFT[1]]);
    world.member(LEFT[1]).up = false;
    world.member(LEFT[1]).reachable = false;
    world.member(LEFT[1]).pod = Pod::Absent;
    assert!(!forces(&world.plan()));
}

#[test]
fn what_may_still_live_is_not_given_up() {
    let mut world = disaster();
    declare(&mut world, &LOST);
    approve(&mut world);
    assert!(forces(&world.plan()));

    // It is not said that it is cut off.
    let mut unfenced = world.clone();
    unfenced.goal.sets[0].recovery.cut_off = false;
    assert!(refusal(&unfenced.plan()).contains("fenced: true"));

    // A voter that nobody declared lost is silent.
    let mut unknown = world.clone();
    declare(&mut unknown, &LOST[..2]);
    assert!(refusal(&unknown.plan()).contains("the state of ll-shard-0-vdc3-0 is not known"));

    // A lost one answers the operator.
    let mut answering = world.clone();
    let member = answering.member(LOST[0]);
    (member.up, member.reachable) = (true, true);
    assert!(refusal(&answering.plan()).contains("was declared lost and answers"));

    // Its worker says that its pod runs.
    let mut running = world.clone();
    let host = running.member(LOST[0]).host.clone();
    running.member(LOST[0]).pod = crate::support::Member::fresh(host, "r1").pod;
    assert!(refusal(&running.plan()).contains("its pod runs"));

    // A survivor is not SECONDARY.
    let mut rolling_back = world.clone();
    rolling_back.member(LEFT[0]).state = Some(MemberState::Rollback);
    assert!(refusal(&rolling_back.plan()).contains("ROLLBACK and not SECONDARY"));
}

#[test]
fn h37_a_survivor_that_hears_a_lost_member_holds_the_force() {
    let mut world = disaster();
    declare(&mut world, &LOST);
    approve(&mut world);
    // The operator does not reach it; the survivors do, and it is primary in a later term.
    world.member(LOST[0]).up = true;
    world.member(LOST[0]).state = Some(MemberState::Primary);
    assert!(refusal(&world.plan()).contains("still hears ll-shard-0-vdc2-0"));
}

#[test]
fn a_set_with_a_majority_is_left_alone() {
    let mut world = World::settled(FIVE);
    let lost = world.member(LOST[2]);
    (lost.up, lost.reachable) = (false, false);
    lost.pod = Pod::Unknown { reason: "its worker does not answer".to_owned() };
    world.tick();
    declare(&mut world, &LOST[2..]);
    let plan = world.plan();
    assert!(!forces(&plan) && plan.approvals.is_empty());
    assert!(plan.findings.iter().all(|f| f.kind != FindingKind::RecoveryRefused));
}

#[test]
fn the_survivor_with_the_newest_entry_is_chosen_by_term_first() {
    let mut world = disaster();
    declare(&mut world, &LOST);
    approve(&mut world);
    let mut topology = world.observe();
    // The one with the later clock has the earlier term.
    for (pod, optime) in [
        (LEFT[0], OpTime { term: 1, seconds: 9_000, increment: 0 }),
        (LEFT[1], OpTime { term: 2, seconds: 1_000, increment: 0 }),
    ] {
        let host = world.members[pod].host.clone();
        let Server::Reachable(state) = &mut topology.members.get_mut(pod).unwrap().server else { panic!() };
        let Replication::Member { status, .. } = &mut state.replication else { panic!() };
        status.members.iter_mut().find(|m| m.host == host).unwrap().optime = Some(optime);
    }
    let plan = plan(&world.goal, &topology, world.now);
    let Action::ForceReconfig { via, .. } = &plan.steps.last().unwrap().action else { panic!("{plan:#?}") };
    assert_eq!(via.as_str(), LEFT[1]);
}

#[test]
fn a_force_starts_from_the_newest_config() {
    let mut world = disaster();
    declare(&mut world, &LOST);
    approve(&mut world);
    let mut topology = world.observe();
    for pod in LEFT {
        let Server::Reachable(state) = &mut topology.members.get_mut(pod).unwrap().server else { panic!() };
        let Replication::Member { status, config: Some(config) } = &mut state.replication else { panic!() };
        let host = &world.members[pod].host;
        let own = status.members.iter_mut().find(|m| &m.host == host).unwrap();
        if pod == LEFT[0] {
            config.stamp.version -= 1;
        } else {
            own.optime = Some(OpTime { term: 1, seconds: 1, increment: 1 });
        }
    }
    let plan = plan(&world.goal, &topology, world.now);
    assert!(refusal(&plan).contains("ll-shard-0-vdc1-0 has the newest entry and not the newest config yet"));
}

#[test]
fn a_force_leaves_somebody_who_can_become_primary() {
    let mut world = disaster();
    declare(&mut world, &LOST);
    approve(&mut world);
    let left = LEFT.map(|pod| world.members[pod].host.clone());
    for member in &mut world.set(SHARD).config.as_mut().unwrap().members {
        if left.contains(&member.host) {
            member.priority = 0.0;
        }
    }
    assert!(refusal(&world.plan()).contains("no member that is left could become primary"));
}

#[test]
fn h36_what_was_lost_stays_out_until_it_is_empty_and_readmitted() {
    let mut world = recovered();
    assert!(world.plan().available());
    // It is back, with its old data.
    for pod in LOST {
        let host = world.member(pod).host.clone();
        *world.member(pod) =
            crate::support::Member { disk: Disk::Synced, ..crate::support::Member::fresh(host, "r1") };
        world.member(pod).starts_on(gate::Disk::Data);
    }
    world.run(20);
    assert_eq!(world.config(SHARD).members.len(), 2, "re-added with its old data");
    let plan = world.plan();
    assert!(!plan.ready());
    let finding = plan.findings.iter().find(|f| f.kind == FindingKind::HeldOut).unwrap();
    assert!(finding.message.contains("--readmit vdc2"), "{}", finding.message);

    // A person lets it in; it is not wiped yet.
    world.goal.sets[0].recovery.lost.clear();
    world.goal.sets[0].recovery.readmitted = LOST.map(PodName::new).into();
    world.run(20);
    assert_eq!(world.config(SHARD).members.len(), 2, "re-added before it was wiped");
    assert!(world.plan().waiting.iter().any(|w| w.what.contains("its volume to be deleted")));

    for pod in LOST {
        world.member(pod).disk = Disk::Empty;
        world.member(pod).starts_on(gate::Disk::Empty);
    }
    let before = world.goal.sets[0].recovery.fenced.clone();
    world.run_until_settled(200);
    let config = world.config(SHARD);
    assert_eq!(config.voters().count(), 5);
    for (pod, lost_as) in before {
        let id = config.by_host(&world.members[&pod].host).unwrap().id;
        assert!(id > lost_as, "{pod} is back as member {id}");
    }
    // The records stay, and hold nobody out any more.
    assert!(world.plan().ready());
}

#[test]
fn one_that_returns_as_primary_of_a_later_term_has_no_say() {
    let world = recovered();
    let mut topology = world.observe();
    let survivors = world.config(SHARD).clone();
    // The lost side elected a primary in a later term, on the config of before.
    let mut claim = topology.members[LEFT[0]].clone();
    let Server::Reachable(state) = &mut claim.server else { panic!() };
    state.hello.writable_primary = true;
    let Replication::Member { status, config: Some(config) } = &mut state.replication else { panic!() };
    (status.term, status.my_state) = (9, MemberState::Primary);
    config.stamp.term = 9;
    topology.members.insert(LOST[0].into(), claim);
    let plan = plan(&world.goal, &topology, world.now);
    let set = &plan.sets[SHARD];
    assert_ne!(set.primary.as_ref().unwrap().as_str(), LOST[0]);
    assert_eq!(set.config, Some(survivors.stamp));
}

#[test]
fn a_record_without_a_force_holds_nobody_out() {
    // The operator died between the two, and the vdcs came back.
    let mut world = World::settled(FIVE);
    let ids: Vec<(PodName, MemberId)> = LOST
        .iter()
        .map(|pod| {
            let id = world.config(SHARD).by_host(&world.members[*pod].host).unwrap().id;
            (PodName::new(*pod), id)
        })
        .collect();
    world.goal.sets[0].recovery.fenced.extend(ids);
    assert!(world.plan().ready(), "{:#?}", world.plan());
}
