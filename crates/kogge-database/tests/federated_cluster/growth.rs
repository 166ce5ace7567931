//! A placement more: its members join one by one, and nothing else is touched.

use std::collections::BTreeSet;

use kogge_mongo::Action as EngineAction;
use serde_json::json;

use crate::world::{CONFIG, SHARD, World};

fn grown() -> World {
    let mut world = World::three_settled();
    world.register("vdc4");
    world.edit(|spec| {
        let placement = json!({
            "name": "vdc4", "vdc": "vdc4", "shard": {"membersPerPlacement": 2}, "config": {"membersPerPlacement": 2},
        });
        spec.placement.push(serde_json::from_value(placement).unwrap());
    });
    world
}

#[test]
fn five_voters_of_which_none_was_restarted() {
    let mut world = grown();
    let pods: BTreeSet<_> = uids(&world);
    world.settle();
    for set in [CONFIG, SHARD] {
        assert_eq!(world.servers.voters(set).len(), 5);
    }
    assert!(uids(&world).is_superset(&pods), "no pod was made again");
    assert!(!world.steps.iter().any(|(_, step)| matches!(step.action, EngineAction::StepDown { .. })));
    assert_eq!(world.status().summary.as_deref(), Some("14/14"));
    assert_eq!(world.status().rollout, None, "to grow is no rollout");
}

fn uids(world: &World) -> BTreeSet<String> {
    let pods = world.workers.values().flat_map(|worker| worker.list("Pod"));
    pods.map(|pod| pod.metadata.uid.clone().unwrap()).collect()
}

#[test]
fn elsewhere_only_the_records_and_the_names_are_written() {
    let mut world = grown();
    world.settle();
    for vdc in ["vdc1", "vdc2", "vdc3"] {
        for (kind, name) in world.written_on(vdc) {
            assert!(kind == "EndpointSlice" || name.contains("anchor"), "{vdc}: {kind} {name}");
        }
    }
    let new = world.written_on("vdc4");
    for kind in ["StatefulSet", "Deployment", "Service", "Secret", "ConfigMap", "EndpointSlice"] {
        assert!(new.iter().any(|(written, _)| written == kind), "no {kind} on vdc4");
    }
}

#[test]
fn it_is_not_written_before_its_worker_is_seen() {
    let mut world = grown();
    world.worker("vdc4").silent = true;
    world.rounds(10);
    assert!(world.written_on("vdc4").is_empty() && !world.is_ready());
    assert_eq!(world.servers.voters(SHARD).len(), 3);
    assert!(world.status().waiting_for.unwrap().contains("vdc4"));
    world.worker("vdc4").silent = false;
    world.settle();
    assert_eq!(world.servers.voters(SHARD).len(), 5);
}

#[test]
fn a_member_more_in_each_placement() {
    let mut world = World::three_settled();
    world.set(&[("shard", json!({"membersPerPlacement": 2}))]);
    world.settle();
    assert_eq!(world.servers.voters(SHARD).len(), 5, "an odd number, and no data centre with a majority");
    assert_eq!(world.servers.config(SHARD).members.len(), 6);
}

#[test]
fn a_member_fewer_leaves_the_set_before_its_pod_goes() {
    let mut world = World::three();
    world.set(&[("shard", json!({"membersPerPlacement": 2}))]);
    world.settle();
    world.set(&[("shard", json!({"membersPerPlacement": 1}))]);
    for _ in 0..100 {
        world.round();
        for host in world.servers.config(SHARD).members.iter().map(|member| member.host.to_string()) {
            let pod = host.split('.').next().unwrap();
            let stands = world.workers.values().any(|worker| worker.object("Pod", pod).is_some());
            assert!(stands, "{pod} is gone and still a member");
        }
    }
    world.settle();
    assert_eq!(world.servers.config(SHARD).members.len(), 3);
    assert_eq!(world.status().summary.as_deref(), Some("9/9"));
    for worker in world.workers.values() {
        assert_eq!(worker.list("PersistentVolumeClaim").count(), 3, "A2: what the third member wrote stays");
    }
}
