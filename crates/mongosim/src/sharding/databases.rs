use bson::{Bson, doc};

use super::{DATABASES, SHARDS, config_server::Change};
use crate::{
    error::{CommandError, CommandResult, code},
    mongod::Mongod,
    options::ClusterRole,
    repl::Coordinator,
    server::Request,
};

const INTERNAL: [&str; 3] = ["admin", "config", "local"];

impl Mongod {
    /// Config servers have no user databases (`userAllowedCreateNS`).
    pub(crate) fn check_writable_database(&self, request: &Request) -> CommandResult<()> {
        let target = match request.name.as_str() {
            "renameCollection" => request.body.get_str("to").ok().and_then(|ns| ns.split('.').next()),
            _ => Some(request.db.as_str()),
        };
        let db = target.unwrap_or_default();
        let primary = self.replication.as_ref().is_none_or(|r| r.look(Coordinator::is_writable));
        // Another than the primary refuses every write for that alone.
        if self.options.role != ClusterRole::Config || INTERNAL.contains(&db) || !primary {
            return Ok(());
        }
        let collection = request.body.get_str(&request.name).unwrap_or_default();
        Err(CommandError::new(
            code::INVALID_NAMESPACE,
            format!("Can't create user databases on a --configsvr instance {db}.{collection}"),
        ))
    }

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
