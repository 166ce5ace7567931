use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::time::Duration;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use kogge_api::federated_cluster::DataPolicy;
use kogge_api::labels;
use kogge_plan::teardown::{DeletionState, Stage, TeardownPlan, deletion_record, deletion_state, teardown};
use kogge_plan::{Action, FleetView, Object, ObjectKey, WorkerName, WorkerView};
use serde_json::json;

use crate::support::{OTHER_ID, database, id, ours, partial, pod, share_key, silent, view, workload};

const WEEK: Duration = Duration::from_hours(168);

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).unwrap()
}

#[test]
fn a_deletion_is_recorded_before_it_is_ever_due() {
    let asked = Time(at(0));
    let state = deletion_state(at(10), &asked, None, Duration::ZERO);
    assert_eq!(state, DeletionState::Pending { executes_at: Time(at(0)) });
    let record = deletion_record(&asked, None, Duration::ZERO);
    assert_eq!(deletion_state(at(10), &asked, Some(&record), Duration::ZERO), DeletionState::Due);
}

#[test]
fn nothing_shortens_the_cool_off() {
    let asked = Time(at(0));
    let record = deletion_record(&asked, None, WEEK);
    let week = SignedDuration::try_from(WEEK).unwrap();
    assert_eq!(record.executes_at, Time(at(0) + week));
    let pending = DeletionState::Pending { executes_at: record.executes_at.clone() };
    assert_eq!(deletion_state(at(3600), &asked, Some(&record), Duration::ZERO), pending);
    assert_eq!(deletion_state(at(-9), &asked, Some(&record), Duration::ZERO), pending);
    let last = at(0) + week;
    assert_eq!(deletion_state(last, &asked, Some(&record), WEEK), DeletionState::Due);
}

#[test]
fn a_record_of_an_earlier_deletion_does_not_count() {
    let earlier = deletion_record(&Time(at(-900_000)), None, Duration::ZERO);
    let state = deletion_state(at(1), &Time(at(0)), Some(&earlier), WEEK);
    assert!(matches!(state, DeletionState::Pending { executes_at } if executes_at.0 > at(600_000)));
}

#[test]
fn a_cool_off_beyond_all_time_never_ends() {
    let record = deletion_record(&Time(at(0)), None, Duration::MAX);
    assert_eq!(record.executes_at.0, Timestamp::MAX);
}

/// Components, and their places in a rollout.
const RANKS: [(&str, u32); 3] = [("config", 0), ("shard-0", 1), ("mongos", 2)];
/// The routers go first.
const ROUTERS: Stage = Stage::Workloads(Reverse(2));

fn everything() -> Vec<Object> {
    let mut objects = vec![
        ours("Service", "ll2022-config", &[], json!({})),
        ours("EndpointSlice", "mirrored", &[(labels::ENDPOINT_SLICE_MANAGED_BY, labels::MANAGER)], json!({})),
        ours("EndpointSlice", "native", &[], json!({})),
        ours("ConfigMap", "settings", &[], json!({})),
        ours("Secret", "ll2022-keyfile", &[], json!({})),
        ours("ConfigMap", "ll2022-anchor", &[(labels::ROLE, "anchor")], json!({})),
        ours("PersistentVolumeClaim", "data-abcdefgh-x-0", &[], json!({})),
    ];
    for (component, _) in RANKS {
        let key = share_key(component, "vdc1");
        objects.extend([workload(&key, "r1"), pod(&key, 0, "r1", true)]);
    }
    objects
}

fn fleet(views: Vec<(&str, WorkerView)>) -> FleetView {
    FleetView { workers: views.into_iter().map(|(name, view)| (name.into(), view)).collect() }
}

fn workers() -> BTreeMap<WorkerName, Option<String>> {
    [("w1".into(), Some("u1".to_owned())), ("w2".into(), Some("u2".to_owned()))].into()
}

fn run(fleet: &FleetView, data: DataPolicy) -> TeardownPlan {
    let rank = |component: &str| RANKS.iter().find(|(name, _)| *name == component).map(|(_, rank)| *rank);
    teardown(fleet, &workers(), database(&id()), data, rank)
}

