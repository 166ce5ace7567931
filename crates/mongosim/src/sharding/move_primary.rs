//! `movePrimary`: a whole database goes to another shard.
//!
//! While it moves, its old shard lets no router in (code 249), so that no write is lost: routers ask the config
//! servers again until it has arrived. A move that was cut short is taken up by the next one.

use std::time::Duration;

use bson::{Bson, Document, doc};
use tokio::sync::{Mutex, RwLock, RwLockReadGuard};

use super::{DATABASES, SHARDS, ShardUrl, config_server::Change};
use crate::{
    error::{CommandError, CommandResult, code},
    mongod::Mongod,
    server::Request,
};

/// What a router adds to a command that it routes by database.
pub const ROUTED: &str = "databaseVersion";

/// Where a shard keeps which databases have left it: `{_id, elsewhere: true}`.
const LEFT: &str = "config.cache.databases";
const BATCH: i32 = 200;
const COPY: Duration = Duration::from_mins(1);

/// What holds routers and moves apart.
#[derive(Debug, Default)]
pub struct Moves {
    /// Held by commands of routers while they run, and alone while a database is closed to them.
    routed: RwLock<()>,
    /// One move at a time.
    running: Mutex<()>,
}

impl Mongod {
    /// Lets a router's command into a database, unless it has left this shard.
    pub(crate) async fn enter_database(
        &self,
        request: &Request,
    ) -> CommandResult<Option<RwLockReadGuard<'_, ()>>> {
        if !request.body.contains_key(ROUTED) {
            return Ok(None);
        }
        let inside = self.moves.routed.read().await;
        let left = self.storage.read()?.get_by_id(LEFT, &Bson::String(request.db.clone()))?;
        match left {
            Some(_) => Err(CommandError::new(
                code::STALE_DB_VERSION,
                format!("version mismatch for database {}", request.db),
            )),
            None => Ok(Some(inside)),
        }
    }

    /// `_shardsvrCloseDatabase`, `_shardsvrOpenDatabase`.
    pub(crate) async fn set_database_open(&self, request: &Request) -> CommandResult {
        let db = request.body.get_str(&request.name).unwrap_or_default();
        let alone = self.moves.routed.write().await;
        let change = if request.name == "_shardsvrCloseDatabase" {
            Change::Put(doc! { "_id": db, "elsewhere": true })
        } else {
            Change::Remove(Bson::String(db.to_owned()))
        };
        self.store(vec![(LEFT, change)]).await?;
        drop(alone);
        Ok(Document::new())
    }

    /// `_configsvrMovePrimary`.
    pub(super) async fn move_primary(&self, request: &Request) -> CommandResult {
        let db = request.body.get_str(&request.name).unwrap_or_default().to_owned();
        let to = request.body.get_str("to").unwrap_or_default().to_owned();
        let _alone = self.moves.running.lock().await;
        let (from, source, target) = {
            let view = self.storage.read()?;
            let placed = view
                .get_by_id(DATABASES, &Bson::String(db.clone()))?
                .ok_or_else(|| CommandError::new(code::NAMESPACE_NOT_FOUND, format!("database {db} not found")))?;
            let from = placed.get_str("primary").unwrap_or_default().to_owned();
            let shard = |name: &str| -> CommandResult {
                view.get_by_id(SHARDS, &Bson::String(name.to_owned()))?.ok_or_else(|| {
                    CommandError::new(code::SHARD_NOT_FOUND, format!("Shard {name} does not exist"))
                })
            };
            (from.clone(), shard(&from)?, shard(&to)?)
        };
        if from == to {
            return Ok(Document::new());
        }
        if target.get_bool("draining").unwrap_or(false) {
            return Err(CommandError::new(
                code::ILLEGAL_OPERATION,
                format!("{to} is being removed and takes no database"),
            ));
        }
        let source = self.primary_of(&source).await?;
        let target = self.primary_of(&target).await?;
        self.ask_shard(&source, doc! { "_shardsvrCloseDatabase": &db, "$db": "admin" }).await?;
        self.copy_database(&source, &target, &db).await?;
        self.ask_shard(&target, doc! { "_shardsvrOpenDatabase": &db, "$db": "admin" }).await?;
        let placed = doc! { "_id": &db, "primary": &to, "partitioned": false };
        self.store(vec![(DATABASES, Change::Put(placed))]).await?;
        self.ask_shard(&source, doc! { "dropDatabase": 1, "$db": &db }).await?;
        Ok(Document::new())
    }

    pub(super) async fn primary_of(&self, shard: &Document) -> CommandResult<String> {
        let url = ShardUrl::parse(shard.get_str("host").unwrap_or_default())?;
        Ok(self.find_primary(&url).await?.0)
    }

    async fn copy_database(&self, source: &str, target: &str, db: &str) -> CommandResult<()> {
        // What a move that was cut short has left there.
        self.ask_shard(target, doc! { "dropDatabase": 1, "$db": db }).await?;
        let collections = self.ask_shard(source, doc! { "listCollections": 1, "$db": db }).await?;
        for collection in batch(&collections, "firstBatch") {
            let name = collection.get_str("name").unwrap_or_default();
            let mut create = doc! { "create": name };
            create.extend(collection.get_document("options").cloned().unwrap_or_default());
            create.insert("$db", db);
            self.ask_shard(target, create).await?;
            self.copy_indexes(source, target, db, name).await?;
            self.copy_documents(source, target, db, name).await?;
        }
        Ok(())
    }

    async fn copy_indexes(&self, source: &str, target: &str, db: &str, name: &str) -> CommandResult<()> {
        let listed = self.ask_shard(source, doc! { "listIndexes": name, "$db": db }).await?;
        let indexes: Vec<Document> = batch(&listed, "firstBatch")
            .filter(|index| index.get_str("name").ok() != Some("_id_"))
            .cloned()
            .collect();
        if !indexes.is_empty() {
            self.ask_shard(target, doc! { "createIndexes": name, "indexes": indexes, "$db": db }).await?;
        }
        Ok(())
    }

    async fn copy_documents(&self, source: &str, target: &str, db: &str, name: &str) -> CommandResult<()> {
        let find = doc! { "find": name, "batchSize": BATCH, "$db": db };
        let mut reply = self.ask_shard_for(source, find, COPY).await?;
        let mut field = "firstBatch";
        loop {
            let documents: Vec<Document> = batch(&reply, field).cloned().collect();
            if !documents.is_empty() {
                let insert = doc! {
                    "insert": name,
                    "documents": documents,
                    "writeConcern": { "w": "majority" },
                    "$db": db,
                };
                let written = self.ask_shard_for(target, insert, COPY).await?;
                if written.contains_key("writeErrors") || written.contains_key("writeConcernError") {
                    return Err(CommandError::new(
                        code::OPERATION_FAILED,
                        format!("{db}.{name} could not be copied: {written}"),
                    ));
                }
            }
            let cursor = reply.get_document("cursor").ok().and_then(|cursor| cursor.get_i64("id").ok());
            let Some(id) = cursor.filter(|id| *id != 0) else { return Ok(()) };
            let more = doc! { "getMore": id, "collection": name, "batchSize": BATCH, "$db": db };
            reply = self.ask_shard_for(source, more, COPY).await?;
            field = "nextBatch";
        }
    }
}

fn batch<'a>(reply: &'a Document, field: &str) -> impl Iterator<Item = &'a Document> {
    let batch = reply.get_document("cursor").ok().and_then(|cursor| cursor.get_array(field).ok());
    batch.into_iter().flatten().filter_map(Bson::as_document)
}
