use bson::{Bson, Document, doc};

use super::Mongos;
use crate::{
    error::{CommandError, CommandResult, code, is_ok},
    server::Request,
};

impl Mongos {
    /// Commands about the cluster as a whole.
    pub(super) async fn cluster_command(&self, request: &Request) -> CommandResult {
        let body = &request.body;
        match request.name.as_str() {
            "listDatabases" => self.list_databases(request).await,
            "listShards" => {
                let shards = self.config_rows("config", "shards", doc! {}).await?;
                Ok(doc! { "shards": shards.into_iter().map(Bson::Document).collect::<Vec<_>>() })
            }
            "getShardMap" => self.shard_map().await,
            "addShard" => {
                let mut command = doc! { "_configsvrAddShard": body.get_str("addShard").unwrap_or_default() };
                command.extend(body.get("name").map(|name| ("name".to_owned(), name.clone())));
                // Adding the same set again is no error, so it may be sent again.
                self.on_config(command, true).await
            }
            "removeShard" => {
                let shard = body.get_str("removeShard").unwrap_or_default();
                self.on_config(doc! { "_configsvrRemoveShard": shard }, true).await
            }
            "movePrimary" => {
                let db = body.get_str("movePrimary").unwrap_or_default();
                let to = body.get_str("to").unwrap_or_default();
                let moved = self.on_config(doc! { "_configsvrMovePrimary": db, "to": to }, true).await;
                self.catalog.forget_database(db);
                moved
            }
            "balancerStatus" => self.on_config(doc! { "_configsvrBalancerStatus": 1 }, true).await,
            "balancerStart" => self.on_config(doc! { "_configsvrBalancerStart": 1 }, true).await,
            "balancerStop" => self.on_config(doc! { "_configsvrBalancerStop": 1 }, true).await,
            "getDefaultRWConcern" => self.on_config(doc! { "getDefaultRWConcern": 1 }, true).await,
            "setDefaultRWConcern" => {
                let mut command = doc! { "setDefaultRWConcern": 1 };
                for key in ["defaultWriteConcern", "defaultReadConcern"] {
                    command.extend(body.get(key).map(|value| (key.to_owned(), value.clone())));
                }
                self.on_config(command, true).await
            }
            "setFeatureCompatibilityVersion" => self.set_feature_version(body).await,
            "flushRouterConfig" => Ok(doc! { "flushed": true }),
            "getParameter" => Err(CommandError::new(code::INVALID_OPTIONS, "no option found to get")),
            name => Err(CommandError::new(code::COMMAND_NOT_FOUND, format!("no such command: '{name}'"))),
        }
    }

    async fn on_config(&self, mut command: Document, may_repeat: bool) -> CommandResult {
        command.insert("$db", "admin");
        self.run_on(&self.config, &command, may_repeat).await
    }

    async fn list_databases(&self, request: &Request) -> CommandResult {
        let mut found: Vec<Bson> = Vec::new();
        let mut command = request.body.clone();
        for field in ["lsid", "$clusterTime", "$readPreference"] {
            command.remove(field);
        }
        let shards = self.shards().await?;
        for set in shards.values().chain([&self.config]) {
            let reply = self.run_on(set, &command, true).await?;
            let of_config = set.name() == self.config.name();
            for database in reply.get_array("databases").into_iter().flatten() {
                let name = database.as_document().and_then(|d| d.get_str("name").ok()).unwrap_or_default();
                let system = matches!(name, "admin" | "config");
                if name != "local" && system == of_config {
                    found.push(database.clone());
                }
            }
        }
        if request.body.get_bool("nameOnly").unwrap_or(false) {
            return Ok(doc! { "databases": found });
        }
        let size = |row: &Bson| row.as_document().and_then(|row| row.get_i64("sizeOnDisk").ok()).unwrap_or(0);
        let total: i64 = found.iter().map(size).sum();
        Ok(doc! { "databases": found, "totalSize": total, "totalSizeMb": total / (1024 * 1024) })
    }

    async fn shard_map(&self) -> CommandResult {
        let mut map = doc! { "config": self.config.url() };
        let mut hosts = Document::new();
        let mut strings = doc! { self.config.url(): "config" };
        for host in self.config.hosts() {
            hosts.insert(host, "config");
        }
        for (name, set) in self.shards().await? {
            map.insert(&name, set.url());
            strings.insert(set.url(), &name);
            for host in set.hosts() {
                hosts.insert(host, &name);
            }
        }
        Ok(doc! { "map": map, "hosts": hosts, "connStrings": strings })
    }

    async fn set_feature_version(&self, body: &Document) -> CommandResult {
        let mut command = doc! {
            "setFeatureCompatibilityVersion": body.get("setFeatureCompatibilityVersion").cloned(),
        };
        command.extend(body.get("confirm").map(|confirm| ("confirm".to_owned(), confirm.clone())));
        command.insert("$db", "admin");
        let shards = self.shards().await?;
        for set in [&self.config].into_iter().chain(shards.values()) {
            let reply = self.run_on(set, &command, true).await?;
            if !is_ok(&reply) {
                return Ok(reply);
            }
        }
        Ok(Document::new())
    }
}
