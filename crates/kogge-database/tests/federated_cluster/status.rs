//! A3: what was not seen is Unknown, and never Ready.

use std::time::Duration;

use kogge_api::DatabaseStatus;
use kogge_api::conditions::database as types;
use kogge_api::status::WorkState;
use kogge_database::pass::Again;
use kogge_database::report::Problem;
use rstest::rstest;
use serde_json::json;

use crate::world::{NAMESPACE, World};

#[rstest]
#[case::silent(|world: &mut World, silent| world.worker("vdc2").silent = silent, "WorkerNotReady")]
#[case::not_wholly_listed(|world: &mut World, listing| world.worker("vdc2").listing = listing, "WorkersNotSeen")]
#[case::not_watched(not_watched, "NamespaceNotAllowed")]
fn a_worker_that_is_not_seen_is_unknown_and_the_database_available(
    #[case] lose: fn(&mut World, bool),
    #[case] reason: &str,
) {
    let mut world = World::three_settled();
    lose(&mut world, true);
    world.round();
    let status = world.status();
    assert!(!world.is_ready() && status.available, "{:?}", status.conditions);
    assert_eq!(world.condition(types::READY).reason, reason);
    assert_eq!(status.placement["vdc2"].status, WorkState::Unknown);
    assert_eq!(status.placement["vdc1"].status, WorkState::Ready);
    for set in status.groups.values() {
        assert_eq!(set.placement["vdc2"].status, WorkState::Unknown);
        assert_ne!(set.status, WorkState::Ready);
        let member = set.members.iter().find(|member| member.vdc == "vdc2").unwrap();
        let why = member.reason.as_ref().unwrap();
        assert!(!member.ready && !why.contains("does not exist"), "what was not seen is not absent: {why}");
    }
    assert_eq!(status.routers.as_ref().unwrap().placement["vdc2"].status, WorkState::Unknown);
    assert_eq!(world.condition(types::DISCOVERY_STALE).status, "True");
    assert!(status.waiting_for.as_ref().unwrap().contains("vdc2"));
    assert_eq!(status.summary.as_deref(), Some("6/9"));

    world.rounds(3);
    let later = world.status();
    world.rounds(20);
    assert_eq!(world.status(), later, "its words do not change while it waits");
    lose(&mut world, false);
    world.settle();
}

/// Its user does not let Kogge look into the namespace any more.
fn not_watched(world: &mut World, barred: bool) {
    let allowed = if barred { "others" } else { NAMESPACE };
    allowed.clone_into(&mut world.worker("vdc2").allowed_namespace);
}

/// The reason of pods that are never made is told, not only that they are missing.
#[rstest]
#[case::pod_security(
    r#"create Pod p in StatefulSet s failed error: pods "p" is forbidden: violates PodSecurity "restricted:latest": runAsNonRoot != true"#,
    "pod-security.kubernetes.io/enforce")]
#[case::quota(
    r#"create Pod p in StatefulSet s failed error: pods "p" is forbidden: failed quota: compute: must specify limits.cpu for: keyfile"#,
    "must specify limits.cpu for: keyfile")]
#[case::other_words("create Pod p in StatefulSet s failed error: no such runtime class", "no such runtime class")]
fn field_38_and_41_why_pods_are_not_made_is_told(#[case] words: &'static str, #[case] says: &str) {
    let mut world = World::three();
    world.worker("vdc3").refuses_pods = Some(words);
    world.rounds(20);
    assert!(!world.is_ready());
    let degraded = world.condition(types::DEGRADED);
    assert_eq!(degraded.status, "True");
    let ready = world.condition(types::READY);
    for told in [&ready.message, &degraded.message, world.status().waiting_for.as_ref().unwrap()] {
        assert!(told.contains(says) && told.contains("cannot be created"), "{told}");
    }
    world.worker("vdc3").refuses_pods = None;
    world.settle();
}

#[test]
fn every_worker_silent_leaves_nothing_that_is_known() {
    let mut world = World::three_settled();
    for vdc in ["vdc1", "vdc2", "vdc3"] {
        world.worker(vdc).silent = true;
    }
    world.rounds(40);
    let status = world.status();
    assert!(!status.available);
    assert_eq!(world.condition(types::AVAILABLE).status, "Unknown");
    all_unknown(&status);
}

