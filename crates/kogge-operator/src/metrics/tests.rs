use std::collections::BTreeMap;
use std::fmt::Write as _;

use kogge_api::conditions::{Finding, Status, database::AVAILABLE};
use kogge_engine::{Group, Health, Listed, MemberView};

use super::*;

const CLUSTER: &str = "databases/ll2022";

fn member(pod: &str, state: &str, lag_ms: Option<i64>) -> MemberView {
    MemberView {
        pod: pod.into(),
        placement: "vdc1".into(),
        vdc: "vdc1".into(),
        state: state.to_owned(),
        is_healthy: lag_ms.is_some(),
        in_transition: false,
        listed: true,
        votes: 1,
        priority: Some(1),
        lag_ms,
        ready: true,
        reason: None,
        disagreement: (pod == "m-2").then(|| "it says one thing and its peers another".to_owned()),
    }
}

fn view(leader: &str, health: Health) -> EngineView<()> {
    let group = Group {
        component: "config".into(),
        initialized: true,
        joined: None,
        health,
        leader: Some(leader.into()),
        draining: None,
        voters: 3,
        healthy_voters: 2,
        ready: 2,
        size: 3,
        quorum_at_risk: true,
        config_version: Some(7),
        config_term: Some(2),
        members: vec![
            member("m-0", "LEADS", Some(0)),
            member("m-1", "FOLLOWS", Some(1_500)),
            member("m-2", "DOWN", None),
        ],
    };
    EngineView {
        groups: BTreeMap::from([(GroupName::new("ll2022-config-abcdefgh"), group)]),
        availability: Finding::new(AVAILABLE, Status::Unknown, "MembersNotSeen", ""),
        data_version: None,
        reloads_certificates: false,
        refuses_rollout: None,
        waiting_gates: BTreeMap::new(),
        steps: Vec::new(),
        waiting: Vec::new(),
        findings: Vec::new(),
        advice: Vec::new(),
        approvals: Vec::new(),
        listed: Listed::default(),
    }
}

fn observed(metrics: &Metrics, view: &EngineView<()>, queued: bool) {
    let name = |group: &GroupName| group.as_str().trim_end_matches("-abcdefgh").to_owned();
    metrics.observed(CLUSTER, view, name, |_| queued);
}

/// Everything counted once.
fn full() -> Metrics {
    let metrics = Metrics::default();
    metrics.reconciled("FederatedCluster", "Ok", Duration::from_millis(3));
    metrics.worker_live("worker-vdc1", false);
    metrics.written("worker-vdc1", "Applied");
    metrics.undecodable("FederatedCluster", 0);
    metrics.stepped(CLUSTER, "ll2022-config", "AddMember", "Done");
    observed(&metrics, &view("m-0", Health::Degraded), true);
    metrics
}

#[test]
fn the_text_names_what_was_counted() {
    let text = full().text().unwrap();
    let group = r#"cluster="databases/ll2022",group="ll2022-config""#;
    for line in [
        r#"kogge_reconciles_total{kind="FederatedCluster",reason="Ok"} 1"#.to_owned(),
        r#"kogge_worker_live{worker="worker-vdc1"} 0"#.to_owned(),
        format!("kogge_group_voters{{{group}}} 3.0"),
        format!("kogge_group_healthy_voters{{{group}}} 2.0"),
        format!("kogge_group_config_version{{{group}}} 7.0"),
        format!("kogge_group_config_term{{{group}}} 2.0"),
        format!("kogge_group_in_queue{{{group}}} 1.0"),
        format!("kogge_group_disagreements{{{group}}} 1.0"),
        format!("kogge_group_leader{{{group},member=\"m-0\"}} 1.0"),
        format!("kogge_group_leader{{{group},member=\"m-1\"}} 0.0"),
        format!("kogge_group_replication_lag_seconds{{{group},member=\"m-1\"}} 1.5"),
        format!("kogge_engine_steps_total{{{group},step=\"AddMember\",outcome=\"Done\"}} 1"),
    ] {
        assert!(text.lines().any(|known| known == line), "{line} is missing in\n{text}");
    }
    assert!(
        !text.contains(r#"lag_seconds{cluster="databases/ll2022",group="ll2022-config",member="m-2"}"#),
        "{text}"
    );
}

#[test]
fn another_leader_takes_the_place_of_the_one_before() {
    let metrics = full();
    observed(&metrics, &view("m-1", Health::Degraded), false);
    let text = metrics.text().unwrap();
    let leaders: Vec<&str> =
        text.lines().filter(|line| line.starts_with("kogge_group_leader") && line.ends_with(" 1.0")).collect();
    assert_eq!(leaders.len(), 1);
    assert!(leaders[0].contains(r#"member="m-1""#), "{leaders:?}");
}

#[test]
fn an_observation_that_reached_nobody_does_not_count_as_one() {
    let last = |metrics: &Metrics| {
        let text = metrics.text().unwrap();
        let mut lines = text.lines();
        lines.find(|line| line.starts_with("kogge_group_last_observation_timestamp_seconds{")).map(str::to_owned)
    };
    let metrics = Metrics::default();
    observed(&metrics, &view("m-0", Health::Unknown), false);
    assert_eq!(last(&metrics), None, "nobody ever answered");
    observed(&metrics, &view("m-0", Health::Ready), false);
    let seen = last(&metrics).unwrap();
    observed(&metrics, &view("m-0", Health::Unknown), false);
    assert_eq!(last(&metrics).as_ref(), Some(&seen));
}

#[test]
fn what_is_gone_leaves_nothing() {
    let metrics = full();
    metrics.database_gone(CLUSTER);
    metrics.worker_gone("worker-vdc1");
    let text = metrics.text().unwrap();
    assert!(!text.contains("ll2022"), "{text}");
    assert!(!text.contains("kogge_worker_live{"), "{text}");
}

/// The reference lists every metric, with the words of the exposition.
#[test]
fn the_reference_lists_every_metric() {
    let text = full().text().unwrap();
    let mut table = String::from("| Metric | Type | Labels | What it tells |\n|---|---|---|---|\n");
    for line in text.lines() {
        let Some((name, help)) = line.strip_prefix("# HELP ").and_then(|rest| rest.split_once(' ')) else {
            continue;
        };
        let kind = text.lines().find_map(|line| line.strip_prefix(&format!("# TYPE {name} "))).unwrap();
        let full_name = if kind == "counter" { format!("{name}_total") } else { name.to_owned() };
        let sample = text.lines().find(|line| line.starts_with(&format!("{full_name}{{"))).unwrap_or_default();
        let labels: Vec<String> = sample
            .split_once('{')
            .and_then(|(_, rest)| rest.split_once('}'))
            .map(|(labels, _)| labels.split("\",").filter_map(|label| label.split_once('=')).collect::<Vec<_>>())
            .unwrap_or_default()
            .into_iter()
            .map(|(label, _)| format!("`{label}`"))
            .collect();
        let help = help.trim_end_matches('.');
        writeln!(table, "| `{full_name}` | {kind} | {} | {help} |", labels.join(", ")).unwrap();
    }
    let reference = include_str!("../../../../docs/reference/metrics.md");
    assert!(reference.contains(&table), "docs/reference/metrics.md must hold this table:\n{table}");
}
