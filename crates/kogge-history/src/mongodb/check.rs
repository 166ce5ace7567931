//! What was acknowledged must be there.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, bail};
use futures::TryStreamExt as _;
use mongodb::bson::doc;

use super::database::{Entry, Target};
use super::record;

/// How long reading everything may take.
const DEADLINE: Duration = Duration::from_mins(1);

pub(crate) async fn run(target: &Target, record: &Path, run: &str) -> anyhow::Result<()> {
    // The record first: what is acknowledged while the database is read need not be in what was read.
    let acknowledged = record::read(record)?;
    let collection = target.collection().await?;
    let read = async {
        let entries: Vec<Entry> = collection.find(doc! {"run": run}).await?.try_collect().await?;
        Ok::<_, mongodb::error::Error>(entries)
    };
    let entries = tokio::time::timeout(DEADLINE, read)
        .await
        .with_context(|| format!("the writes could not be read within {} s", DEADLINE.as_secs()))?
        .context("the writes cannot be read")?;
    let present: BTreeSet<i64> = entries.into_iter().map(|entry| entry.n).collect();
    let lost: Vec<i64> = acknowledged.difference(&present).copied().collect();
    println!("writes acknowledged: {}, lost: {}", acknowledged.len(), lost.len());
    if let Some(first) = lost.first() {
        bail!("{} acknowledged writes are not there, the first of them number {first}", lost.len());
    }
    Ok(())
}