#[test]
fn a_pass_that_is_blocked_leaves_nothing_that_is_known() {
    let mut world = World::three_settled();
    world.secrets = None;
    world.round();
    let status = world.status();
    assert_eq!(world.condition(types::AVAILABLE).status, "Unknown");
    assert_eq!(world.condition(types::READY).status, "False");
    all_unknown(&status);
    world.rounds(3);
    assert_eq!(world.status(), status);
}

fn all_unknown(status: &DatabaseStatus) {
    let sets = status.groups.values();
    let shares = sets.clone().flat_map(|set| set.placement.values()).map(|share| share.status);
    let routers = status.routers.iter().flat_map(|routers| routers.placement.values()).map(|share| share.status);
    let placements = status.placement.values().map(|placement| placement.status);
    let states: Vec<WorkState> =
        sets.clone().map(|set| set.status).chain(shares).chain(routers).chain(placements).collect();
    assert!(states.len() >= 14 && states.iter().all(|state| *state == WorkState::Unknown), "{states:?}");
    assert!(sets.flat_map(|set| &set.members).all(|member| !member.ready));
    assert_eq!(status.summary.as_deref(), Some("0/9"));
}

#[test]
fn a_member_that_is_down_is_named() {
    let mut world = World::three_settled();
    let revision = crate::world::revision(world.worker("vdc3").object("Pod", "ll2022-shard-0-vdc3-0").unwrap());
    let revision = revision.unwrap().to_owned();
    world.worker("vdc3").crashing.push(revision);
    world.worker("vdc3").remove("Pod", "ll2022-shard-0-vdc3-0");
    world.rounds(6);
    let status = world.status();
    assert!(status.available && !world.is_ready());
    assert_eq!(world.condition(types::QUORUM_AT_RISK).status, "True");
    assert_eq!(world.condition(types::DEGRADED).status, "True");
    let waiting = status.waiting_for.unwrap();
    assert!(waiting.contains("vdc3") && waiting.contains("CrashLoopBackOff"), "{waiting}");
    let member = &status.groups["ll2022-shard-0"].members[2];
    assert!(!member.ready && member.reason.is_some(), "{member:?}");
    world.worker("vdc3").crashing.clear();
    world.settle();
}

#[test]
fn ready_speaks_of_the_present_generation_only() {
    let mut world = World::three_settled();
    world.chart_version("1.1.0");
    assert!(!world.is_ready(), "the status is the old one's");
    world.rounds(4);
    assert!(!world.is_ready());
}

#[test]
fn times_move_only_when_something_changes() {
    let mut world = World::three_settled();
    let since = world.condition(types::READY).last_transition_time;
    world.rounds(30);
    assert_eq!(world.condition(types::READY).last_transition_time, since);
    world.worker("vdc1").silent = true;
    world.rounds(2);
    assert_ne!(world.condition(types::READY).last_transition_time, since);
}

#[test]
fn a_settled_database_is_told_once() {
    let mut world = World::three_settled();
    world.events.clear();
    for _ in 0..5 {
        assert_eq!(world.round().control_writes, 0, "A5: a status that says nothing new is not written");
    }
    world.worker("vdc2").silent = true;
    world.rounds(5);
    assert_eq!(world.events.len(), 1, "{:?}", world.events);
    assert_eq!(world.events[0].reason, world.condition(types::READY).reason);
    world.chart_version("9.9.9");
    world.rounds(5);
    assert_eq!(world.events.len(), 2, "another reason is told: {:?}", world.events);
}

#[test]
fn a_switchover_is_told_as_done_once_the_primaries_have_left() {
    let mut world = World::three_settled();
    let leaders_in = |world: &World, vdc: &str| {
        world.servers.set_names().filter(|set| world.servers.primary(set.as_str()).as_str().contains(vdc)).count()
    };
    assert!(leaders_in(&world, "vdc1") > 0);
    world.annotate(kogge_api::labels::AWAY_FROM, Some("vdc1"));
    let mut moving = 0;
    for _ in 0..100 {
        let before = leaders_in(&world, "vdc1");
        world.round();
        let told = world.condition(types::SWITCHED_OVER);
        if told.status == "True" {
            assert_eq!((before, told.reason.as_str()), (0, "InForce"), "{}", told.message);
            break;
        }
        moving += 1;
    }
    assert!(moving > 0 && leaders_in(&world, "vdc1") == 0);
    world.settle();
}

