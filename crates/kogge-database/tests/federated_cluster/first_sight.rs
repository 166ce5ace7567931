//! A new database is written nowhere until every placement has been seen live, complete and empty of it; one that
//! is somebody else's is never written.

use kogge_api::anchor::Anchor;
use kogge_api::anchor::mongodb::Record;
use kogge_api::conditions::database as types;
use kogge_plan::{Action, Object, anchors};
use rstest::rstest;
use serde_json::{Value, json};

use crate::world::{Fate, ID, World, applied};

#[rstest]
#[case::silent(|world: &mut World| world.worker("vdc2").silent = true, "vdc2 (worker-vdc2")]
#[case::not_wholly_listed(|world: &mut World| world.worker("vdc2").listing = true, "is not wholly listed yet")]
fn nothing_is_written_on_a_partial_view(#[case] disturb: fn(&mut World), #[case] told: &str) {
    let mut world = World::three();
    disturb(&mut world);
    world.rounds(5);
    assert!(world.writes.is_empty() && world.steps.is_empty() && world.secrets.is_none());
    let message = world.condition(types::READY).message;
    assert!(message.contains(told) && message.contains("vdc2") && !message.contains("vdc1"), "{message}");
    assert_eq!(world.status().waiting_for, Some(message));
    assert_eq!(world.condition(types::READY).reason, "WorkersNotSeen");

    world.worker("vdc2").silent = false;
    world.worker("vdc2").listing = false;
    world.settle();
}

#[test]
fn a_resource_that_brings_its_id_is_claimed_before_anything_is_written() {
    let mut world = World::three();
    world.cluster.spec.cluster_id = Some(ID.parse().unwrap());
    world.observe();
    world.pass(&Fate::Lives);
    assert!(world.cluster.metadata.finalizers.is_some(), "it is not lost while it runs");
    assert!(world.revisions.is_empty() && world.secrets.is_none() && world.writes.is_empty());
    world.settle();
}

#[test]
fn a_young_process_says_nothing_of_workers_that_it_has_not_reached_yet() {
    let mut world = World::three_settled();
    let status = world.status();
    world.settling_in = true;
    world.worker("vdc2").silent = true;
    world.rounds(5);
    assert_eq!(world.status(), status, "it is as it was said before");
    world.settling_in = false;
    world.rounds(2);
    assert!(!world.is_ready());
    (world.settling_in, world.worker("vdc2").silent) = (true, false);
    world.settle();
}

#[test]
fn a_placement_without_a_worker_is_named_and_nothing_is_written() {
    let mut world = World::three();
    world.set(&[("placement", json!([{"name": "vdc1", "vdc": "vdc1"}, {"name": "far", "vdc": "vdc9"}]))]);
    world.rounds(5);
    assert!(world.writes.is_empty());
    let invalid = world.condition(types::SPEC_VALID);
    assert_eq!((invalid.status.as_str(), invalid.reason.as_str()), ("False", "UnknownVdc"));
    assert!(
        invalid.message.contains("far") && invalid.message.contains("kogge worker join"),
        "{}",
        invalid.message
    );

    world.register("vdc9");
    world.settle();
}

#[test]
fn a_namespace_that_is_not_allowed_is_named_and_nothing_is_written() {
    let mut world = World::three();
    world.worker("vdc3").allowed_namespace = "others".to_owned();
    world.rounds(5);
    assert!(world.writes.is_empty());
    assert_eq!(world.condition(types::READY).reason, "NamespaceNotAllowed");
}

#[test]
fn anchors_come_first_on_every_worker() {
    let mut world = World::three();
    let plan = loop {
        if let Some(plan) = world.round().plan {
            break plan;
        }
        assert!(world.writes.is_empty(), "the control cluster is written before any worker");
    };
    for vdc in ["worker-vdc1", "worker-vdc2", "worker-vdc3"] {
        let objects: Vec<&Object> = of(&plan.actions, vdc).filter_map(applied).collect();
        let anchors = objects.iter().filter(|object| anchors::is_anchor(object)).count();
        assert!(
            anchors == 2 && objects[..2].iter().all(|object| anchors::is_anchor(object)),
            "{vdc}: {objects:?}"
        );
        assert!(objects.len() > 8);
    }
    assert!(plan.steps.is_empty());
}

fn of<'a>(actions: &'a [Action], worker: &'a str) -> impl Iterator<Item = &'a Action> {
    actions.iter().filter(move |action| action.worker().0 == worker)
}

