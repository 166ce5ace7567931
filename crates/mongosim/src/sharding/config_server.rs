use bson::{Bson, Document, doc};

use super::SETTINGS;
use crate::{
    error::{CommandError, CommandResult, code},
    mongod::Mongod,
    oplog::{OpTime, Operation},
    options::ClusterRole,
    repl::{Coordinator, runtime::Durability},
    server::Request,
};

/// The balancer's `_id` among the settings.
pub(super) const BALANCER: &str = "balancer";

impl Mongod {
    /// `_configsvr*`: what a mongos asks of the config servers' primary.
    pub(crate) async fn config_server_command(&self, request: &Request) -> CommandResult {
        if self.options.role != ClusterRole::Config {
            return Err(CommandError::new(
                code::NO_SHARDING_ENABLED,
                format!("{} can only be run on config servers", request.name),
            ));
        }
        match request.name.as_str() {
            "_configsvrAddShard" => self.add_shard(request).await,
            "_configsvrRemoveShard" => self.remove_shard(request).await,
            "_configsvrMovePrimary" => self.move_primary(request).await,
            "_configsvrCreateDatabase" => self.place_database(request).await,
            "_configsvrBalancerStart" => self.set_balancer("full").await,
            "_configsvrBalancerStop" => {
                let stopped = self.set_balancer("off").await?;
                // As the server does: what moves now arrives first.
                self.rounds.at_rest().await;
                Ok(stopped)
            }
            "_configsvrBalancerStatus" => self.balancer_status(),
            name => Err(CommandError::new(code::COMMAND_NOT_FOUND, format!("no such command: '{name}'"))),
        }
    }

    async fn set_balancer(&self, mode: &str) -> CommandResult {
        let mut setting =
            self.storage.read()?.get_by_id(SETTINGS, &Bson::String(BALANCER.to_owned()))?.unwrap_or_default();
        setting.extend(doc! { "_id": BALANCER, "mode": mode, "stopped": mode == "off" });
        self.store(vec![(SETTINGS, Change::Put(setting))]).await?;
        Ok(Document::new())
    }

    fn balancer_status(&self) -> CommandResult {
        let setting = self.storage.read()?.get_by_id(SETTINGS, &Bson::String(BALANCER.to_owned()))?;
        let mode = setting.as_ref().and_then(|d| d.get_str("mode").ok()).unwrap_or("full");
        let (running, ended) = self.rounds.told();
        let term = self.replication.as_ref().map_or(0, |r| r.look(Coordinator::term));
        Ok(doc! { "mode": mode, "inBalancerRound": running, "numBalancerRounds": ended, "term": term })
    }

    /// Makes changes to the cluster's catalog at once and waits for a majority.
    pub(super) async fn store(&self, changes: Vec<(&'static str, Change)>) -> CommandResult<()> {
        let ((), optime) = self
            .write(move |w| {
                for (ns, change) in changes {
                    let id = change.id();
                    let before = w.view().get_by_id(ns, &id)?;
                    let operation = match (before, change) {
                        (Some(before), Change::Put(after)) => Operation::Update { before, after },
                        (None, Change::Put(after)) => Operation::Insert(after),
                        (Some(before), Change::Remove(_)) => Operation::Delete(before),
                        (None, Change::Remove(_)) => continue,
                    };
                    w.log(ns, operation, None)?;
                }
                Ok(())
            })
            .await?;
        self.majority(optime).await
    }

    async fn majority(&self, optime: OpTime) -> CommandResult<()> {
        if let Some(replication) = &self.replication {
            replication.await_durable(optime, Durability::Majority, None).await?;
        }
        Ok(())
    }
}

/// One change to the catalog.
pub(super) enum Change {
    /// Insert or replace.
    Put(Document),
    /// Remove by `_id`.
    Remove(Bson),
}

impl Change {
    fn id(&self) -> Bson {
        match self {
            Self::Put(document) => document.get("_id").cloned().unwrap_or(Bson::Null),
            Self::Remove(id) => id.clone(),
        }
    }
}
