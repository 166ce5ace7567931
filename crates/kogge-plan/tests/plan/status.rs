use kogge_api::federated_cluster::{Component, WorkState};
use kogge_api::gate::HoldReason;
use kogge_plan::status::{placement, share, worst};
use kogge_plan::workload::{self, ShareKey};
use kogge_plan::{Object, WorkerView};
use rstest::rstest;
use serde_json::json;

use crate::support::{database, id, partial, pod, share_key, silent, view, workload};

fn key() -> ShareKey {
    share_key(Component::Shard(0), "vdc1")
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

#[test]
fn a_share_of_nothing_is_ready() {
    assert_eq!(share(Some(&view("u", [])), database(&id()), &key(), 0, None).status.status, WorkState::Ready);
}

#[test]
fn a_placement_is_as_its_worst_share() {
    let seen = view("u", two_pods(("r1", true), ("r1", true)));
    let missing = share_key(Component::Config, "vdc1");
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

#[test]
fn a_gate_that_holds_is_read_from_its_last_word() {
    let held = |gate: serde_json::Value| {
        let mut pod = crate::support::stored(pod(&key(), 0, "r1", true));
        pod.data["status"]["initContainerStatuses"] = serde_json::json!([{"name": "other", "state": {}}, gate]);
        workload::pod_facts(&pod).unwrap().held.map(|hold| (hold.reason, hold.message))
    };
    let ended =
        |code: i64, message: &str| serde_json::json!({"terminated": {"exitCode": code, "message": message}});
    let lost = (HoldReason::LostDisk, "the disk is empty".to_owned());
    let word = ended(75, "LostDisk: the disk is empty");
    // Just ended, waiting to be started again, and running again without a new word.
    assert_eq!(held(serde_json::json!({"name": "gate", "state": word})), Some(lost.clone()));
    for state in
        [serde_json::json!({"waiting": {"reason": "CrashLoopBackOff"}}), serde_json::json!({"running": {}})]
    {
        let gate = serde_json::json!({"name": "gate", "state": state, "lastState": word});
        assert_eq!(held(gate), Some(lost.clone()));
    }
    // Let through, though it held before; or nothing said yet.
    assert_eq!(held(serde_json::json!({"name": "gate", "state": ended(0, ""), "lastState": word})), None);
    assert_eq!(held(serde_json::json!({"name": "gate", "state": {"running": {}}, "lastState": {}})), None);
    assert_eq!(held(serde_json::json!({"name": "gate", "state": ended(137, "")})).unwrap().0, HoldReason::Failed);
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
