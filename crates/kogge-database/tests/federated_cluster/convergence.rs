//! From an applied resource to a database, and then nothing (A5).

use std::collections::BTreeSet;

use kogge_api::conditions::database as types;
use kogge_api::status::WorkState;
use kogge_plan::{Object, anchors};
use rstest::rstest;
use serde_json::{Value, json};

use crate::world::{CONFIG, SHARD, World, name};

#[test]
fn a_database_forms_and_says_so() {
    let mut world = World::three();
    world.settle();
    assert_eq!(world.servers.voters(CONFIG).len(), 3);
    assert_eq!(world.servers.voters(SHARD).len(), 3);
    let status = world.status();
    assert_eq!(status.observed_generation, world.cluster.metadata.generation);
    assert_eq!((status.summary.as_deref(), status.waiting_for.as_deref()), (Some("9/9"), None));
    assert_eq!(status.where_.as_deref(), Some("vdc1 3/3, vdc2 3/3, vdc3 3/3"));
    assert_eq!(status.chart_version.as_deref(), Some("1.0.0"));
    assert!(status.available && status.rollout.is_none());
    let shard = &status.groups["ll2022-shard-0"];
    assert!(shard.joined == Some(true) && shard.initialized && shard.status == WorkState::Ready);
    assert_eq!(shard.leader.as_deref(), Some(world.servers.primary(SHARD).as_str()));
    let uri = "mongodb://ll2022-mongos.databases.svc.cluster.local:27017/";
    assert_eq!(status.connection.map(|c| c.uri).as_deref(), Some(uri));
    for (type_, expected) in [
        (types::AVAILABLE, "True"),
        (types::PROGRESSING, "False"),
        (types::DEGRADED, "False"),
        (types::QUORUM_AT_RISK, "False"),
        (types::DISCOVERY_STALE, "False"),
        (types::SPEC_VALID, "True"),
    ] {
        assert_eq!(world.condition(type_).status, expected, "{type_}");
    }
}

#[test]
fn a5_a_settled_world_is_silent() {
    let mut world = World::three_settled();
    let before = serde_json::to_string(&world.cluster).unwrap();
    world.rounds(10);
    assert!(world.writes.is_empty(), "{:?}", world.writes);
    assert!(world.steps.is_empty(), "{:?}", world.steps);
    assert_eq!(serde_json::to_string(&world.cluster).unwrap(), before);
}

#[test]
fn every_worker_remembers_the_same() {
    let world = World::three_settled();
    let anchor = world.anchor("vdc1").unwrap();
    assert_eq!((world.anchor("vdc2").as_ref(), world.anchor("vdc3").as_ref()), (Some(&anchor), Some(&anchor)));
    assert_eq!(anchor.epoch, world.status().epoch.unwrap());
    assert!(anchor.record.members.len() == 6 && anchor.record.members.values().all(|member| member.initialized));
    let ids: BTreeSet<_> =
        anchor.record.members.iter().map(|(pod, member)| (&pod[..10], member.member_id)).collect();
    assert_eq!(ids.len(), 6, "no member ID twice in a set: {:?}", anchor.record.members);
    assert_eq!(anchor.worker_uids["vdc2"], "uid-of-vdc2");
}

#[test]
fn the_order_of_placements_carries_no_meaning() {
    let mut forth = World::new(&["vdc1", "vdc2", "vdc3"]);
    let mut back = World::new(&["vdc1", "vdc2", "vdc3"]);
    back.cluster.spec.placement.reverse();
    forth.settle();
    back.settle();
    assert_eq!(forth.picture(), back.picture());
}

#[rstest]
#[case::two_shards(&[("shard", json!({"shardCount": 2}))], 12)]
#[case::five_voters(&[("shard", json!({"membersPerPlacement": 2}))], 12)]
#[case::two_routers(&[("mongos", json!({"replicasPerPlacement": 2}))], 12)]
#[case::a_placement_of_routers_only(
    &[("placement", json!([
        {"name": "vdc1", "vdc": "vdc1"},
        {"name": "vdc2", "vdc": "vdc2"},
        {"name": "edge", "vdc": "vdc3", "shard": {"membersPerPlacement": 0}, "config": {"membersPerPlacement": 0}},
    ]))], 7)]
#[case::readers(
    &[("placement", json!([
        {"name": "vdc1", "vdc": "vdc1"},
        {"name": "vdc2", "vdc": "vdc2", "priority": 5},
        {"name": "vdc3", "vdc": "vdc3", "role": "ReadOnly"},
    ]))], 9)]
#[case::two_placements_on_one_worker(
    &[("placement", json!([
        {"name": "a", "vdc": "vdc1"}, {"name": "b", "vdc": "vdc1"}, {"name": "c", "vdc": "vdc2"},
    ]))], 9)]
#[case::a_placement_whose_name_ends_another(
    &[("placement", json!([
        {"name": "vdc1", "vdc": "vdc1"}, {"name": "b", "vdc": "vdc2"}, {"name": "b-0", "vdc": "vdc3"},
    ]))], 9)]
fn any_shape_settles_and_is_silent(#[case] changes: &[(&str, Value)], #[case] pods: usize) {
    let mut world = World::three();
    world.set(changes);
    world.settle();
    assert_eq!(world.status().summary, Some(format!("{pods}/{pods}")));
    world.forget_history();
    world.rounds(3);
    assert!(world.writes.is_empty() && world.steps.is_empty(), "{:?} {:?}", world.writes, world.steps);
}

