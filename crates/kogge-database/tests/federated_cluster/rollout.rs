//! A chart version reaches the shares one after another, and comes back the same way.

use std::time::Duration;

use kogge_api::conditions::database as types;
use kogge_api::labels;
use kogge_plan::{Action, Object, WorkerName};
use rstest::rstest;
use serde_json::json;

use crate::world::{Fate, World, applied, is_ready, kind, name, revision, template_revision};

/// The workloads in the order in which their templates changed.
fn turns(world: &World) -> Vec<String> {
    let mut turns: Vec<String> = Vec::new();
    for object in world.writes.iter().filter_map(|(_, action)| applied(action)) {
        if is_workload(object) && turns.last().map(String::as_str) != Some(name(object)) {
            turns.push(name(object).trim_start_matches("ll2022-").to_owned());
        }
    }
    turns
}

fn is_workload(object: &Object) -> bool {
    ["StatefulSet", "Deployment"].contains(&kind(object))
}

fn workloads(world: &World) -> impl Iterator<Item = (&WorkerName, &Object)> {
    world.workers.iter().flat_map(|(worker, held)| {
        held.list("StatefulSet").chain(held.list("Deployment")).map(move |workload| (worker, workload))
    })
}

/// Shares whose pods are not all made from the template that they have.
fn shares_at_work(world: &World) -> Vec<String> {
    let at_work = workloads(world).filter(|(worker, workload)| {
        let pods = world.workers[*worker].list("Pod");
        let of_it = pods.filter(|pod| name(pod).starts_with(name(workload)));
        of_it.into_iter().any(|pod| revision(pod) != Some(template_revision(workload)))
    });
    at_work.map(|(_, workload)| name(workload).to_owned()).collect()
}

#[test]
fn every_share_has_its_turn_and_only_one_at_a_time() {
    let mut world = World::three_settled();
    world.edit(|spec| {
        spec.global.chart_version = Some("1.1.0".to_owned());
        spec.rollout.order = vec!["vdc3".to_owned()];
    });
    for _ in 0..120 {
        world.round();
        let at_work = shares_at_work(&world);
        assert!(at_work.len() <= 1, "{at_work:?}");
        assert!(world.servers.serve() || !world.is_ready());
    }
    assert!(world.is_ready());
    let expected = [
        "config-vdc3",
        "config-vdc1",
        "config-vdc2",
        "shard-0-vdc3",
        "shard-0-vdc1",
        "shard-0-vdc2",
        "mongos-vdc3",
        "mongos-vdc1",
        "mongos-vdc2",
    ];
    assert_eq!(turns(&world), expected);
    let status = world.status();
    assert_eq!(status.chart_version.as_deref(), Some("1.1.0"));
    let rollout = status.rollout.unwrap();
    assert_eq!((rollout.from.as_deref(), rollout.to.as_str(), rollout.step), (Some("1.0.0"), "1.1.0", None));
    assert_eq!((rollout.updated, rollout.total), (9, 9));
    assert!(status.placement.values().all(|placement| placement.revision.as_deref() == Some("1.1.0")));
}

#[test]
fn members_are_restarted_by_their_deletion_and_the_primary_hands_over_first() {
    let mut world = World::three_settled();
    world.chart_version("1.1.0");
    world.settle();
    let restarted = world.writes.iter().filter(|(_, action)| matches!(action, Action::Delete { .. }));
    let pods: Vec<String> = restarted
        .map(|(_, action)| crate::world::key(action))
        .filter(|key| key.kind == "Pod")
        .map(|k| k.name)
        .collect();
    assert_eq!(pods.len(), 6, "each member once: {pods:?}");
    let handed_over = world.steps.iter().filter(|(_, step)| step.action.name() == "StepDown").count();
    assert!(handed_over >= 2, "both sets had a primary to restart");
}

