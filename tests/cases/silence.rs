//! Nothing is written while nothing happens.

use std::time::Duration;

use anyhow::ensure;
use jiff::Timestamp;
use kogge_e2e::{Harness, HistoryClient, audit};

/// How long nothing may be written.
const WINDOW: Duration = Duration::from_secs(30);

pub(super) async fn a_settled_database_is_not_written_to(harness: &Harness) -> anyhow::Result<()> {
    let database = super::example(harness).await?;
    let client = HistoryClient::start(database, "vdc1").await?;
    let before = client.acknowledged(1).await?;
    let since = Timestamp::now();
    tokio::time::sleep(WINDOW).await;
    let mut written = Vec::new();
    for cluster in harness.lab.clusters() {
        let writes = audit::writes_by_kogge(cluster, since)?;
        written.extend(writes.iter().map(|write| format!("{}: {}", cluster.name(), audit::in_words(write))));
    }
    let served = client.acknowledged(before + 1).await? - before;
    client.stop().await?;
    println!("\nin {} s: {} writes by Kogge, {served} by the database's client", WINDOW.as_secs(), written.len());
    ensure!(written.is_empty(), "written while nothing happened:\n{}", written.join("\n"));
    // The count above would be zero as well if Kogge's writes could not be told from others'.
    let ever = audit::writes_by_kogge(harness.lab.control(), Timestamp::UNIX_EPOCH)?;
    ensure!(!ever.is_empty(), "no write by Kogge is found at all: the audit logs do not show them");
    Ok(())
}
