use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use bson::{Bson, DateTime, Document, Timestamp, doc};
use futures::future::join_all;
use tokio::sync::watch;

use super::{
    CHUNKS, COLLECTIONS, SETTINGS, SHARDS,
    balancing::{Migration, choose},
    config_server::{BALANCER, Change},
};
use crate::{
    error::{CommandError, CommandResult, code},
    mongod::Mongod,
    options::ServerVersion,
    repl::Coordinator,
};

/// How often a recipient is asked again that has not deleted yet what it is to get.
const ASK_AGAIN: Duration = Duration::from_millis(200);
/// How many times longer the balancer rests after a round without migrations.
const IDLE: u32 = 10;
const MINUTES_A_DAY: i64 = 24 * 60;

/// A field of a chunk, and its value for one collection: the uuid, before 5.0 the name.
pub(super) type CollectionKey = (&'static str, Bson);

/// What the balancer is at.
#[derive(Debug, Default)]
pub struct Rounds {
    running: watch::Sender<bool>,
    ended: AtomicI64,
}

impl Rounds {
    /// Whether a round runs, and how many have ended.
    pub(super) fn told(&self) -> (bool, i64) {
        (*self.running.borrow(), self.ended.load(Ordering::Relaxed))
    }

    /// Ends when no round runs.
    pub(super) async fn at_rest(&self) {
        // The sender lives as long as the server that holds it.
        drop(self.running.subscribe().wait_for(|running| !running).await);
    }
}

impl Mongod {
    /// Whether this member is the primary of its set.
    pub(super) fn leads(&self) -> bool {
        self.replication.as_ref().is_some_and(|replication| replication.look(Coordinator::is_writable))
    }

    /// How chunks name their collection.
    pub(super) fn collection_key(&self, collection: &Document) -> CollectionKey {
        let (field, from) =
            if self.options.version < ServerVersion::V5_0 { ("ns", "_id") } else { ("uuid", "uuid") };
        (field, collection.get(from).cloned().unwrap_or(Bson::Null))
    }

    /// Moves chunks as long as the server is there, while it is the config servers' primary.
    pub(crate) async fn balance(self: Arc<Self>) {
        let rest = self.options.sharding.migration_pause;
        loop {
            let moved = if self.leads() { self.round().await } else { 0 };
            let pause = if moved > 0 { rest } else { rest * IDLE };
            tokio::select! {
                () = self.shutdown.cancelled() => return,
                () = tokio::time::sleep(pause.max(Duration::from_millis(1))) => {}
            }
        }
    }

    async fn round(&self) -> usize {
        self.rounds.running.send_replace(true);
        let moved = self.move_chunks().await;
        self.rounds.running.send_replace(false);
        self.rounds.ended.fetch_add(1, Ordering::Relaxed);
        moved.unwrap_or_else(|error| {
            tracing::debug!(%error, "balancing round failed");
            0
        })
    }

    /// One round: all its migrations at once, and it lasts as long as the longest of them.
    async fn move_chunks(&self) -> CommandResult<usize> {
        if !self.may_balance()? {
            return Ok(0);
        }
        self.split_sessions_collection().await?;
        let migrations: Vec<(Document, Migration)> = {
            let view = self.storage.read()?;
            let (shards, chunks) = (view.all(SHARDS)?, view.all(CHUNKS)?);
            let mut busy = BTreeSet::new();
            let mut chosen = Vec::new();
            for collection in view.all(COLLECTIONS)? {
                if collection.get_bool("noBalance").unwrap_or(false) {
                    continue;
                }
                let (field, key) = self.collection_key(&collection);
                let own: Vec<Document> =
                    chunks.iter().filter(|chunk| chunk.get(field) == Some(&key)).cloned().collect();
                let ways = choose(&shards, &own, &mut busy);
                chosen.extend(ways.into_iter().map(|way| (collection.clone(), way)));
            }
            chosen
        };
        let outcomes = join_all(migrations.iter().map(|(collection, way)| self.migrate(collection, way))).await;
        for error in outcomes.iter().filter_map(|outcome| outcome.as_ref().err()) {
            tracing::debug!(%error, "chunk not moved");
        }
        Ok(outcomes.iter().filter(|outcome| outcome.is_ok()).count())
    }

    /// Whether the balancer is on and within its window, which is meant in this server's own time (UTC).
    fn may_balance(&self) -> CommandResult<bool> {
        let setting = self.storage.read()?.get_by_id(SETTINGS, &Bson::String(BALANCER.to_owned()))?;
        let setting = setting.unwrap_or_default();
        let window = setting.get_document("activeWindow").ok().and_then(|window| {
            Some((minutes(window.get_str("start").ok()?)?, minutes(window.get_str("stop").ok()?)?))
        });
        let now = DateTime::now().timestamp_millis() / 60_000 % MINUTES_A_DAY;
        let on = setting.get_str("mode").ok() != Some("off") && !setting.get_bool("stopped").unwrap_or(false);
        Ok(on && window.is_none_or(|window| lies_within(now, window)))
    }

    async fn migrate(&self, collection: &Document, way: &Migration) -> CommandResult<()> {
        let (source, target, chunk) = {
            let view = self.storage.read()?;
            let shard = |name: &str| -> CommandResult {
                view.get_by_id(SHARDS, &Bson::String(name.to_owned()))?
                    .ok_or_else(|| CommandError::new(code::SHARD_NOT_FOUND, format!("Shard {name} not found")))
            };
            let chunk = view.get_by_id(CHUNKS, &way.chunk)?.ok_or_else(gone)?;
            (shard(&way.from)?, shard(&way.to)?, chunk)
        };
        let namespace = collection.get_str("_id").unwrap_or_default();
        let range = |command: &str| {
            let mut command = doc! { command: namespace, "from": &way.from, "$db": "admin" };
            command.insert("uuid", collection.get("uuid").cloned());
            for field in ["min", "max"] {
                command.insert(field, chunk.get(field).cloned());
            }
            command
        };
        self.await_range_deleter(&target, range("_shardsvrReceiveRange")).await?;
        // Written down first, as the server does: whatever is cut short in between, no orphan is forgotten.
        let source = self.primary_of(&source).await?;
        self.ask_shard(&source, range("_shardsvrDonateRange")).await?;
        self.give_chunk(way).await
    }

    /// A shard that still has to delete a part of the range makes the migration wait, and the round with it.
    async fn await_range_deleter(&self, shard: &Document, ask: Document) -> CommandResult<()> {
        while self.leads() {
            let primary = self.primary_of(shard).await?;
            let reply = self.ask_shard(&primary, ask.clone()).await?;
            if !reply.get_bool("waitsForRangeDeleter").unwrap_or(false) {
                return Ok(());
            }
            tokio::select! {
                () = self.shutdown.cancelled() => break,
                () = tokio::time::sleep(ASK_AGAIN) => {}
            }
        }
        Err(CommandError::not_primary())
    }

    /// Writes down that the chunk is the other shard's, unless it was changed in the meantime.
    async fn give_chunk(&self, way: &Migration) -> CommandResult<()> {
        let mut chunk = self.storage.read()?.get_by_id(CHUNKS, &way.chunk)?.ok_or_else(gone)?;
        if chunk.get_str("shard").ok() != Some(way.from.as_str()) {
            return Err(gone());
        }
        let version = chunk.get_timestamp("lastmod").map_or(1, |version| version.time);
        let at = Timestamp { time: (DateTime::now().timestamp_millis() / 1000) as u32, increment: 0 };
        let mut history = chunk.get_array("history").cloned().unwrap_or_default();
        history.insert(0, Bson::Document(doc! { "validAfter": at, "shard": &way.to }));
        chunk.insert("lastmod", Timestamp { time: version + 1, increment: 0 });
        chunk.insert("history", history);
        chunk.insert("shard", &way.to);
        self.store(vec![(CHUNKS, Change::Put(chunk))]).await
    }
}

fn gone() -> CommandError {
    CommandError::new(code::CONFLICTING_OPERATION, "the chunk was changed in the meantime")
}

/// `HH:MM` as minutes since midnight.
fn minutes(text: &str) -> Option<i64> {
    let (hours, minutes) = text.split_once(':')?;
    Some(hours.parse::<i64>().ok()? * 60 + minutes.parse::<i64>().ok()?)
}

/// A window may go over midnight.
fn lies_within(now: i64, (start, stop): (i64, i64)) -> bool {
    if start <= stop { (start..=stop).contains(&now) } else { now >= start || now <= stop }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_may_go_over_midnight() {
        let window = |start: &str, stop: &str| (minutes(start).unwrap(), minutes(stop).unwrap());
        let at = |text: &str| minutes(text).unwrap();
        assert!(lies_within(at("12:00"), window("09:30", "17:00")));
        assert!(!lies_within(at("08:00"), window("09:30", "17:00")));
        assert!(lies_within(at("23:30"), window("23:00", "06:00")));
        assert!(lies_within(at("00:10"), window("23:00", "06:00")));
        assert!(!lies_within(at("12:00"), window("23:00", "06:00")));
    }
}
