//! From nothing to three members: one seed begins, the others join one after another.

use kogge_plan::Action as Write;
use rstest::rstest;

use crate::world::{Fate, World, agreed_version, told_leader};

const PODS: [&str; 3] = ["ll2022-etcd-vdc1-0", "ll2022-etcd-vdc2-0", "ll2022-etcd-vdc3-0"];

fn steps(world: &World) -> Vec<&'static str> {
    world.steps.iter().map(|(_, step)| step.action.name()).collect()
}

#[test]
fn one_seed_begins_and_the_others_join_as_learners() {
    let mut world = World::three();
    world.settle();
    assert_eq!(world.servers.begun().len(), 1);
    assert_eq!(world.servers.voters(), PODS.map(str::to_owned).into());
    assert_eq!(steps(&world), ["AddLearner", "Promote", "AddLearner", "Promote"]);
    let status = world.status();
    assert!(status.available, "{:?}", status.conditions);
    assert_eq!((status.summary.as_deref(), agreed_version(&world).as_deref()), (Some("3/3"), Some("3.5")));
    assert_eq!(told_leader(&world), Some(world.servers.leader().to_string()));
    for vdc in ["vdc1", "vdc2", "vdc3"] {
        let record = world.anchor(vdc).unwrap().record;
        for pod in PODS {
            let (known, id) = (&record.members[pod], world.servers.id_of(pod));
            assert_eq!((known.member_id.map(|id| id.0), known.initialized), (Some(id.0), true), "{pod} on {vdc}");
        }
    }
}

#[test]
fn a_settled_cluster_is_left_alone() {
    let mut world = World::three_settled();
    let status = world.status();
    world.rounds(20);
    assert!(world.writes.is_empty() && world.steps.is_empty(), "{:?} {:?}", world.writes, world.steps);
    assert_eq!(world.status(), status);
}

#[rstest]
#[case::silent(|world: &mut World, unseen| world.worker("vdc2").silent = unseen)]
#[case::not_wholly_listed(|world: &mut World, unseen| world.worker("vdc2").listing = unseen)]
fn nothing_is_written_before_every_placement_was_seen(#[case] lose: fn(&mut World, bool)) {
    let mut world = World::three();
    lose(&mut world, true);
    world.rounds(10);
    assert!(world.writes.is_empty() && world.secrets.is_none() && world.servers.begun().is_empty());
    assert_eq!(world.condition("Ready").reason, "WorkersNotSeen");
    assert!(world.status().waiting_for.unwrap().contains("vdc2"));
    lose(&mut world, false);
    world.settle();
}

#[test]
fn no_seed_is_chosen_while_a_placement_is_not_seen() {
    let mut world = World::three();
    world.observe();
    while world.writes.is_empty() {
        world.pass(&Fate::Killed { writes: vec![1], steps: 0 });
    }
    world.worker("vdc3").listing = true;
    world.rounds(30);
    assert!(world.servers.begun().is_empty(), "nobody knows what is in vdc3");
    assert_eq!(world.anchor("vdc1").unwrap().record.seed, None);
    world.worker("vdc3").listing = false;
    world.settle();
    assert_eq!(world.servers.begun().len(), 1);
}

/// A gate that waits sees the anchor once the kubelet has looked at its pod, and it looks when the pod changes.
#[test]
fn a_gate_that_waits_is_told_of_its_start() {
    let mut world = World::three();
    world.settle();
    let is_told = |action: &&(usize, Write)| matches!(&action.1, Write::Apply { object, .. } if object.types.as_ref().is_some_and(|types| types.kind == "Pod"));
    assert_eq!(world.writes.iter().filter(is_told).count(), 3, "each gate waits for one start");
}

#[test]
fn a_cluster_that_stands_is_adopted() {
    let mut world = World::three_settled();
    let epoch = world.status().epoch.unwrap();
    world.cluster.status = None;
    world.settle();
    assert!(world.steps.is_empty() && world.servers.begun().len() == 1, "{:?}", world.steps);
    assert_eq!(world.status().epoch, Some(epoch + 1));
}