/// Lets the database grow by a data centre, while servers do not do `action`.
fn growing_where(action: &'static str, problem: Problem) -> World {
    let mut world = World::three_settled();
    world.refused.insert(action, problem);
    world.register("vdc4");
    world.edit(|spec| {
        spec.placement.push(serde_json::from_value(json!({"name": "vdc4", "vdc": "vdc4"})).unwrap());
    });
    world.rounds(40);
    world
}

fn grows_after_all(mut world: World) {
    world.refused.clear();
    world.settle();
    assert_eq!(world.condition(types::PROGRESSING).reason, "Settled");
}

#[test]
fn a_step_that_a_server_refuses_is_told_with_its_words() {
    let message = "ll2022-shard-0-abcdefgh: add vdc4: ll2022-shard-0-vdc1-0: replSetReconfig: no (code 93)";
    let refused = Problem::Refused { reason: "InvalidReplicaSetConfig".to_owned(), message: message.to_owned() };
    let mut world = growing_where("AddMember", refused);
    for type_ in [types::READY, types::PROGRESSING] {
        let condition = world.condition(type_);
        assert_eq!((condition.status.as_str(), condition.reason.as_str()), ("False", "InvalidReplicaSetConfig"));
        assert_eq!(condition.message, message);
    }
    let status = world.status();
    assert_eq!(status.waiting_for.as_deref(), Some(message));
    assert_eq!(world.condition(types::SPEC_VALID).status, "True");
    world.rounds(10);
    assert_eq!(world.status(), status, "its words do not change while it waits");
    grows_after_all(world);
}

#[test]
fn a_step_that_is_delayed_is_told_while_it_is_tried_again() {
    let message = "ll2022-shard-0-abcdefgh: add vdc4: ll2022-shard-0-vdc1-0: not yet (code 308)";
    let delayed =
        Problem::Delayed { reason: "CurrentConfigNotCommittedYet".to_owned(), message: message.to_owned() };
    let mut world = growing_where("AddMember", delayed);
    let progressing = world.condition(types::PROGRESSING);
    assert_eq!(
        (progressing.status.as_str(), progressing.reason.as_str(), progressing.message.as_str()),
        ("True", "CurrentConfigNotCommittedYet", message)
    );
    let ready = world.condition(types::READY);
    assert_eq!((ready.status.as_str(), ready.reason.as_str()), ("False", "Progressing"));
    assert_eq!(world.status().waiting_for.as_deref(), Some(message));

    // What a person must mend comes before it.
    world.annotate(kogge_api::labels::AWAY_FROM, Some("nowhere"));
    world.rounds(3);
    assert_eq!(world.condition(types::READY).reason, "RequestRefused");
    let waiting = world.status().waiting_for.unwrap();
    assert!(waiting.contains("nowhere"), "{waiting}");
    world.annotate(kogge_api::labels::AWAY_FROM, None);
    grows_after_all(world);
}

#[test]
fn what_a_person_must_mend_comes_before_what_will_pass() {
    let (reason, message) = ("Word".to_owned(), "a sentence".to_owned());
    let refused = Problem::Refused { reason: reason.clone(), message: message.clone() };
    let failed = Problem::Failed { reason: reason.clone(), message: message.clone() };
    let delayed = Problem::Delayed { reason, message };
    let most_pressing = |problems: &[&Problem]| Problem::most_pressing(problems.iter().copied().cloned()).unwrap();
    assert_eq!(most_pressing(&[&delayed, &failed, &refused]), refused);
    assert_eq!(most_pressing(&[&delayed, &failed]), failed);
    assert_eq!(Problem::most_pressing([]), None);
}

/// A database that cannot be helped costs next to nothing: the watches tell when one of its servers runs.
#[test]
fn while_no_server_runs_a_database_is_seldom_looked_at() {
    let mut world = World::three_settled();
    let vdcs = ["vdc1", "vdc2", "vdc3"];
    for vdc in vdcs {
        world.power(vdc, false);
    }
    world.rounds(5);
    assert_eq!(world.round().again, Some(Again::After(Duration::from_secs(10))));
    for vdc in vdcs {
        world.power(vdc, true);
    }
    let pauses: Vec<_> = (0..5).map(|_| world.round().again).collect();
    assert!(pauses.contains(&Some(Again::After(Duration::from_secs(1)))), "its servers are asked: {pauses:?}");
    world.settle();
}
