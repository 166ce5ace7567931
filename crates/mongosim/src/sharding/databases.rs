use bson::{Bson, doc};

use super::{DATABASES, SHARDS, config_server::Change};
use crate::{
    error::{CommandError, CommandResult, code},
    mongod::Mongod,
    server::Request,
};

impl Mongod {
    /// The shard of a database; a new database goes to the shard with the fewest.
    pub(super) async fn place_database(&self, request: &Request) -> CommandResult {
        let db = request
            .body
            .get_str(&request.name)
            .ok()
            .filter(|db| !db.is_empty())
            .ok_or_else(|| CommandError::new(code::INVALID_NAMESPACE, "a database name is needed"))?;
        let view = self.storage.read()?;
        if let Some(placed) = view.get_by_id(DATABASES, &Bson::String(db.to_owned()))? {
            return Ok(doc! { "primaryShard": placed.get_str("primary").unwrap_or_default() });
        }
        let databases = view.all(DATABASES)?;
        let load = |shard: &str| databases.iter().filter(|d| d.get_str("primary").ok() == Some(shard)).count();
        let shard = view
            .all(SHARDS)?
            .iter()
            .filter(|shard| !shard.get_bool("draining").unwrap_or(false))
            .filter_map(|shard| shard.get_str("_id").ok().map(str::to_owned))
            .min_by_key(|shard| load(shard))
            .ok_or_else(|| CommandError::new(code::SHARD_NOT_FOUND, "No shards found"))?;
        drop(view);
        let placed = doc! { "_id": db, "primary": &shard, "partitioned": false };
        self.store(vec![(DATABASES, Change::Put(placed))]).await?;
        Ok(doc! { "primaryShard": shard })
    }
}