/// One that came back to health by itself meanwhile is left alone.
#[test]
fn a_pod_that_changed_since_it_was_seen_is_not_restarted() {
    let mut world = World::three_settled();
    world.chart_version("1.1.0");
    let is_restart = |action: &Action| matches!(action, Action::Delete { key, .. } if key.kind == "Pod");
    let mut tried = 0;
    for second in 0..40 {
        world.observe();
        for vdc in ["vdc1", "vdc2", "vdc3"] {
            let pods: Vec<String> = world.worker(vdc).list("Pod").map(|pod| name(pod).to_owned()).collect();
            for pod in pods {
                world.worker(vdc).edit("Pod", &pod, |pod| pod.data["status"]["message"] = json!(second));
            }
        }
        let before = world.writes.len();
        world.pass(&Fate::Lives);
        tried += world.writes[before..].iter().filter(|(_, action)| is_restart(action)).count();
        for vdc in ["vdc1", "vdc2", "vdc3"] {
            let mut pods = world.worker(vdc).list("Pod");
            assert!(pods.all(|pod| pod.metadata.deletion_timestamp.is_none()), "it was restarted on an old view");
        }
        world.tick();
    }
    assert!(tried > 0);
}

#[test]
fn what_is_not_reached_yet_is_not_touched() {
    let mut world = World::three_settled();
    let before = world.picture();
    world.chart_version("1.1.0");
    while turns(&world).is_empty() {
        world.round();
    }
    let reached = turns(&world);
    assert_eq!(reached, ["config-vdc1"]);
    for ((worker, key), value) in world.picture() {
        let is_reached = reached.iter().any(|share| key.name.contains(share.as_str()));
        let is_same = before.get(&(worker.clone(), key.clone())) == Some(&value);
        assert!(is_reached || is_same, "{worker}: {key} changed before its turn");
    }
    let rollout = world.status().rollout.unwrap();
    assert!(rollout.step.is_some() && rollout.updated < rollout.total, "{rollout:?}");
    assert_eq!(world.status().chart_version.as_deref(), Some("1.0.0"), "until every share has the new one");
    assert!(!world.is_ready());
}

#[rstest]
#[case::at_once(0)]
#[case::in_the_middle(30)]
#[case::at_the_end(200)]
fn undo_comes_to_the_same_and_never_changes_a_count(#[case] rounds: usize) {
    let mut world = World::three_settled();
    let before = world.picture();
    world.chart_version("1.1.0");
    world.rounds(rounds);
    // Meanwhile the database grew: what an undo brings back is the template alone.
    world.set(&[("mongos", json!({"replicasPerPlacement": 2}))]);
    world.chart_version("1.0.0");
    world.settle();
    assert!(counts(&world, "Deployment").iter().all(|replicas| *replicas == 2));
    assert!(counts(&world, "StatefulSet").iter().all(|replicas| *replicas == 1));
    world.set(&[("mongos", json!({"replicasPerPlacement": 1}))]);
    world.settle();
    assert_eq!(world.picture(), before);
}

fn counts(world: &World, of: &str) -> Vec<u64> {
    let written =
        world.writes.iter().filter_map(|(_, action)| applied(action)).filter(|object| kind(object) == of);
    let written: Vec<&Object> = written.collect();
    let standing = workloads(world).map(|(_, workload)| workload).filter(|workload| kind(workload) == of);
    let members = written.iter().copied().filter(|_| of == "StatefulSet");
    standing.chain(members).map(|object| object.data["spec"]["replicas"].as_u64().unwrap()).collect()
}

#[test]
fn a_change_of_values_is_a_rollout_and_one_of_the_shape_is_none() {
    let mut world = World::three_settled();
    world.set(&[("values", json!({"terminationGracePeriodSeconds": 75}))]);
    world.settle();
    assert_eq!(turns(&world).len(), 9);
    assert_eq!(world.status().rollout.unwrap().to, "1.0.0");

    world.forget_history();
    world.set(&[("mongos", json!({"replicasPerPlacement": 3}))]);
    world.settle();
    assert!(!world.writes.iter().any(|(_, action)| matches!(action, Action::Delete { .. })), "{:?}", world.writes);
}

