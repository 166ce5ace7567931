//! Another data centre: its members join without a vote and are promoted one at a time.

use std::time::{Duration, Instant};

use anyhow::bail;
use kogge_api::FederatedCluster;
use kogge_lab::CONTROL;
use serde_json::json;

use crate::demo::limit;
use crate::demo::stage::{DATABASE, NAMESPACE, Stage};

const DEADLINE: Duration = Duration::from_mins(5);
const VOTERS: usize = 5;

pub(in crate::demo) async fn run(stage: &Stage) -> anyhow::Result<()> {
    let placement = json!({
        "name": "vdc4",
        "vdc": "vdc4",
        "shard": {"membersPerPlacement": 2},
        "config": {"membersPerPlacement": 2},
    });
    let added = Instant::now();
    let patch = json!([{"op": "add", "path": "/spec/placement/-", "value": placement}]).to_string();
    stage.kubectl(CONTROL, &["patch", "fc", DATABASE, "-n", NAMESPACE, "--type=json", "-p", &patch]).await?;
    let cluster = stage.database_ready(DEADLINE).await?;
    limit::tell(stage, added.elapsed(), &["vdc4"], 2).await?;
    for (set, voters) in voters(&cluster) {
        println!("  {set}: {voters} voters");
        if voters != VOTERS {
            bail!("{set} is Ready with {voters} voters; it must have {VOTERS}");
        }
    }
    stage.kubectl(CONTROL, &["get", "fc", "-n", NAMESPACE, "-o", "wide"]).await
}

fn voters(cluster: &FederatedCluster) -> Vec<(String, usize)> {
    let sets = cluster.status.iter().flat_map(|status| &status.groups);
    sets.map(|(name, set)| (name.clone(), set.members.iter().filter(|member| member.votes > 0).count())).collect()
}
