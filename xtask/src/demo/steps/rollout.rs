//! A new version of the chart, member by member.

use std::time::Duration;

use kogge_api::FederatedCluster;
use kogge_lab::CONTROL;
use serde_json::json;

use crate::demo::stage::{DATABASE, NAMESPACE, Stage, ready};

const DEADLINE: Duration = Duration::from_mins(10);
const VERSION: &str = "1.1.0";

pub(in crate::demo) async fn run(stage: &Stage) -> anyhow::Result<()> {
    let patch = json!({"spec": {"global": {"chartVersion": VERSION}}}).to_string();
    stage.kubectl(CONTROL, &["patch", "fc", DATABASE, "-n", NAMESPACE, "--type=merge", "-p", &patch]).await?;
    stage.database_until(DEADLINE, rolled_out).await?;
    stage.kubectl(CONTROL, &["get", "fc", "-n", NAMESPACE, "-o", "wide"]).await
}

fn rolled_out(cluster: &FederatedCluster) -> Result<(), String> {
    let status = cluster.status.clone().unwrap_or_default();
    let step = status.rollout.filter(|rollout| rollout.updated < rollout.total).map(|rollout| {
        format!("{} of {} updated: {}", rollout.updated, rollout.total, rollout.step.unwrap_or_default())
    });
    ready(cluster).map_err(|missing| step.unwrap_or(missing))?;
    match status.chart_version.as_deref() {
        Some(VERSION) => Ok(()),
        other => Err(format!("the chart is still {}", other.unwrap_or("unknown"))),
    }
}
