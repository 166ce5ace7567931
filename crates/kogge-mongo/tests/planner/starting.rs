//! Servers that have just started, and what is believed of their disks.

use kogge_api::gate;
use kogge_mongo::{Action, MemberRole, Pod, SetRole, Step, Topology, plan};

use crate::support::{SHARD, World, voters};

const THREE: &[(&str, u32)] = &[("vdc1", 1), ("vdc2", 1), ("vdc3", 1)];
const VICTIM: &str = "ll-shard-0-vdc3-0";

/// A mongod says 94 for a moment after every start, with all its data on its disk.
#[test]
fn a_member_that_starts_with_its_data_loses_neither_vote_nor_place() {
    let mut world = World::settled(THREE);
    let mut shares = voters(THREE);
    shares.push(("vdc4", 1, MemberRole::ReadOnly));
    world.want(SHARD, SetRole::Shard { index: 0 }, &shares);
    world.run_until_settled(50);
    let before = world.config(SHARD).clone();
    for pod in [VICTIM, "ll-shard-0-vdc4-0"] {
        world.restart_container(pod);
        // However long it takes: it holds the set's changes, and is no lost disk.
        for _ in 0..5 {
            world.member(pod).starting = true;
            let plan = world.plan();
            assert!(plan.steps.is_empty(), "{pod}: {:#?}", plan.steps);
            assert!(plan.findings.is_empty(), "{pod}: {:#?}", plan.findings);
        }
        world.run_until_settled(5);
    }
    assert_eq!(*world.config(SHARD), before);
}

#[test]
fn every_member_starting_at_once_is_no_lost_set_and_no_new_one() {
    let mut world = World::settled(THREE);
    let before = world.config(SHARD).clone();
    for pod in ["ll-shard-0-vdc1-0", "ll-shard-0-vdc2-0", VICTIM] {
        world.restart_container(pod);
    }
    let plan = world.plan();
    assert!(plan.steps.is_empty() && plan.findings.is_empty(), "{plan:#?}");
    world.run_until_settled(5);
    let config = world.config(SHARD);
    assert_eq!((config.stamp.version, &config.members), (before.stamp.version, &before.members));
}

/// After a power cut in the middle of a rollout nobody tells the config, and every member is outdated and not ready.
#[test]
fn members_that_start_at_once_are_not_restarted_by_a_rollout() {
    let mut world = World::settled(THREE);
    let members = ["ll-shard-0-vdc1-0", "ll-shard-0-vdc2-0", VICTIM];
    world.revision = "r2".to_owned();
    for pod in members {
        world.member(pod).facts().target_revision = Some("r2".to_owned());
        world.restart_container(pod);
        world.member(pod).facts().ready = false;
    }
    assert!(world.plan().steps.is_empty(), "{:#?}", world.plan().steps);
}

#[test]
fn what_was_seen_once_or_twice_costs_no_vote() {
    let mut world = World::settled(THREE);
    world.wipe(VICTIM);
    world.tick();
    let seen = |before: Option<&Topology>| world.observe().after(before);
    let once = seen(None);
    let twice = seen(Some(&once));
    let often = seen(Some(&twice));
    let actions = |topology: &Topology| -> Vec<&'static str> {
        plan(&world.goal, topology, world.now).steps.iter().map(|step| step.action.name()).collect()
    };
    assert!(actions(&once).is_empty() && actions(&twice).is_empty());
    assert_eq!(actions(&often), ["Demote"]);
    // Whatever changes in between begins again.
    let mut other = twice;
    let Pod::Present(facts) = &mut other.members.get_mut(VICTIM).unwrap().pod else { panic!("no pod") };
    facts.uid = "another pod".to_owned();
    assert!(actions(&seen(Some(&other))).is_empty());
}

#[test]
fn nothing_is_initiated_and_nobody_joins_before_the_gate_has_reported_an_empty_disk() {
    for (disk, waits) in [(None, "its gate's report"), (Some(gate::Disk::Data), "an empty disk")] {
        let report = |world: &mut World, pod: &str| match disk {
            Some(disk) => world.member(pod).starts_on(disk),
            None => world.member(pod).facts().gate = None,
        };
        let mut world = World::shard(THREE);
        world.tick();
        report(&mut world, VICTIM);
        let plan = world.plan();
        assert!(plan.steps.is_empty(), "{:#?}", plan.steps);
        assert!(plan.waiting.iter().any(|waiting| waiting.what.contains(waits)), "{:#?}", plan.waiting);

        let mut world = World::settled(THREE);
        let mut shares = voters(THREE);
        shares.push(("vdc4", 1, MemberRole::ReadOnly));
        world.want(SHARD, SetRole::Shard { index: 0 }, &shares);
        world.tick();
        report(&mut world, "ll-shard-0-vdc4-0");
        let plan = world.plan();
        assert!(plan.steps.is_empty(), "{:#?}", plan.steps);
        assert!(plan.waiting.iter().any(|waiting| waiting.what.contains(waits)), "{:#?}", plan.waiting);
    }
}

#[test]
fn a_disk_of_an_earlier_start_is_proven_unused_by_a_server_that_says_so_steadily() {
    let mut world = World::shard(THREE);
    world.tick();
    for pod in ["ll-shard-0-vdc1-0", "ll-shard-0-vdc2-0", VICTIM] {
        world.member(pod).starts_on(gate::Disk::Unused);
    }
    let once = world.observe().after(None);
    let steps = |topology: &Topology| plan(&world.goal, topology, world.now).steps;
    assert!(steps(&once).is_empty(), "{:#?}", steps(&once));
    let steps = steps(&world.observe());
    assert!(matches!(steps[..], [Step { action: Action::RecordSeed { .. }, .. }]), "{steps:#?}");
}
