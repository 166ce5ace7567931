//! A client that writes all the time and remembers what was acknowledged.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::Result;
use futures::TryStreamExt;
use mongodb::bson::{Document, doc};
use mongodb::options::{Acknowledgment, ClientOptions, CollectionOptions, ReadConcern, WriteConcern};
use mongodb::{Client, Collection};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// A writer in the background.
pub(crate) struct History {
    collection: Collection<Document>,
    stop: CancellationToken,
    writer: JoinHandle<BTreeSet<i64>>,
}

impl History {
    /// Starts writing through an unmodified driver: majority concern, retryable writes.
    pub(crate) async fn start(uri: &str) -> Result<Self> {
        Self::start_in("history", uri).await
    }

    /// The same on config servers, which have no user databases.
    pub(crate) async fn start_on_config_servers(uri: &str) -> Result<Self> {
        Self::start_in("config", uri).await
    }

    async fn start_in(database: &str, uri: &str) -> Result<Self> {
        let mut options = ClientOptions::parse(uri).await?;
        options.server_selection_timeout = Some(Duration::from_secs(15));
        let majority = CollectionOptions::builder()
            .write_concern(WriteConcern::builder().w(Acknowledgment::Majority).build())
            .read_concern(ReadConcern::majority())
            .build();
        let collection =
            Client::with_options(options)?.database(database).collection_with_options("writes", majority);
        let stop = CancellationToken::new();
        let writer = tokio::spawn(write(collection.clone(), stop.clone()));
        Ok(Self { collection, stop, writer })
    }

    /// Stops writing and returns how many writes were acknowledged and which of them are lost.
    pub(crate) async fn check(self) -> Result<(usize, Vec<i64>)> {
        self.stop.cancel();
        let acknowledged = self.writer.await?;
        let found: Vec<Document> = self.collection.find(doc! {}).await?.try_collect().await?;
        let found: BTreeSet<i64> = found.iter().filter_map(|write| write.get_i64("_id").ok()).collect();
        Ok((acknowledged.len(), acknowledged.difference(&found).copied().collect()))
    }
}

async fn write(collection: Collection<Document>, stop: CancellationToken) -> BTreeSet<i64> {
    let mut acknowledged = BTreeSet::new();
    for n in 0_i64.. {
        if stop.is_cancelled() {
            break;
        }
        match collection.insert_one(doc! { "_id": n }).await {
            Ok(_) => {
                acknowledged.insert(n);
            }
            Err(error) => eprintln!("write {n}: {error}"),
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    acknowledged
}