/// Carries a plan out; pods go with their workload.
fn carry_out(fleet: &mut FleetView, plan: &TeardownPlan) {
    for action in &plan.actions {
        let Action::Delete { worker, key, .. } = action else { panic!("{action}") };
        let objects = &mut fleet.workers.get_mut(worker).unwrap().objects;
        let pod_of = |pod: &ObjectKey| pod.kind == "Pod" && pod.name.starts_with(&format!("{}-", key.name));
        objects.retain(|other, _| other != key && !(key.api_version == "apps/v1" && pod_of(other)));
    }
}

fn stages(mut fleet: FleetView, data: DataPolicy) -> (Vec<Stage>, FleetView, TeardownPlan) {
    let mut stages = Vec::new();
    for _ in 0..20 {
        let plan = run(&fleet, data);
        let Some(stage) = plan.stage else { return (stages, fleet, plan) };
        assert!(!plan.is_done() && !plan.remaining.is_empty());
        stages.push(stage);
        carry_out(&mut fleet, &plan);
    }
    panic!("it does not end: {stages:?}");
}

fn left(fleet: &FleetView, worker: &str) -> Vec<String> {
    fleet.workers[&WorkerName::from(worker)].objects.iter().map(|(key, _)| key.to_string()).collect()
}

#[test]
fn a02_volumes_stay_unless_the_policy_says_otherwise() {
    use Stage::{Anchors, Discovery, Rest, Volumes};
    let [config_servers, shards] = [0, 1].map(|rank| Stage::Workloads(Reverse(rank)));
    let both = || fleet(vec![("w1", view("u1", everything())), ("w2", view("u2", everything()))]);
    let (order, after, plan) = stages(both(), DataPolicy::Retain);
    assert_eq!(order, [ROUTERS, shards, config_servers, Discovery, Rest, Anchors]);
    assert!(plan.is_done());
    assert_eq!(
        left(&after, "w2"),
        ["EndpointSlice databases/native", "PersistentVolumeClaim databases/data-abcdefgh-x-0"]
    );
    let (order, after, _) = stages(both(), DataPolicy::Delete);
    assert_eq!(order, [ROUTERS, shards, config_servers, Discovery, Rest, Volumes, Anchors]);
    assert_eq!(left(&after, "w1"), ["EndpointSlice databases/native"]);
}

#[test]
fn a_stage_waits_for_the_pods_of_the_one_before() {
    let mut fleet = fleet(vec![("w1", view("u1", everything())), ("w2", view("u2", []))]);
    let plan = run(&fleet, DataPolicy::Retain);
    fleet.workers.get_mut(&"w1".into()).unwrap().objects.retain(|key, _| key.kind != "Deployment");
    let waiting = run(&fleet, DataPolicy::Retain);
    assert_eq!((plan.actions.len(), waiting.actions.len()), (1, 0));
    assert_eq!(waiting.stage, Some(ROUTERS));
    assert!(waiting.remaining[&"w1".into()].contains("ll2022-mongos-vdc1-0"));
}

#[test]
fn a_silent_worker_is_named_and_swept_when_it_returns() {
    let both = fleet(vec![("w1", view("u1", everything())), ("w2", silent(view("u2", everything())))]);
    let (_, mut after, plan) = stages(both, DataPolicy::Retain);
    assert!(!plan.is_done());
    assert!(plan.remaining[&"w2".into()].contains("silent"));
    let returned = view("u2", everything());
    after.workers.insert("w2".into(), returned);
    let (order, _, plan) = stages(after, DataPolicy::Retain);
    assert_eq!(order.first(), Some(&ROUTERS));
    assert!(plan.is_done());
}

#[test]
fn a01_no_other_cluster_and_no_other_database_is_touched() {
    let mut stranger = ours("ConfigMap", "theirs", &[], json!({}));
    stranger.metadata.labels.as_mut().unwrap().insert(labels::CLUSTER_ID.to_owned(), OTHER_ID.to_owned());
    for untrusted in [view("another", everything()), partial(view("u1", everything()))] {
        let plan =
            run(&fleet(vec![("w1", untrusted), ("w2", view("u2", [stranger.clone()]))]), DataPolicy::Delete);
        assert_eq!(plan.actions, vec![]);
        assert!(!plan.is_done());
    }
    assert!(!run(&fleet(vec![]), DataPolicy::Delete).is_done(), "a worker that is not registered holds it up");
}