#[test]
fn a10_what_others_changed_or_took_away_is_put_back() {
    let mut world = World::three_settled();
    let picture = world.picture();
    world.worker("vdc1").edit("StatefulSet", "ll2022-shard-0-vdc1", |set| set.data["spec"]["replicas"] = json!(0));
    world.worker("vdc1").remove("Service", "ll2022-mongos");
    world.worker("vdc2").remove("ConfigMap", "ll2022-anchor");
    world.worker("vdc2").remove("Secret", "ll2022-keyfile-1");
    let config = world.worker("vdc2").list("ConfigMap").map(name).find(|name| name.contains("config-vdc2-config"));
    let config = config.unwrap().to_owned();
    world.worker("vdc2").remove("ConfigMap", &config);
    world.round();
    world.settle();
    assert_eq!(world.picture(), picture);
}

#[test]
fn what_others_add_is_left_alone() {
    let mut world = World::three_settled();
    world.worker("vdc1").edit("StatefulSet", "ll2022-shard-0-vdc1", |set| {
        set.metadata.annotations.get_or_insert_default().insert("team".to_owned(), "blue".to_owned());
        set.data["spec"]["minReadySeconds"] = json!(3);
    });
    world.rounds(3);
    assert!(world.writes.is_empty(), "{:?}", world.writes);
}

/// Sets a field that the chart renders, as a mutating webhook does at every write.
fn admission_raises_the_grace(object: &mut Object) {
    if let Some(grace) = object.data.pointer_mut("/spec/template/spec/terminationGracePeriodSeconds") {
        *grace = json!(7);
    }
}

#[test]
fn field_29_what_admission_changes_is_written_once_and_told() {
    let mut world = World::three();
    world.worker("vdc3").alters = admission_raises_the_grace;
    world.settle();
    let drifted = world.condition(types::DRIFTED);
    assert_eq!((drifted.status.as_str(), drifted.reason.as_str()), ("True", "ChangedAtAdmission"));
    for part in ["worker-vdc3", "terminationGracePeriodSeconds", "webhook"] {
        assert!(drifted.message.contains(part), "{part}: {}", drifted.message);
    }
    let told = world.events.iter().filter(|event| event.reason == types::DRIFTED).count();
    assert_eq!(told, drifted.message.lines().count(), "each once: {:?}", world.events);
    world.forget_history();
    world.rounds(5);
    assert!(world.writes.is_empty(), "{:?}", world.writes);
    assert!(world.is_ready(), "a field that admission changed does not keep a database from being Ready");
    // Once the webhook is gone, the next change brings what Kogge wants.
    world.worker("vdc3").alters = |_| {};
    world.worker("vdc3").edit("StatefulSet", "ll2022-shard-0-vdc3", |set| set.data["spec"]["replicas"] = json!(0));
    world.rounds(3);
    let set = world.worker("vdc3").object("StatefulSet", "ll2022-shard-0-vdc3").unwrap();
    assert_ne!(set.data.pointer("/spec/template/spec/terminationGracePeriodSeconds"), Some(&json!(7)));
}

#[test]
fn field_29_an_anchor_that_admission_changes_holds_the_members_steps() {
    let mut world = World::three();
    world.worker("vdc3").alters = |object| {
        if anchors::is_anchor(object) {
            for text in object.data["data"].as_object_mut().unwrap().values_mut() {
                *text = json!(format!("{}\n", text.as_str().unwrap()));
            }
        }
    };
    world.rounds(20);
    assert!(world.steps.is_empty(), "no step rests on an anchor that is not stored: {:?}", world.steps);
    assert!(!world.is_ready());
    world.forget_history();
    world.rounds(5);
    assert!(world.writes.is_empty(), "{:?}", world.writes);
}

#[test]
fn field_39_a_scale_is_put_back_and_a_rollout_restart_is_declined_once() {
    let mut world = World::three_settled();
    world.worker("vdc2").edit("StatefulSet", "ll2022-shard-0-vdc2", |set| {
        set.data["spec"]["template"]["metadata"]["annotations"]["kubectl.kubernetes.io/restartedAt"] =
            json!("now");
    });
    world.rounds(4);
    assert!(world.writes.is_empty(), "{:?}", world.writes);
    let drifted = world.condition(types::DRIFTED);
    assert_eq!((drifted.status.as_str(), drifted.reason.as_str()), ("True", "RestartDeclined"));
    let told: Vec<&str> = world
        .events
        .iter()
        .filter(|event| event.reason == types::DRIFTED)
        .map(|event| event.note.as_str())
        .collect();
    assert_eq!(told, [drifted.message.as_str()], "told once");
    assert!(told[0].contains("kubectl rollout restart") && told[0].contains("ll2022-shard-0-vdc2"), "{told:?}");
    world.worker("vdc2").edit("StatefulSet", "ll2022-shard-0-vdc2", |set| set.data["spec"]["replicas"] = json!(0));
    world.rounds(2);
    let set = world.worker("vdc2").object("StatefulSet", "ll2022-shard-0-vdc2").unwrap();
    assert_eq!(set.data["spec"]["replicas"], 1);
}

#[test]
fn a_write_whose_answer_is_lost_is_found_out_by_observation() {
    let mut world = World::three();
    for vdc in ["vdc1", "vdc2", "vdc3"] {
        world.worker(vdc).loses_next_answer = true;
    }
    for round in 0..60 {
        world.round();
        if round % 3 == 0 {
            world.worker("vdc2").loses_next_answer = true;
        }
    }
    world.worker("vdc2").loses_next_answer = false;
    world.settle();
    let mut other = World::three();
    other.settle();
    assert_eq!(world.picture(), other.picture());
}
