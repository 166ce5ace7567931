use kogge_api::gate::{Disk, HoldReason};
use kogge_api::status::WorkState;
use kogge_plan::status::{placement, share, worst};
use kogge_plan::workload::{self, PodFacts, ShareKey};
use kogge_plan::{Object, WorkerView};
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::{database, id, partial, pod, share_key, silent, view, workload};

fn key() -> ShareKey {
    share_key("shard-0", "vdc1")
}

fn two_pods(first: (&str, bool), second: (&str, bool)) -> Vec<Object> {
    vec![workload(&key(), "r1"), pod(&key(), 0, first.0, first.1), pod(&key(), 1, second.0, second.1)]
}

fn state(view: &WorkerView) -> (u32, WorkState) {
    let report = share(Some(view), database(&id()), &key(), 2, Some("r1"));
    assert_eq!(report.message.is_none(), report.status.status == WorkState::Ready);
    (report.status.ready, report.status.status)
}

#[rstest]
#[case(two_pods(("r1", true), ("r1", true)), 2, WorkState::Ready)]
#[case(two_pods(("r1", true), ("r1", false)), 1, WorkState::Progressing)]
#[case(two_pods(("r1", true), ("r0", true)), 2, WorkState::Progressing)]
#[case(vec![], 0, WorkState::Progressing)]
fn a_share_stands_as_observed(#[case] objects: Vec<Object>, #[case] ready: u32, #[case] expected: WorkState) {
    assert_eq!(state(&view("u", objects)), (ready, expected));
}

#[test]
fn a03_what_was_not_observed_is_unknown() {
    let ready = || view("u", two_pods(("r1", true), ("r1", true)));
    assert_eq!(state(&silent(ready())), (0, WorkState::Unknown));
    assert_eq!(state(&partial(ready())), (0, WorkState::Unknown));
    assert_eq!(share(None, database(&id()), &key(), 2, None).status.status, WorkState::Unknown);
}

#[test]
fn a03_a_change_that_its_controller_has_not_seen_is_not_ready() {
    let mut objects = two_pods(("r1", true), ("r1", true));
    objects[0].data["status"]["observedGeneration"] = json!(0);
    assert_eq!(state(&view("u", objects)), (2, WorkState::Progressing));
}

#[test]
fn a_pod_on_its_way_out_is_not_ready() {
    let mut objects = two_pods(("r1", true), ("r1", true));
    objects[2].metadata.deletion_timestamp = serde_json::from_value(json!("2026-01-01T00:00:00Z")).unwrap();
    assert_eq!(state(&view("u", objects)), (1, WorkState::Progressing));
}

#[test]
fn a_pod_that_cannot_start_degrades_its_share_and_says_why() {
    let mut objects = two_pods(("r1", true), ("r1", false));
    objects[2].data["status"]["containerStatuses"] =
        json!([{"state": {"waiting": {"reason": "CrashLoopBackOff"}}}]);
    let report = share(Some(&view("u", objects)), database(&id()), &key(), 2, Some("r1"));
    assert_eq!(report.status.status, WorkState::Degraded);
    let message = report.message.unwrap();
    assert!(message.contains("ll2022-shard-0-vdc1-1") && message.contains("CrashLoopBackOff"), "{message}");
}

/// A Deployment's status says why its pods are not made.
#[test]
fn field_38_a_replica_failure_is_told_in_its_words() {
    let mut deployment = workload(&key(), "r1");
    deployment.types.as_mut().unwrap().kind = "Deployment".to_owned();
    deployment.data["status"]["conditions"] = json!([{
        "type": "ReplicaFailure", "status": "True", "reason": "FailedCreate",
        "message": "pods \"p\" is forbidden: exceeded quota: compute, requested: pods=1, used: pods=9, limited: pods=9",
    }]);
    let report = share(Some(&view("u", [deployment])), database(&id()), &key(), 2, None);
    assert_eq!(report.status.status, WorkState::Degraded);
    let message = report.message.unwrap();
    assert!(message.contains("cannot be created") && message.contains("exceeded quota: compute"), "{message}");
}

#[test]
fn a_share_of_nothing_is_ready() {
    assert_eq!(share(Some(&view("u", [])), database(&id()), &key(), 0, None).status.status, WorkState::Ready);
}

#[test]
fn a_placement_is_as_its_worst_share() {
    let seen = view("u", two_pods(("r1", true), ("r1", true)));
    let missing = share_key("config", "vdc1");
    let id = id();
    let shares =
        [share(Some(&seen), database(&id), &key(), 2, None), share(Some(&seen), database(&id), &missing, 1, None)];
    let status = placement(Some(&"w1".into()), Some(&seen), &shares);
    assert_eq!((status.ready, status.size, status.status), (2, 3, WorkState::Progressing));
    assert_eq!(status.worker_uid.as_deref(), Some("u"));
    assert!(status.message.unwrap().starts_with("config: "));
    assert_eq!(worst([WorkState::Ready, WorkState::Unknown, WorkState::Degraded]), WorkState::Unknown);
    assert_eq!(worst([]), WorkState::Unknown);
}

#[test]
fn a_pods_facts_are_read_from_its_status() {
    let facts = workload::pod_facts(&crate::support::stored(pod(&key(), 0, "r1", true))).unwrap();
    assert_eq!(facts.ips.iter().map(ToString::to_string).collect::<Vec<_>>(), ["10.1.0.7", "fd00::7"]);
    assert_eq!((facts.ready, facts.terminating, facts.phase.as_str()), (true, false, "Running"));
    assert_eq!((facts.revision.as_deref(), facts.illness), (Some("r1"), None));
}

