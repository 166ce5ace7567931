use std::sync::Arc;

use bson::{Binary, Bson, Document, Timestamp, doc, oid::ObjectId, spec::BinarySubtype};

use super::{CHUNKS, COLLECTIONS, SHARDS, balancer::CollectionKey, config_server::Change};
use crate::{auth::random_uuid, error::CommandResult, mongod::Mongod};

/// Where a sharded cluster keeps its sessions; a collection that nobody made, spread over all shards.
const SESSIONS: &str = "config.system.sessions";

impl Mongod {
    /// Gives sessions their collection once there is a shard to hold it, as the config servers' primary does when it
    /// refreshes its own.
    pub(crate) async fn keep_sessions_collection(self: Arc<Self>) {
        loop {
            if self.leads()
                && let Err(error) = self.shard_sessions_collection().await
            {
                tracing::debug!(%error, "sessions have no collection yet");
            }
            tokio::select! {
                () = self.shutdown.cancelled() => return,
                () = tokio::time::sleep(self.options.sharding.session_refresh) => {}
            }
        }
    }

    async fn shard_sessions_collection(&self) -> CommandResult<()> {
        let shard = {
            let view = self.storage.read()?;
            let shards = view.all(SHARDS)?;
            let stays = shards.iter().find(|shard| !shard.get_bool("draining").unwrap_or(false));
            let known = view.get_by_id(COLLECTIONS, &Bson::String(SESSIONS.to_owned()))?.is_some();
            match stays.and_then(|shard| shard.get_str("_id").ok()) {
                Some(shard) if !known => shard.to_owned(),
                _ => return Ok(()),
            }
        };
        let collection = doc! {
            "_id": SESSIONS,
            "lastmodEpoch": ObjectId::new(),
            "lastmod": bson::DateTime::now(),
            "timestamp": Timestamp { time: 1, increment: 0 },
            "uuid": random_uuid(),
            "key": { "_id": 1 },
            "unique": false,
            "noBalance": false,
        };
        let ends = (doc! { "_id": Bson::MinKey }, doc! { "_id": Bson::MaxKey });
        let whole = chunk(&self.collection_key(&collection), ends, &shard, 0);
        self.store(vec![(COLLECTIONS, Change::Put(collection)), (CHUNKS, Change::Put(whole))]).await
    }

    /// Splits the sessions' collection into as many chunks as it has at least; the balancer begins with it.
    pub(super) async fn split_sessions_collection(&self) -> CommandResult<()> {
        let changes = {
            let view = self.storage.read()?;
            let Some(collection) = view.get_by_id(COLLECTIONS, &Bson::String(SESSIONS.to_owned()))? else {
                return Ok(());
            };
            let key = self.collection_key(&collection);
            let chunks: Vec<Document> =
                view.all(CHUNKS)?.into_iter().filter(|chunk| chunk.get(key.0) == Some(&key.1)).collect();
            match &chunks[..] {
                [whole] if self.options.sharding.session_chunks > 1 => {
                    pieces(whole, &key, self.options.sharding.session_chunks)
                }
                _ => return Ok(()),
            }
        };
        self.store(changes).await
    }
}

fn chunk(key: &CollectionKey, (min, max): (Document, Document), shard: &str, number: u32) -> Document {
    doc! {
        "_id": ObjectId::new(),
        key.0: key.1.clone(),
        "min": min,
        "max": max,
        "shard": shard,
        "lastmod": Timestamp { time: 1, increment: number },
        "history": [{ "validAfter": Timestamp { time: 1, increment: 0 }, "shard": shard }],
    }
}

/// One chunk cut where the first two bytes of the sessions' ids say, in equal parts.
fn pieces(whole: &Document, collection: &CollectionKey, count: u32) -> Vec<(&'static str, Change)> {
    let shard = whole.get_str("shard").unwrap_or_default();
    let bound = |number: u32| match number {
        0 => doc! { "_id": Bson::MinKey },
        number if number == count => doc! { "_id": Bson::MaxKey },
        number => {
            let [_, _, high, low] = (number * 0x1_0000 / count).to_be_bytes();
            let mut bytes = vec![0; 16];
            (bytes[0], bytes[1]) = (high, low);
            doc! { "_id": { "id": Binary { subtype: BinarySubtype::Uuid, bytes } } }
        }
    };
    let mut changes = vec![(CHUNKS, Change::Remove(whole.get("_id").cloned().unwrap_or(Bson::Null)))];
    changes.extend((0..count).map(|number| {
        (CHUNKS, Change::Put(chunk(collection, (bound(number), bound(number + 1)), shard, number)))
    }));
    changes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_lie_side_by_side_from_end_to_end() {
        let key = ("uuid", random_uuid().into());
        let whole = chunk(&key, (Document::new(), Document::new()), "rs0", 0);
        let chunks: Vec<Document> = pieces(&whole, &key, 1024)
            .into_iter()
            .filter_map(|(_, change)| match change {
                Change::Put(chunk) => Some(chunk),
                Change::Remove(_) => None,
            })
            .collect();
        assert_eq!(chunks.len(), 1024);
        assert_eq!(chunks[0].get_document("min").unwrap(), &doc! { "_id": Bson::MinKey });
        assert_eq!(chunks[1023].get_document("max").unwrap(), &doc! { "_id": Bson::MaxKey });
        for pair in chunks.windows(2) {
            assert_eq!(pair[0].get("max"), pair[1].get("min"));
            assert!(crate::query::compare(&pair[0]["min"], &pair[1]["min"]).is_lt());
        }
    }
}
