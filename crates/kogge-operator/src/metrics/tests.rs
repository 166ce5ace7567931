use std::collections::BTreeMap;
use std::fmt::Write as _;

use kogge_mongo::{ConfigStamp, Health, MemberState, MemberStatus, Plan, SetName, SetRole, SetStatus};

use super::*;

const CLUSTER: &str = "databases/ll2022";

fn member(pod: &str, state: MemberState, lag_ms: Option<i64>) -> MemberStatus {
    MemberStatus {
        pod: pod.into(),
        placement: "vdc1".into(),
        vdc: "vdc1".into(),
        state: Some(state),
        listed: true,
        votes: 1,
        priority: 1.0,
        lag_ms,
        ready: true,
        reason: None,
        disagreement: (pod == "m-2").then(|| "it says one thing and its peers another".to_owned()),
    }
}

fn plan(primary: &str, health: Health) -> Plan {
    let set = SetStatus {
        role: SetRole::Config,
        initialized: true,
        added_as_shard: None,
        health,
        primary: Some(primary.into()),
        voters: 3,
        healthy_voters: 2,
        config: Some(ConfigStamp { version: 7, term: 2 }),
        ready: 2,
        size: 3,
        quorum_at_risk: true,
        draining: None,
        members: vec![
            member("m-0", MemberState::Primary, Some(0)),
            member("m-1", MemberState::Secondary, Some(1_500)),
            member("m-2", MemberState::Down, None),
        ],
    };
    let name = SetName::new("ll2022-config-abcdefgh");
    Plan { sets: BTreeMap::from([(name, set)]), ..Plan::default() }
}

fn observed(metrics: &Metrics, plan: &Plan, queued: bool) {
    let name = |set: &SetName| set.as_str().trim_end_matches("-abcdefgh").to_owned();
    metrics.observed(CLUSTER, plan, name, |_| queued);
}

/// Everything counted once.
fn full() -> Metrics {
    let metrics = Metrics::default();
    metrics.reconciled("FederatedCluster", "Ok", Duration::from_millis(3));
    metrics.worker_live("worker-vdc1", false);
    metrics.written("worker-vdc1", "Applied");
    metrics.stepped(CLUSTER, "ll2022-config", "AddMember", "Done");
    observed(&metrics, &plan("m-0", Health::Degraded), true);
    metrics
}

#[test]
fn the_text_names_what_was_counted() {
    let text = full().text().unwrap();
    let set = r#"cluster="databases/ll2022",set="ll2022-config""#;
    for line in [
        r#"kogge_reconciles_total{kind="FederatedCluster",reason="Ok"} 1"#.to_owned(),
        r#"kogge_worker_live{worker="worker-vdc1"} 0"#.to_owned(),
        format!("kogge_replica_set_voters{{{set}}} 3.0"),
        format!("kogge_replica_set_healthy_voters{{{set}}} 2.0"),
        format!("kogge_replica_set_config_version{{{set}}} 7.0"),
        format!("kogge_replica_set_config_term{{{set}}} 2.0"),
        format!("kogge_replica_set_in_queue{{{set}}} 1.0"),
        format!("kogge_replica_set_disagreements{{{set}}} 1.0"),
        format!("kogge_replica_set_primary{{{set},member=\"m-0\"}} 1.0"),
        format!("kogge_replica_set_primary{{{set},member=\"m-1\"}} 0.0"),
        format!("kogge_replica_set_replication_lag_seconds{{{set},member=\"m-1\"}} 1.5"),
        format!("kogge_engine_steps_total{{{set},step=\"AddMember\",outcome=\"Done\"}} 1"),
    ] {
        assert!(text.lines().any(|known| known == line), "{line} is missing in\n{text}");
    }
    assert!(
        !text.contains(r#"lag_seconds{cluster="databases/ll2022",set="ll2022-config",member="m-2"}"#),
        "{text}"
    );
}

#[test]
fn another_primary_takes_the_place_of_the_one_before() {
    let metrics = full();
    observed(&metrics, &plan("m-1", Health::Degraded), false);
    let text = metrics.text().unwrap();
    let primaries: Vec<&str> = text
        .lines()
        .filter(|line| line.starts_with("kogge_replica_set_primary") && line.ends_with(" 1.0"))
        .collect();
    assert_eq!(primaries.len(), 1);
    assert!(primaries[0].contains(r#"member="m-1""#), "{primaries:?}");
}

#[test]
fn an_observation_that_reached_nobody_does_not_count_as_one() {
    let last = |metrics: &Metrics| {
        let text = metrics.text().unwrap();
        let mut lines = text.lines();
        lines
            .find(|line| line.starts_with("kogge_replica_set_last_observation_timestamp_seconds{"))
            .map(str::to_owned)
    };
    let metrics = Metrics::default();
    observed(&metrics, &plan("m-0", Health::Unknown), false);
    assert_eq!(last(&metrics), None, "nobody ever answered");
    observed(&metrics, &plan("m-0", Health::Ready), false);
    let seen = last(&metrics).unwrap();
    observed(&metrics, &plan("m-0", Health::Unknown), false);
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
