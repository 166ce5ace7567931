use bson::{Bson, doc};

use super::{CHUNKS, DATABASES, SHARDS, config_server::Change};
use crate::{
    error::{CommandError, CommandResult, code},
    mongod::Mongod,
    server::Request,
};

impl Mongod {
    /// `removeShard`: started, ongoing while chunks or databases are left, completed.
    pub(super) async fn remove_shard(&self, request: &Request) -> CommandResult {
        let name = request.body.get_str(&request.name).unwrap_or_default().to_owned();
        let id = Bson::String(name.clone());
        let view = self.storage.read()?;
        let mut shard = view
            .get_by_id(SHARDS, &id)?
            .ok_or_else(|| CommandError::new(code::SHARD_NOT_FOUND, format!("Shard {name} does not exist")))?;
        let draining = |d: &bson::Document| d.get_bool("draining").unwrap_or(false);
        let staying = view.all(SHARDS)?.iter().filter(|d| d.get("_id") != Some(&id) && !draining(d)).count();
        if staying == 0 {
            return Err(CommandError::new(code::ILLEGAL_OPERATION, "not allowed to remove last shard"));
        }
        let left: Vec<Bson> = view
            .all(DATABASES)?
            .iter()
            .filter(|d| d.get_str("primary").ok() == Some(name.as_str()))
            .filter_map(|d| d.get("_id").cloned())
            .collect();
        let chunks: Vec<bson::Document> = view
            .all(CHUNKS)?
            .into_iter()
            .filter(|chunk| chunk.get_str("shard").ok() == Some(name.as_str()))
            .collect();
        let jumbo = chunks.iter().filter(|chunk| chunk.get_bool("jumbo").unwrap_or(false)).count();
        drop(view);
        if !draining(&shard) {
            shard.insert("draining", true);
            self.store(vec![(SHARDS, Change::Put(shard))]).await?;
            return Ok(doc! {
                "msg": "draining started successfully",
                "state": "started",
                "shard": name,
                "note": "you need to drop or movePrimary these databases",
                "dbsToMove": left,
            });
        }
        if !left.is_empty() || !chunks.is_empty() {
            return Ok(doc! {
                "msg": "draining ongoing",
                "state": "ongoing",
                "remaining": {
                    "chunks": chunks.len() as i64,
                    "dbs": left.len() as i64,
                    "jumboChunks": jumbo as i64,
                    "collectionsToMove": 0_i64,
                },
                "note": "you need to drop or movePrimary these databases",
                "dbsToMove": left,
            });
        }
        self.store(vec![(SHARDS, Change::Remove(id))]).await?;
        Ok(doc! { "msg": "removeshard completed successfully", "state": "completed", "shard": name })
    }
}
