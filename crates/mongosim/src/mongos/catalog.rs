use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};

use bson::{Document, doc};
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use super::{Mongos, SetMonitor};
use crate::{
    error::{CommandError, CommandResult, code},
    net::PeerPool,
    sharding::ShardUrl,
};

/// The shards, and which one has which database.
pub(super) struct Catalog {
    peers: Arc<PeerPool>,
    shutdown: CancellationToken,
    shards: Mutex<BTreeMap<String, Arc<SetMonitor>>>,
    databases: Mutex<HashMap<String, String>>,
}

impl Catalog {
    pub(super) fn new(peers: Arc<PeerPool>, shutdown: CancellationToken) -> Self {
        Self { peers, shutdown, shards: Mutex::default(), databases: Mutex::default() }
    }

    /// Forgets a database's place.
    pub(super) fn forget_database(&self, db: &str) {
        self.databases.lock().remove(db);
    }

    fn learn(&self, listed: &[Document]) {
        let mut shards = self.shards.lock();
        let mut found = BTreeMap::new();
        for shard in listed {
            let Ok(id) = shard.get_str("_id") else { continue };
            let Ok(url) = ShardUrl::parse(shard.get_str("host").unwrap_or_default()) else { continue };
            let monitor = shards.remove(id).filter(|known| known.name() == url.set).unwrap_or_else(|| {
                SetMonitor::start(&url.set, url.hosts, self.peers.clone(), self.shutdown.clone())
            });
            found.insert(id.to_owned(), monitor);
        }
        *shards = found;
    }
}

impl Mongos {
    /// Rows of a collection on the config servers.
    pub(super) async fn config_rows(
        &self,
        db: &str,
        collection: &str,
        filter: Document,
    ) -> CommandResult<Vec<Document>> {
        let find = doc! {
            "find": collection,
            "filter": filter,
            "batchSize": 10_000,
            "singleBatch": true,
            "readConcern": { "level": "majority" },
            "$db": db,
        };
        let reply = if self.config.has_primary() {
            self.run_on(&self.config, &find, true).await?
        } else {
            self.config.read_anywhere(&find).await?
        };
        if let Some(refusal) = CommandError::from_reply(&reply) {
            return Err(refusal);
        }
        let rows = reply.get_document("cursor").ok().and_then(|c| c.get_array("firstBatch").ok());
        Ok(rows.into_iter().flatten().filter_map(|row| row.as_document().cloned()).collect())
    }

    /// All shards, read anew.
    pub(super) async fn shards(&self) -> CommandResult<BTreeMap<String, Arc<SetMonitor>>> {
        let listed = self.config_rows("config", "shards", doc! {}).await?;
        self.catalog.learn(&listed);
        Ok(self.catalog.shards.lock().clone())
    }

    async fn shard(&self, name: &str) -> CommandResult<Arc<SetMonitor>> {
        let known = self.catalog.shards.lock().get(name).cloned();
        if let Some(known) = known {
            return Ok(known);
        }
        let shards = self.shards().await?;
        shards
            .get(name)
            .cloned()
            .ok_or_else(|| CommandError::new(code::SHARD_NOT_FOUND, format!("Shard {name} not found")))
    }

    /// The set that has a database; `None` if nobody has and it is not to be made.
    pub(super) async fn set_of(&self, db: &str, create: bool) -> CommandResult<Option<Arc<SetMonitor>>> {
        if matches!(db, "admin" | "config") {
            return Ok(Some(self.config.clone()));
        }
        let known = self.catalog.databases.lock().get(db).cloned();
        let name = match known {
            Some(name) => name,
            None => match self.look_up_database(db, create).await? {
                Some(name) => {
                    self.catalog.databases.lock().insert(db.to_owned(), name.clone());
                    name
                }
                None => return Ok(None),
            },
        };
        self.shard(&name).await.map(Some)
    }

    async fn look_up_database(&self, db: &str, create: bool) -> CommandResult<Option<String>> {
        if !create {
            let rows = self.config_rows("config", "databases", doc! { "_id": db }).await?;
            return Ok(rows.first().and_then(|row| row.get_str("primary").ok().map(str::to_owned)));
        }
        // Asking twice gives the same place, so it may be sent again like a read.
        let reply =
            self.run_on(&self.config, &doc! { "_configsvrCreateDatabase": db, "$db": "admin" }, true).await?;
        if let Some(refusal) = CommandError::from_reply(&reply) {
            return Err(refusal);
        }
        Ok(reply.get_str("primaryShard").ok().map(str::to_owned))
    }

    /// How long a command may look for a primary.
    pub(super) const FIND_PRIMARY: Duration = Duration::from_secs(20);
}