/// A pod whose init container and whose server's container are as these statuses say.
fn gated(init: Value, server: Value) -> PodFacts {
    let mut pod = crate::support::stored(pod(&key(), 0, "r1", true));
    let named = |name: &str, mut status: Value| {
        status["name"] = json!(name);
        status
    };
    pod.data["spec"] = json!({"containers": [
        {"name": "beside", "command": ["metrics"]},
        {"name": "mongod", "command": ["/kogge/kogge-agent", "gate"]},
    ]});
    pod.data["status"]["initContainerStatuses"] = json!([{"name": "other", "state": {}}, named("gate", init)]);
    pod.data["status"]["containerStatuses"] = json!([
        {"name": "beside", "lastState": run(40, 50, 1, "Empty: of another container")},
        named("mongod", server),
    ]);
    workload::pod_facts(&pod).unwrap()
}

/// A run that has ended, from and to these seconds of a minute.
fn run(from: u8, to: u8, exit_code: i64, message: &str) -> Value {
    let at = |second: u8| format!("2026-05-01T10:00:{second:02}Z");
    json!({"terminated": {"startedAt": at(from), "finishedAt": at(to), "exitCode": exit_code, "message": message}})
}

fn held(facts: &PodFacts) -> Option<HoldReason> {
    facts.gate.as_ref()?.hold().map(|hold| hold.reason)
}

fn disk(facts: &PodFacts) -> Option<Disk> {
    facts.gate.as_ref()?.disk()
}

const LOST: &str = "LostDisk: the disk is empty";

#[test]
fn a_gate_that_holds_is_read_from_its_last_run() {
    let lost = run(1, 6, 75, LOST);
    // Just ended, waiting to be started again, and running again without another report.
    for init in [
        json!({"state": lost}),
        json!({"state": {"waiting": {"reason": "CrashLoopBackOff"}}, "lastState": lost}),
        json!({"state": {"running": {}}, "lastState": lost}),
    ] {
        assert_eq!(held(&gated(init, json!({}))), Some(HoldReason::LostDisk));
    }
    // Let through, though it held before; or nothing said yet.
    let open = gated(json!({"state": run(1, 6, 0, "Data: of member 3"), "lastState": lost}), json!({}));
    assert_eq!((held(&open), disk(&open)), (None, Some(Disk::Data)));
    assert_eq!(gated(json!({"state": {"running": {}}, "lastState": {}}), json!({})).gate, None);
    assert_eq!(gated(json!({"state": run(1, 6, 0, "")}), json!({})).gate, None);
    assert_eq!(held(&gated(json!({"state": run(1, 6, 137, "")}), json!({}))), Some(HoldReason::Failed));
}

#[test]
fn a_restart_of_the_servers_container_alone_is_read_from_what_the_container_left() {
    let init = json!({"state": run(1, 2, 0, "Data: of member 3")});
    let restarted = |message: &str| {
        gated(init.clone(), json!({"state": {"running": {}}, "lastState": run(2, 30, 14, message)}))
    };
    assert_eq!(disk(&restarted("Data: of member 3")), Some(Disk::Data));
    assert_eq!(held(&restarted(LOST)), Some(HoldReason::LostDisk));
    // Another report ended the container before the server ran; the one that runs saw the same.
    let reported = json!({"state": {"running": {}}, "lastState": run(30, 30, 76, "Unused: of its first start")});
    assert_eq!(disk(&gated(json!({"state": run(1, 2, 0, "Empty: new")}), reported)), Some(Disk::Unused));
    // Whatever ended it has left no report: what this start saw is not known.
    for words in ["", "The container could not be located when the pod was terminated"] {
        assert_eq!(restarted(words).gate, None);
    }
}

#[test]
fn after_a_node_was_lost_the_init_containers_word_counts_again() {
    let before = json!({"state": {"running": {}}, "lastState": run(2, 30, 255, "Data: of member 3")});
    let again = json!({"state": run(40, 45, 75, LOST)});
    assert_eq!(held(&gated(again, before)), Some(HoldReason::LostDisk));
}

#[test]
fn a_container_that_ended_only_to_report_is_not_ill() {
    let init = json!({"state": run(1, 2, 0, "Empty: new")});
    let waiting = |exit_code| {
        let last = run(30, 30, exit_code, "Unused: of its first start");
        gated(init.clone(), json!({"state": {"waiting": {"reason": "CrashLoopBackOff"}}, "lastState": last}))
            .illness
    };
    assert_eq!(waiting(76), None);
    assert_eq!(waiting(14).as_deref(), Some("CrashLoopBackOff"));
}

#[test]
fn what_is_told_of_a_pod_that_is_held_does_not_change_as_its_gate_comes_and_goes() {
    let told = |state: serde_json::Value| {
        let mut pods = two_pods(("r1", true), ("r1", false));
        pods[2].data["status"]["initContainerStatuses"] = json!([{
            "name": "gate",
            "state": state,
            "lastState": {"terminated": {"exitCode": 75, "message": "LostDisk: the disk is empty"}},
        }]);
        share(Some(&view("u", pods)), database(&id()), &key(), 2, Some("r1")).message.unwrap()
    };
    let waiting = told(json!({"waiting": {"reason": "CrashLoopBackOff"}}));
    assert!(waiting.contains("LostDisk: the disk is empty"), "{waiting}");
    assert_eq!(told(json!({"running": {}})), waiting);
}