#[rstest]
#[case::of_members(json!({"name": "vdc3", "vdc": "vdc3"}))]
#[case::of_routers(json!({
    "name": "vdc3", "vdc": "vdc3", "shard": {"membersPerPlacement": 0}, "config": {"membersPerPlacement": 0},
}))]
fn one_anchor_is_enough_to_know_whose_it_is_and_not_to_initiate(#[case] unseen: Value) {
    let mut world = World::three();
    world.set(&[("placement", json!([{"name": "vdc1", "vdc": "vdc1"}, {"name": "vdc2", "vdc": "vdc2"}, unseen]))]);
    world.observe();
    while world.writes.is_empty() {
        world.pass(&Fate::Killed { writes: vec![1], steps: 0 });
    }
    assert_eq!(world.writes.len(), 1, "killed after the first anchor");
    world.worker("vdc3").listing = true;
    world.rounds(15);
    assert!(!world.servers.has_config("ll2022-config-abcdefgh"), "no initiate without a proof that all are empty");
    world.worker("vdc3").listing = false;
    world.settle();
}

/// The anchor of a database of this name, as another would have left it.
fn anchor_of(id: &str, owner: &str, epoch: i64) -> Object {
    let anchor = json!({
        "clusterID": id, "name": "ll2022", "ownerUID": owner, "epoch": epoch, "specHash": "0", "workerUIDs": {},
    });
    let anchor: Anchor<Record> = serde_json::from_value(anchor).unwrap();
    let [own, _] = anchors::objects(&anchor, "databases").unwrap();
    own
}

#[rstest]
#[case::owner(ID, "uid-of-another", "ForeignOwner", "belongs to the control cluster with UID uid-of-another")]
#[case::cluster_id(
    "zzzzzzzz",
    "uid-of-control",
    "ForeignClusterID",
    "create the resource with spec.clusterID: zzzzzzzz"
)]
fn what_is_anothers_is_refused_with_a_sentence(
    #[case] id: &str,
    #[case] owner: &str,
    #[case] reason: &str,
    #[case] told: &str,
) {
    let mut world = World::three();
    world.worker("vdc2").put(serde_json::to_value(anchor_of(id, owner, 1)).unwrap());
    world.cluster.spec.cluster_id = Some(ID.parse().unwrap());
    world.rounds(5);
    assert!(world.writes.is_empty() && world.secrets.is_none());
    let ready = world.condition(types::READY);
    assert_eq!(ready.reason, reason);
    assert!(ready.message.contains(told), "{}", ready.message);
}

#[test]
fn a_foreign_anchor_where_a_placement_is_added_stops_only_that_worker() {
    let mut world = World::three_settled();
    world.register("vdc4");
    world.worker("vdc4").put(serde_json::to_value(anchor_of("zzzzzzzz", "uid-of-another", 9)).unwrap());
    let mut placement = world.cluster.spec.placement.clone();
    placement.push(serde_json::from_value(json!({"name": "vdc4", "vdc": "vdc4"})).unwrap());
    world.edit(|spec| spec.placement = placement);
    world.rounds(30);
    assert!(world.written_on("vdc4").is_empty());
    assert_eq!(world.condition(types::READY).reason, "ForeignOwner");
    assert_eq!(world.anchor("vdc1").unwrap().epoch, world.status().epoch.unwrap(), "the rest goes on");
    assert!(world.status().available);
}

#[test]
fn a_control_cluster_that_was_set_back_writes_nothing() {
    let mut world = World::three_settled();
    world.cluster.status.as_mut().unwrap().epoch = Some(0);
    world.rounds(3);
    assert!(world.writes.is_empty());
    let ready = world.condition(types::READY);
    assert_eq!(ready.reason, "EpochAhead");
    assert!(ready.message.contains("the control cluster was set back"), "{}", ready.message);
}

#[test]
fn a_database_that_stands_is_adopted_without_an_initiate() {
    let mut world = World::three_settled();
    let epoch = world.status().epoch.unwrap();
    world.cluster.status = None;
    world.settle();
    assert!(world.steps.is_empty(), "{:?}", world.steps);
    assert_eq!(world.status().epoch, Some(epoch + 1), "the epoch goes on after the anchors' own");
}

#[test]
fn secrets_that_are_lost_are_never_made_anew() {
    let mut world = World::three_settled();
    world.secrets = None;
    world.rounds(3);
    assert!(world.writes.is_empty() && world.secrets.is_none());
    assert_eq!(world.condition(types::READY).reason, "SecretsLost");
}
