//! Volumes that are wiped: the gate holds the member back, the anchors remember that it was admitted anew.

use std::collections::BTreeSet;

use kogge_mongo::ConfigMember;
use proptest::prelude::*;
use rstest::rstest;

use crate::world::{Fate, SHARD, World, name, revision};

const VICTIM: &str = "ll2022-shard-0-vdc3-0";

fn id_of(world: &World, vdc: &str) -> u32 {
    world.anchor(vdc).unwrap().record.members[VICTIM].member_id.unwrap()
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
        let member = &world.status().groups["ll2022-shard-0"].members[2];
        member.reason.as_ref().is_some_and(|reason| reason.contains("LostDisk"))
    });
    assert!(told, "{:#?}", world.status().groups);
    world.settle();
    assert_eq!(world.servers.voters(SHARD), voters);
    for vdc in ["vdc1", "vdc2", "vdc3"] {
        assert!(id_of(&world, vdc) > before, "{vdc}");
        assert!(world.anchor(vdc).unwrap().record.members[VICTIM].initialized, "{vdc}");
    }
    let steps: Vec<&str> = world.steps.iter().map(|(_, step)| step.action.name()).collect();
    assert_eq!(steps, ["Demote", "RemoveMember", "AddMember", "Promote", "SetPriority"]);
}

#[test]
fn a_volume_wiped_under_its_running_server_is_held_when_only_the_container_is_started_again() {
    let mut world = World::three_settled();
    let (before, voters) = (id_of(&world, "vdc1"), world.servers.voters(SHARD));
    world.wipe_running("vdc3", VICTIM);
    world.round();
    let member = &world.status().groups["ll2022-shard-0"].members[2];
    assert!(member.reason.as_ref().is_some_and(|reason| reason.contains("LostDisk")), "{member:#?}");
    world.settle();
    assert_eq!(world.servers.voters(SHARD), voters);
    assert!(id_of(&world, "vdc1") > before);
}

/// Whatever ends a server, the one that starts with its data says for a moment that it has no config.
#[test]
fn restarts_of_containers_and_power_cuts_change_no_config() {
    let mut world = World::three_settled();
    let before = world.servers.config(SHARD).clone();
    for vdc in ["vdc1", "vdc2", "vdc3"] {
        world.restart_container(vdc, &pod_in(vdc));
        world.rounds(1);
        world.settle();
    }
    for vdc in ["vdc1", "vdc2", "vdc3"] {
        world.power(vdc, false);
    }
    world.rounds(5);
    for vdc in ["vdc1", "vdc2", "vdc3"] {
        world.power(vdc, true);
    }
    world.settle();
    assert!(world.steps.is_empty(), "{:#?}", world.steps);
    let after = world.servers.config(SHARD);
    assert_eq!((after.stamp.version, &after.members), (before.stamp.version, &before.members));
}

#[test]
fn a_rollout_changes_no_config_but_for_its_elections() {
    let mut world = rolling();
    let before = world.servers.config(SHARD).clone();
    world.settle();
    let steps: BTreeSet<&str> = world.steps.iter().map(|(_, step)| step.action.name()).collect();
    let needed = ["StepDown", "StopBalancer", "StartBalancer"];
    assert!(steps.iter().all(|step| needed.contains(step)), "{steps:?}");
    assert_eq!(world.servers.config(SHARD).members, before.members);
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

fn pod_in(vdc: &str) -> String {
    format!("ll2022-shard-0-{vdc}-0")
}

/// How the set lists the member of a data centre.
fn listed<'a>(world: &'a World, vdc: &str) -> Option<&'a ConfigMember> {
    let config = world.servers.has_config(SHARD).then(|| world.servers.config(SHARD))?;
    config.members.iter().find(|member| member.host.as_str().starts_with(&pod_in(vdc)))
}

/// Whether the anchor says that a member held data; none where it does not know the member.
fn recorded(world: &World, vdc: &str) -> Option<bool> {
    Some(world.anchor(vdc)?.record.members.get(&pod_in(vdc))?.initialized)
}

fn rolling() -> World {
    let mut world = World::three_settled();
    world.chart_version("1.1.0");
    world
}

/// Whether some members of the set have the new template by now, and some have not.
fn half_rolled(world: &World) -> bool {
    let pods = world.workers.values().flat_map(|worker| worker.list("Pod"));
    let members = pods.filter(|pod| name(pod).starts_with("ll2022-shard-0"));
    members.map(revision).collect::<BTreeSet<_>>().len() > 1
}

/// Five voters, of which the last is taken out.
fn shrinking() -> World {
    let mut world = World::new(&["vdc1", "vdc2", "vdc3", "vdc4", "vdc5"]);
    world.settle();
    world.edit(|spec| spec.placement.retain(|placement| placement.name != "vdc5"));
    world
}

fn demoted(world: &World) -> bool {
    listed(world, "vdc5").is_some_and(|member| member.votes == 0)
}

#[rstest]
#[case::its_id_is_reserved(World::three, "vdc3", |world: &World| listed(world, "vdc3").is_none() && recorded(world, "vdc3").is_some(), false)]
#[case::it_syncs(World::three, "vdc3", |world: &World| listed(world, "vdc3").is_some() && !world.servers.holds_data(VICTIM), false)]
#[case::it_is_synced_and_not_recorded(World::three, "vdc3", |world: &World| world.servers.holds_data(VICTIM) && recorded(world, "vdc3") == Some(false), false)]
#[case::it_has_no_vote_yet(World::three, "vdc3", |world: &World| listed(world, "vdc3").is_some_and(|member| member.votes == 0) && recorded(world, "vdc3") == Some(true), true)]
#[case::it_votes(World::three_settled, "vdc3", |_: &World| true, true)]
#[case::in_a_rollout_the_first(rolling, "vdc1", half_rolled, true)]
#[case::in_a_rollout_the_second(rolling, "vdc2", half_rolled, true)]
#[case::in_a_rollout_the_last(rolling, "vdc3", half_rolled, true)]
#[case::in_its_own_demotion(shrinking, "vdc5", demoted, true)]
#[case::in_the_demotion_of_another(shrinking, "vdc3", demoted, true)]
fn wiped_while_the_operator_is_cut_off(
    #[case] begin: fn() -> World,
    #[case] vdc: &str,
    #[case] is_time: fn(&World) -> bool,
    #[case] held_data: bool,
) {
    let mut world = begin();
    assert!(
        (0..100).any(|_| is_time(&world) || {
            world.round();
            false
        }),
        "it never comes to that"
    );
    assert_eq!(recorded(&world, vdc), Some(held_data));
    let pod = pod_in(vdc);
    world.wipe(vdc, &pod);
    let mut ran = false;
    for _ in 0..30 {
        world.tick();
        let phase =
            world.worker(vdc).object("Pod", &pod).and_then(|pod| pod.data.pointer("/status/phase").cloned());
        ran |= phase.is_some_and(|phase| phase == "Running");
    }
    assert_eq!(ran, !held_data, "a server starts on an empty disk where nothing was lost, and nowhere else");
    world.settle();
    let stays = world.cluster.spec.placement.iter().any(|placement| placement.name == vdc);
    assert_eq!((listed(&world, vdc).is_some(), world.servers.voters(SHARD).len()), (stays, 3));
    let members = &world.servers.config(SHARD).members;
    for member in members {
        let pod = member.host.as_str().split('.').next().unwrap();
        assert!(world.servers.holds_data(pod), "{pod} holds nothing");
    }
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
