//! Members more, members fewer, and another version.

use std::collections::{BTreeMap, BTreeSet};

use kogge_plan::Action as Write;

use crate::world::{World, agreed_version, name};

const FIVE: [&str; 5] = ["vdc1", "vdc2", "vdc3", "vdc4", "vdc5"];

fn uids(world: &World) -> BTreeMap<String, String> {
    let pods = world.workers.values().flat_map(|worker| worker.list("Pod"));
    pods.map(|pod| (name(pod).to_owned(), pod.metadata.uid.clone().unwrap())).collect()
}

#[test]
fn two_more_join_and_nobody_is_restarted() {
    let mut world = World::three_settled();
    let before = uids(&world);
    world.grow();
    world.settle();
    assert_eq!(world.servers.voters().len(), 5);
    let after = uids(&world);
    assert!(before.iter().all(|(pod, uid)| after.get(pod) == Some(uid)), "no pod was made again");
    assert_eq!((world.status().summary.as_deref(), world.status().rollout), (Some("5/5"), None));
}

#[test]
fn a_placement_that_is_not_seen_gets_no_member_until_it_is() {
    let mut world = World::three_settled();
    world.grow();
    world.worker("vdc5").silent = true;
    world.rounds(60);
    assert!(world.written_on("vdc5").is_empty() && !world.is_ready());
    assert!(world.status().waiting_for.unwrap().contains("vdc5"));
    world.worker("vdc5").silent = false;
    world.settle();
    assert_eq!(world.servers.voters().len(), 5);
}

#[test]
fn a_member_leaves_before_its_pod_goes_and_its_volume_stays() {
    let mut world = World::new(&FIVE);
    world.settle();
    world.edit(|spec| spec.placement.retain(|placement| !["vdc4", "vdc5"].contains(&placement.name.as_str())));
    for _ in 0..120 {
        world.round();
        let pods = uids(&world);
        for member in world.servers.members() {
            assert!(pods.contains_key(&member), "{member} is gone and still a member");
        }
    }
    world.settle();
    assert_eq!(world.servers.members().len(), 3);
    for vdc in ["vdc4", "vdc5"] {
        let left: BTreeSet<String> = world.worker(vdc).contents().into_keys().map(|key| key.kind).collect();
        assert_eq!(left, ["PersistentVolumeClaim".to_owned()].into(), "{vdc}");
    }
}

#[test]
fn another_minor_release_reaches_member_after_member_and_the_leader_hands_over() {
    let mut world = World::three_settled();
    let before = uids(&world);
    world.edit(|spec| {
        (spec.version, spec.chart_version) = ("3.6.14".to_owned(), Some("1.1.0".to_owned()));
    });
    world.settle();
    assert_eq!(agreed_version(&world).as_deref(), Some("3.6"));
    assert_eq!(world.status().chart_version.as_deref(), Some("1.1.0"));
    let restarts = world.writes.iter().filter_map(|(pass, write)| match write {
        Write::Delete { key, .. } if key.kind == "Pod" => Some((key.name.clone(), *pass)),
        _ => None,
    });
    let restarts: Vec<(String, usize)> = restarts.collect();
    let restarted: BTreeSet<&String> = restarts.iter().map(|(pod, _)| pod).collect();
    assert_eq!((restarts.len(), restarted.len()), (3, 3), "{restarts:?}");
    assert!(before.iter().all(|(pod, uid)| uids(&world)[pod] != *uid));
    assert!(world.steps.iter().any(|(_, step)| step.action.name() == "MoveLeader"), "{:?}", world.steps);
    assert_eq!(world.servers.voters().len(), 3);
}

#[test]
fn a_chart_that_runs_another_version_than_the_spec_names_is_no_way_around_it() {
    let mut world = World::three_settled();
    let before = uids(&world);
    world.edit(|spec| spec.version = "3.7.1".to_owned());
    world.rounds(30);
    assert_eq!(uids(&world), before, "a minor release is never left out");
    assert!(!world.is_ready());
    world.edit(|spec| spec.version = "3.5.32".to_owned());
    world.settle();
}
