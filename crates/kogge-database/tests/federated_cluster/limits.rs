//! The largest database that is allowed fits into the objects that remember it.

use kogge_api::Owner;
use kogge_api::anchor::Anchor;
use kogge_api::anchor::mongodb::{AnchoredMember, Record, Turns};
use kogge_api::limits::DATABASE_PODS;
use serde_json::json;

use crate::world::World;

/// An API server refuses a ConfigMap above 1 MiB, and any object above 1.5 MiB.
const CONFIG_MAP: usize = 1 << 20;

#[test]
fn field_42_the_largest_anchor_fits() {
    let (cluster, placement) = ("c".repeat(24), "p".repeat(13));
    let shards = 128;
    let of = |shard: u32| (0..DATABASE_PODS / shards).map(move |n| (shard, n));
    let pods: Vec<String> = (0..shards)
        .flat_map(of)
        .map(|(shard, n)| format!("{cluster}-shard-{shard}-{placement}{n:03}-0"))
        .collect();
    let keyed = |value: u32| (0..shards).map(move |shard| (format!("shard-{shard}"), value));
    let anchor = Anchor {
        cluster_id: "abcdefgh".parse().unwrap(),
        name: cluster.clone(),
        resource: Some(Owner {
            kind: "FederatedCluster".to_owned(),
            namespace: "n".repeat(63),
            name: cluster.clone(),
            uid: Some("u".repeat(36)),
        }),
        owner_uid: "u".repeat(36),
        epoch: i64::MAX,
        spec_hash: "h".repeat(64),
        worker_uids: (0..40).map(|n| (format!("{placement}{n:03}"), "u".repeat(36))).collect(),
        record: Record {
            next_member_id: keyed(u32::MAX).collect(),
            seeds: (0..shards).map(|shard| (format!("shard-{shard}"), pods[0].clone())).collect(),
            members: pods
                .iter()
                .map(|pod| (pod.clone(), AnchoredMember { initialized: true, member_id: Some(u32::MAX) }))
                .collect(),
            fenced: pods.iter().map(|pod| (pod.clone(), u32::MAX)).collect(),
            lost_disks: pods.iter().map(|pod| (pod.clone(), u32::MAX)).collect(),
            shard_removals: (0..shards)
                .map(|shard| (format!("shard-{shard}"), Turns { begun: u32::MAX, ended: u32::MAX }))
                .collect(),
            balancer_pauses: Turns { begun: u32::MAX, ended: u32::MAX },
        },
    };
    let data = anchor.to_data().unwrap();
    let size: usize = data.iter().map(|(key, text)| key.len() + text.len()).sum();
    assert!(size < CONFIG_MAP / 2, "{size} bytes: as many members again may have left and not be forgotten yet");
}

#[test]
fn field_42_what_the_largest_database_renders_is_kept_in_one_object() {
    let vdcs = ["vdc1", "vdc2", "vdc3", "vdc4", "vdc5", "vdc6", "vdc7"];
    let mut world = World::new(&vdcs);
    world.set(&[("shard", json!({"shardCount": 128}))]);
    for _ in 0..5 {
        world.round();
        if !world.revisions.is_empty() {
            break;
        }
    }
    let [kept] = world.revisions.as_slice() else { panic!("{:#?}", world.status().conditions) };
    let size = serde_json::to_vec(kept).unwrap().len();
    assert!(size < CONFIG_MAP, "{size} bytes");
}
