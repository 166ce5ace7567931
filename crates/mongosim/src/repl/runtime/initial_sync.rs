use std::{sync::Arc, time::Duration};

use bson::{Bson, Document, doc};

use super::{
    Replication,
    fetcher::{FollowError, ask, batch_of},
};
use crate::{
    error::{CommandError, code},
    failpoints::FailPoint,
    net::Connection,
    oplog::{OpTime, OplogEntry, apply},
    repl::MemberState,
    storage::{StorageResult, WriteView},
};

/// Is there while an initial sync has begun and not ended.
const FLAG_NAMESPACE: &str = "local.replset.initialSyncFlag";
const CONNECT: Duration = Duration::from_secs(5);
const BATCH: i32 = 1000;

impl Replication {
    /// Whether this member has no history, or only part of a copy.
    pub(super) fn needs_initial_sync(&self) -> StorageResult<bool> {
        let view = self.around.storage.read()?;
        Ok(view.oplog_head()?.is_null() || view.get_by_id(FLAG_NAMESPACE, &Bson::Int32(0))?.is_some())
    }

    /// Throws away what is here, so that the next round is an initial sync.
    pub(super) async fn begin_resync(self: &Arc<Self>) -> StorageResult<()> {
        self.with(|c, now| c.set_follower_state(MemberState::Startup2, now));
        self.around.storage.write(mark_for_resync).await
    }

    /// Copies everything from `source`, then applies what happened there meanwhile.
    pub(super) async fn initial_sync(self: &Arc<Self>, source: &str) -> Result<(), FollowError> {
        tracing::info!(source, "initial sync");
        let result = self.copy_and_catch_up(source).await;
        *self.sync_status.lock() = None;
        result
    }

    async fn copy_and_catch_up(self: &Arc<Self>, source: &str) -> Result<(), FollowError> {
        self.note_sync("cloning", source, 0);
        self.begin_resync().await?;
        let mut connection = self.around.peers.open(source, CONNECT).await?;
        let begin = newest_entry(&mut connection).await?;
        self.fail_points().released(FailPoint::InitialSyncHangs).await;
        let copied = self.copy_databases(&mut connection, source).await?;
        let end = newest_entry(&mut connection).await?;
        self.note_sync("applying", source, copied);
        self.catch_up(&mut connection, &begin, end.optime).await?;
        self.around.storage.write(|view| view.drop_collection(FLAG_NAMESPACE)).await?;
        tracing::info!(source, copied, "initial sync done");
        self.with(|c, now| c.set_follower_state(MemberState::Secondary, now));
        Ok(())
    }

    fn note_sync(&self, phase: &str, source: &str, copied: i64) {
        *self.sync_status.lock() = Some(doc! {
            "method": "logical",
            "syncSourceHost": source,
            "phase": phase,
            "approxTotalBytesCopied": copied,
        });
    }

    async fn copy_databases(&self, connection: &mut Connection, source: &str) -> Result<i64, FollowError> {
        let mut copied = 0;
        let databases = ask(connection, &read(doc! { "listDatabases": 1, "nameOnly": true }, "admin")).await?;
        let names: Vec<String> = databases
            .get_array("databases")
            .into_iter()
            .flatten()
            .filter_map(|d| d.as_document()?.get_str("name").ok().map(str::to_owned))
            .filter(|name| name != "local")
            .collect();
        for db in names {
            let reply = ask(connection, &read(doc! { "listCollections": 1 }, &db)).await?;
            for collection in batch_of(&reply, "firstBatch").1 {
                let name = collection.get_str("name").unwrap_or_default();
                let listed = ask(connection, &read(doc! { "listIndexes": name }, &db)).await?;
                let mut indexes = batch_of(&listed, "firstBatch").1;
                indexes.retain(|index| index.get_str("name").is_ok_and(|name| name != "_id_"));
                let options = collection.get_document("options").cloned().unwrap_or_default();
                let entry = doc! { "options": options, "indexes": indexes };
                copied += self.copy_collection(connection, &db, name, entry).await?;
                self.note_sync("cloning", source, copied);
            }
        }
        Ok(copied)
    }

    async fn copy_collection(
        &self,
        connection: &mut Connection,
        db: &str,
        name: &str,
        entry: Document,
    ) -> Result<i64, FollowError> {
        let ns = format!("{db}.{name}");
        let target = ns.clone();
        self.around.storage.write(move |view| view.put_collection(&target, &entry)).await?;
        let mut reply = ask(connection, &read(doc! { "find": name, "batchSize": BATCH }, db)).await?;
        let mut field = "firstBatch";
        let mut copied = 0;
        loop {
            let (cursor, batch) = batch_of(&reply, field);
            copied += batch.len() as i64;
            let target = ns.clone();
            self.around
                .storage
                .write(move |view| batch.iter().try_for_each(|document| view.put(&target, document)))
                .await?;
            if cursor == 0 {
                return Ok(copied);
            }
            field = "nextBatch";
            reply =
                ask(connection, &doc! { "getMore": cursor, "collection": name, "batchSize": BATCH, "$db": db })
                    .await?;
        }
    }

    async fn catch_up(
        &self,
        connection: &mut Connection,
        begin: &OplogEntry,
        end: OpTime,
    ) -> Result<(), FollowError> {
        let first = begin.clone();
        self.around.storage.write(move |view| view.append(&first)).await?;
        let mut at = begin.optime;
        while at.ts < end.ts {
            let filter = doc! { "ts": { "$gte": at.timestamp(), "$lte": end.timestamp() } };
            let command = read(
                doc! { "find": "oplog.rs", "filter": filter, "limit": i64::from(BATCH), "singleBatch": true },
                "local",
            );
            let (_, batch) = batch_of(&ask(connection, &command).await?, "firstBatch");
            let mut entries: Vec<OplogEntry> = batch.iter().filter_map(OplogEntry::from_document).collect();
            // The source's oplog may have moved on past what the copy began with.
            if entries.first().is_none_or(|first| first.optime != at) {
                return Err(FollowError::Overrun);
            }
            entries.remove(0);
            let Some(last) = entries.last() else { return Err(FollowError::Behind) };
            at = last.optime;
            self.around
                .storage
                .write(move |view| {
                    entries.iter().try_for_each(|entry| {
                        view.append(entry)?;
                        apply(view, entry)
                    })
                })
                .await?;
        }
        Ok(())
    }
}

/// Throws everything replicated away and notes that a copy is needed.
pub(super) fn mark_for_resync(view: &mut WriteView<'_>) -> StorageResult<()> {
    view.put(FLAG_NAMESPACE, &doc! { "_id": 0 })?;
    view.clear_replicated()
}

fn read(mut command: Document, db: &str) -> Document {
    command.insert("$readPreference", doc! { "mode": "secondaryPreferred" });
    command.insert("$db", db);
    command
}

async fn newest_entry(connection: &mut Connection) -> Result<OplogEntry, FollowError> {
    let command = read(
        doc! { "find": "oplog.rs", "filter": {}, "sort": { "$natural": -1 }, "limit": 1_i64, "singleBatch": true },
        "local",
    );
    let (_, batch) = batch_of(&ask(connection, &command).await?, "firstBatch");
    batch.first().and_then(OplogEntry::from_document).ok_or_else(|| {
        FollowError::Refused(CommandError::new(code::OPERATION_FAILED, "the sync source has no oplog"))
    })
}
