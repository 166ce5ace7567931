//! A volume that is wiped: its member is removed and joins again under another ID.

use rstest::rstest;

use crate::world::World;

const VICTIM: &str = "ll2022-etcd-vdc3-0";

#[rstest]
#[case::with_its_pod(World::wipe)]
#[case::under_its_running_server(World::wipe_running)]
fn a_member_whose_volume_is_wiped_comes_back_under_another_id(#[case] wipe: fn(&mut World, &str, &str)) {
    let mut world = World::three_settled();
    let (before, voters) = (world.servers.id_of(VICTIM), world.servers.voters());
    wipe(&mut world, "vdc3", VICTIM);
    let told = (0..20).any(|_| {
        world.round();
        world.condition("Degraded").message.contains("LostDisk")
    });
    assert!(told, "{:#?}", world.status());
    world.settle();
    assert_eq!(world.servers.voters(), voters);
    let after = world.servers.id_of(VICTIM);
    assert_ne!(after, before);
    for vdc in ["vdc1", "vdc2", "vdc3"] {
        let known = world.anchor(vdc).unwrap().record.members[VICTIM].clone();
        assert_eq!(
            (known.member_id.map(|id| id.0), known.removed.map(|id| id.0)),
            (Some(after.0), Some(before.0))
        );
    }
    let steps: Vec<&str> = world.steps.iter().map(|(_, step)| step.action.name()).collect();
    assert_eq!(
        steps.iter().filter(|name| ["Remove", "AddLearner", "Promote"].contains(name)).count(),
        3,
        "{steps:?}"
    );
}

#[test]
fn the_leaders_disk_is_lost_like_any_other() {
    let mut world = World::three_settled();
    let leader = world.servers.leader().to_string();
    let vdc = leader.split('-').nth(2).unwrap().to_owned();
    world.wipe(&vdc, &leader);
    world.settle();
    assert_eq!(world.servers.voters().len(), 3);
}

#[test]
fn nothing_changes_while_its_worker_is_silent() {
    let mut world = World::three_settled();
    world.wipe("vdc3", VICTIM);
    world.worker("vdc3").silent = true;
    world.rounds(30);
    assert!(world.steps.is_empty(), "{:?}", world.steps);
    world.worker("vdc3").silent = false;
    world.settle();
}

#[test]
fn restarts_of_containers_and_a_power_cut_change_no_membership() {
    let mut world = World::three_settled();
    let ids =
        |world: &World| world.servers.voters().iter().map(|pod| world.servers.id_of(pod)).collect::<Vec<_>>();
    let before = ids(&world);
    world.restart_container("vdc2", "ll2022-etcd-vdc2-0");
    world.round();
    world.settle();
    for on in [false, true] {
        for vdc in ["vdc1", "vdc2", "vdc3"] {
            world.power(vdc, on);
        }
        world.rounds(8);
    }
    world.settle();
    let steps: Vec<&str> = world.steps.iter().map(|(_, step)| step.action.name()).collect();
    assert!(steps.iter().all(|name| *name == "MoveLeader"), "{steps:?}");
    assert_eq!(ids(&world), before);
    assert_eq!(world.servers.begun().len(), 1);
}
