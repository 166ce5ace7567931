//! A data centre is cut off: the one with the shard's primary. The others elect another; it returns.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use kogge_api::FederatedCluster;
use kogge_api::federated_cluster::Component;
use kogge_api::names;
use kogge_lab::CONTROL;

use crate::demo::stage::{DATABASE, NAMESPACE, Stage};

const ELECTION: Duration = Duration::from_secs(90);
const RETURN: Duration = Duration::from_mins(5);

pub(in crate::demo) async fn run(stage: &Stage) -> anyhow::Result<()> {
    if stage.lab.name().is_none() {
        println!("  skipped: the lab cannot cut off clusters that it did not make");
        return Ok(());
    }
    let cluster = stage.database_ready(RETURN).await?;
    let (primary, vdc) = primary(&cluster).context("the shard has no primary")?;
    println!("  {primary} in {vdc} is primary; {vdc} is cut off");
    let cut = Instant::now();
    let fault = stage.lab.faults().partition(&vdc).await?;
    let elected = stage.database_until(ELECTION, |cluster| elsewhere(cluster, &vdc)).await;
    if let Ok(cluster) = &elected {
        let (primary, vdc) = self::primary(cluster).context("the shard has no primary")?;
        println!("  {primary} in {vdc} is primary now, {:.1} s after the cut", cut.elapsed().as_secs_f32());
    }
    println!("  {vdc} returns");
    fault.heal().await?;
    elected?;
    stage.database_ready(RETURN).await?;
    stage.kubectl(CONTROL, &["get", "fc", "-n", NAMESPACE, "-o", "wide"]).await
}

/// The primary of the first shard, and its data centre.
fn primary(cluster: &FederatedCluster) -> Option<(String, String)> {
    let set = cluster.status.as_ref()?.groups.get(&names::service(DATABASE, Component::Shard(0)))?;
    let name = set.leader.clone()?;
    let vdc = set.members.iter().find(|member| member.name == name)?.vdc.clone();
    Some((name, vdc))
}

fn elsewhere(cluster: &FederatedCluster, vdc: &str) -> Result<(), String> {
    match primary(cluster) {
        Some((_, found)) if found != vdc => Ok(()),
        Some((name, _)) => Err(format!("{name} is still reported as primary")),
        None => Err("the shard has no primary".to_owned()),
    }
}
