//! Config servers, a shard and a router: the shard is added, and a client writes through the router.

use std::time::Duration;

use anyhow::Result;
use kogge_mongo::SetRole;

use crate::cluster::Cluster;
use crate::history::History;

const CONFIG: &str = "ll-config-7f3k2m9q";
const SHARD: &str = "ll-shard-0-7f3k2m9q";
const THREE: &[(&str, u32)] = &[("vdc1", 1), ("vdc2", 1), ("vdc3", 1)];

#[tokio::test(flavor = "multi_thread")]
async fn a_shard_is_added_and_written_to_through_the_router() -> Result<()> {
    let mut cluster = Cluster::new()?;
    cluster.want(CONFIG, SetRole::Config, THREE)?;
    cluster.want(SHARD, SetRole::Shard { index: 0 }, THREE)?;
    cluster.start_router("ll-mongos-vdc1-x", CONFIG)?;
    let plan = cluster.until_ready(Duration::from_secs(200)).await?;
    assert_eq!(plan.sets[SHARD].added_as_shard, Some(true));
    assert_eq!(cluster.names().iter().filter(|name| **name == "AddShard").count(), 1);

    let history = History::start(&cluster.router_uri()).await?;
    cluster.roll();
    cluster.until_ready(Duration::from_secs(200)).await?;
    let (acknowledged, lost) = history.check().await?;
    assert!(acknowledged > 50, "only {acknowledged} writes were acknowledged");
    assert!(lost.is_empty(), "lost: {lost:?}");
    Ok(())
}
