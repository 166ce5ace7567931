//! Epochs: every accepted change has its own, in the status before any anchor.

use kogge_api::FederatedClusterSpec;
use kogge_plan::hash::spec_hash;

use crate::world::{ID, World};

#[test]
fn a_change_raises_the_epoch_in_the_status_before_anything_is_written() {
    let mut world = World::three_settled();
    let before = world.status().epoch.unwrap();
    world.chart_version("1.1.0");
    loop {
        if world.round().plan.is_some() {
            break;
        }
        assert!(world.writes.is_empty());
    }
    assert_eq!(world.status().epoch, Some(before + 1));
    assert_eq!(world.status().spec_hash, Some(spec_hash(&world.cluster.spec).unwrap()));
    world.settle();
    assert_eq!(world.anchor("vdc3").unwrap().epoch, before + 1);
}

#[test]
fn a_spec_that_is_not_accepted_has_no_epoch() {
    let mut world = World::three_settled();
    let before = world.status();
    world.chart_version("9.9.9");
    world.rounds(3);
    assert_eq!((world.status().epoch, world.status().spec_hash), (before.epoch, before.spec_hash));
    world.chart_version("1.0.0");
    world.settle();
    assert_eq!(world.status().epoch, before.epoch, "the spec is the accepted one again");
}

#[test]
fn an_undone_change_is_another_change() {
    let mut world = World::three_settled();
    let before = world.status().epoch.unwrap();
    world.chart_version("1.1.0");
    world.rounds(5);
    world.chart_version("1.0.0");
    world.settle();
    assert_eq!(world.status().epoch, Some(before + 2));
}

#[test]
fn the_cluster_id_that_kogge_fills_in_is_no_change() {
    let world = World::three_settled();
    let spec = world.cluster.spec.clone();
    assert_eq!(spec.cluster_id.as_ref().unwrap().as_str(), ID);
    let without = FederatedClusterSpec { cluster_id: None, ..spec.clone() };
    assert_eq!(spec_hash(&spec).unwrap(), spec_hash(&without).unwrap());
    assert_eq!(world.status().epoch, Some(1));
}

#[test]
fn a_worker_that_was_away_catches_up() {
    let mut world = World::three_settled();
    world.worker("vdc2").silent = true;
    world.edit(|spec| spec.mongos.replicas_per_placement = 2);
    world.rounds(10);
    assert_eq!(world.anchor("vdc1").unwrap().epoch, 2);
    assert_eq!(world.anchor("vdc2").unwrap().epoch, 1);
    world.worker("vdc2").silent = false;
    world.settle();
    assert_eq!(world.anchor("vdc2"), world.anchor("vdc1"));
}