#[test]
fn the_soak_is_waited_for_after_each_share() {
    let mut world = World::three_settled();
    world.edit(|spec| {
        spec.global.chart_version = Some("1.1.0".to_owned());
        spec.rollout.soak = Duration::from_secs(30).into();
    });
    let mut since: Option<(usize, usize)> = None;
    for round in 0..600 {
        world.round();
        let done = turns(&world).len();
        match since {
            Some((turn, began)) if turn != done => {
                assert!(
                    turn == 0 || round - began >= 30,
                    "turn {done} came {} s after the one before",
                    round - began
                );
                since = Some((done, round));
            }
            None => since = Some((done, round)),
            Some(_) => {}
        }
    }
    assert!(world.is_ready(), "{:?}", world.status().waiting_for);
}

#[test]
fn while_it_soaks_the_status_stands_still() {
    let mut world = World::three_settled();
    world.edit(|spec| {
        spec.global.chart_version = Some("1.1.0".to_owned());
        spec.rollout.soak = Duration::from_mins(10).into();
    });
    world.rounds(60);
    let status = world.status();
    assert!(status.rollout.as_ref().unwrap().healthy_since.is_some(), "{:?}", status.rollout);
    world.forget_history();
    world.rounds(60);
    assert_eq!(world.status(), status);
    assert!(world.writes.is_empty(), "{:?}", world.writes);
}

#[test]
fn a_template_that_crashes_stops_at_its_first_member() {
    let mut world = World::three_settled();
    world.chart_version("1.1.0");
    while turns(&world).is_empty() {
        world.round();
    }
    let (_, canary) = workloads(&world).find(|(_, w)| name(w) == "ll2022-config-vdc1").unwrap();
    let broken = template_revision(canary).to_owned();
    for vdc in ["vdc1", "vdc2", "vdc3"] {
        world.worker(vdc).crashing.push(broken.clone());
    }
    world.rounds(60);
    assert_eq!(turns(&world), ["config-vdc1"]);
    assert!(world.servers.serve() && !world.is_ready());
    let waiting = world.status().waiting_for.unwrap();
    assert!(waiting.contains("ll2022-config-vdc1-0"), "{waiting}");
    assert_eq!(world.condition(types::DEGRADED).status, "True");

    world.chart_version("1.0.0");
    world.settle();
}

/// A probe asks whether a server listens; whether it serves its set, the set knows.
#[test]
fn a_member_that_is_ready_and_behind_stops_it() {
    let mut world = World::three_settled();
    world.chart_version("1.1.0");
    while turns(&world).is_empty() || !shares_at_work(&world).is_empty() {
        world.round();
    }
    let restarted = "ll2022-config-vdc1-0";
    world.servers.keep_behind(restarted, true);
    world.rounds(60);
    assert!(is_ready(world.worker("vdc1").object("Pod", restarted).unwrap()));
    assert_eq!(turns(&world), ["config-vdc1"]);
    world.servers.keep_behind(restarted, false);
    world.settle();
    assert_eq!(turns(&world).len(), 9);
}

#[test]
fn a_silent_data_centre_holds_it() {
    let mut world = World::three_settled();
    world.chart_version("1.1.0");
    while turns(&world).len() < 2 {
        world.round();
    }
    world.worker("vdc3").silent = true;
    world.rounds(5);
    let turns_then = turns(&world);
    world.rounds(40);
    assert_eq!(turns(&world), turns_then);
    let paused = world.condition(types::ROLLOUT_PAUSED);
    assert_eq!((paused.status.as_str(), paused.reason.as_str()), ("True", "Held"));
    assert!(paused.message.contains("vdc3"), "{}", paused.message);
    world.worker("vdc3").silent = false;
    world.settle();
    assert_eq!(turns(&world).len(), 9);
}

