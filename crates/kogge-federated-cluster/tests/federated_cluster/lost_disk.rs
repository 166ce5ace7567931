//! Volumes that are wiped: the gate holds the member back, the anchors remember that it was admitted anew.

use proptest::prelude::*;

use crate::world::{Fate, SHARD, World};

const VICTIM: &str = "ll2022-shard-0-vdc3-0";

fn id_of(world: &World, vdc: &str) -> u32 {
    world.anchor(vdc).unwrap().members[VICTIM].member_id.unwrap()
}

/// Whether the set has a primary and the data without the victim.
fn stands_without_the_victim(world: &World) -> bool {
    let servers = &world.servers;
    if !servers.has_config(SHARD) {
        return true;
    }
    let voters = servers.voters(SHARD);
    let of_others = |host: &&String| !host.starts_with(VICTIM);
    let pods = voters.iter().filter(of_others).map(|host| host.split('.').next().unwrap());
    let holding = pods.filter(|pod| servers.holds_data(pod)).count();
    holding > voters.len() / 2
}

#[test]
fn a_member_whose_volume_is_wiped_comes_back_under_another_id() {
    let mut world = World::three_settled();
    let (before, voters) = (id_of(&world, "vdc1"), world.servers.voters(SHARD));
    world.wipe("vdc3", VICTIM);
    let told = (0..8).any(|_| {
        world.round();
        let member = &world.status().replica_sets["ll2022-shard-0"].members[2];
        member.reason.as_ref().is_some_and(|reason| reason.contains("LostDisk"))
    });
    assert!(told, "{:#?}", world.status().replica_sets);
    world.settle();
    assert_eq!(world.servers.voters(SHARD), voters);
    for vdc in ["vdc1", "vdc2", "vdc3"] {
        assert!(id_of(&world, vdc) > before, "{vdc}");
        assert!(world.anchor(vdc).unwrap().members[VICTIM].initialized, "{vdc}");
    }
    let steps: Vec<&str> = world.steps.iter().map(|(_, step)| step.action.name()).collect();
    assert_eq!(steps, ["Demote", "RemoveMember", "AddMember", "Promote", "SetPriority"]);
}

#[test]
fn nothing_changes_while_its_worker_is_silent() {
    let mut world = World::three_settled();
    world.wipe("vdc3", VICTIM);
    world.worker("vdc3").silent = true;
    world.rounds(20);
    assert!(world.steps.is_empty(), "{:?}", world.steps);
    world.worker("vdc3").silent = false;
    world.settle();
}

#[test]
fn another_worker_that_is_silent_holds_nothing() {
    let mut world = World::three_settled();
    world.wipe("vdc3", VICTIM);
    world.worker("vdc2").silent = true;
    world.rounds(40);
    // Most placements can say that it was admitted anew.
    assert_eq!(world.servers.voters(SHARD).len(), 3);
    let (told, silent) = (id_of(&world, "vdc3"), id_of(&world, "vdc2"));
    assert!(told > silent);
    world.worker("vdc2").silent = false;
    world.settle();
    assert_eq!(id_of(&world, "vdc2"), told);
}

#[test]
fn wiped_at_every_stage_of_its_creation_it_ends_as_it_would_have() {
    let mut wiped = 0;
    for rounds in (0..48).step_by(3) {
        let mut world = World::three();
        world.rounds(rounds);
        if world.workers.values().all(|worker| worker.object("Pod", VICTIM).is_none())
            || !stands_without_the_victim(&world)
        {
            continue;
        }
        wiped += 1;
        world.wipe("vdc3", VICTIM);
        world.settle();
        assert_eq!(world.servers.voters(SHARD).len(), 3, "wiped after {rounds} rounds");
    }
    assert!(wiped > 8, "wiped {wiped} times only");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, max_shrink_iters: 40, failure_persistence: None, ..ProptestConfig::default() })]

    /// The operator is killed in the middle of everything, and the volume is wiped again on the way.
    #[test]
    fn a6_killed_anywhere_it_goes_on(
        kills in prop::collection::vec((prop::collection::vec(0_usize..4, 3), 0_usize..2, 0_usize..3), 0..25),
        again in 0_usize..25,
    ) {
        let mut world = World::three_settled();
        world.wipe("vdc3", VICTIM);
        for (number, (writes, steps, seconds)) in kills.into_iter().enumerate() {
            world.observe();
            world.pass(&Fate::Killed { writes, steps });
            (0..seconds).for_each(|_| world.tick());
            if number == again && stands_without_the_victim(&world) {
                world.wipe("vdc3", VICTIM);
            }
        }
        world.settle();
        prop_assert_eq!(world.servers.voters(SHARD).len(), 3);
    }
}