#[test]
fn a_rollout_that_fails_its_rehearsal_has_not_begun() {
    let mut world = World::three_settled();
    let before = world.picture();
    world.worker("vdc3").refuses = Some("Deployment");
    world.chart_version("1.1.0");
    world.rounds(20);
    assert!(turns(&world).is_empty(), "{:?}", turns(&world));
    assert_eq!(world.condition(types::READY).reason, "AdmissionRefused");
    assert_eq!(world.status().rollout, None);
    world.worker("vdc3").refuses = None;
    world.chart_version("1.0.0");
    world.settle();
    assert_eq!(world.picture(), before);
}

#[test]
fn field_24_a_rollout_goes_on_without_a_rehearsal_where_that_is_approved() {
    let mut world = World::three_settled();
    world.worker("vdc2").rehearses = false;
    world.chart_version("1.1.0");
    world.rounds(20);
    assert!(turns(&world).is_empty(), "{:?}", turns(&world));
    assert_eq!(world.condition(types::READY).reason, "WebhookWithoutDryRun");
    let passed = world.pass(&Fate::Lives);
    let waivers = passed.plan.unwrap().waivers;
    let of = |vdc: &str| waivers[&WorkerName(format!("worker-{vdc}"))].clone();
    assert_ne!(of("vdc1"), of("vdc2"));
    // An approval for another worker approves nothing here.
    world.annotate(labels::APPROVE, Some(&of("vdc1")));
    world.rounds(5);
    assert!(turns(&world).is_empty(), "{:?}", turns(&world));
    world.annotate(labels::APPROVE, Some(&of("vdc2")));
    world.settle();
    assert_eq!(world.status().chart_version.as_deref(), Some("1.1.0"));
}

#[test]
fn field_24_a_new_database_begins_where_nothing_can_be_rehearsed() {
    let mut world = World::three();
    world.worker("vdc2").rehearses = false;
    world.settle();
    assert!(world.is_ready());
}

#[test]
fn a_revision_that_is_kept_nowhere_is_told_and_left_alone() {
    let mut world = World::three_settled();
    world.chart_version("1.1.0");
    while turns(&world).is_empty() {
        world.round();
    }
    world.revisions.retain(|stored| stored.revision > 1);
    world.rounds(2);
    let ready = world.condition(types::READY);
    assert_eq!(ready.reason, "RevisionLost", "{}", ready.message);
    let gone = world.writes.iter().filter(|(_, action)| matches!(action, Action::Delete { .. }));
    assert!(
        gone.map(|(_, action)| crate::world::key(action)).all(|key| key.kind == "Pod"),
        "A1: {:?}",
        world.writes
    );
    world.settle();
    assert_eq!(world.status().chart_version.as_deref(), Some("1.1.0"));
}

#[test]
fn configuration_that_nothing_refers_to_any_more_goes() {
    let mut world = World::three_settled();
    let count =
        |world: &World| world.workers.values().map(|worker| worker.list("ConfigMap").count()).sum::<usize>();
    let before = count(&world);
    world.chart_version("1.1.0");
    while turns(&world).len() < 5 {
        world.round();
    }
    assert!(count(&world) > before, "a pod that crashes before its turn finds its old configuration");
    world.settle();
    world.rounds(3);
    assert_eq!(count(&world), before);
}

#[test]
fn where_no_version_is_named_the_newest_is_pinned() {
    let mut world = World::three();
    world.edit(|spec| spec.global.chart_version = None);
    world.settle();
    assert_eq!(world.status().chart_version.as_deref(), Some("1.1.0"));

    let mut older = World::three_settled();
    older.edit(|spec| spec.global.chart_version = None);
    older.settle();
    assert_eq!(older.status().chart_version.as_deref(), Some("1.0.0"), "what is pinned stays");
    assert!(turns(&older).is_empty());
}
