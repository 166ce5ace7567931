use std::{sync::Arc, time::Duration};

use bson::{Document, doc};
use rand::Rng;
use tokio::time::Instant;

use super::Replication;
use crate::{
    error::{CommandError, CommandResult, code},
    oplog::Operation,
    options::ClusterRole,
    repl::{ReplSetConfig, config::ConfigVersion, reconfig_checks},
};

const FORCE_VERSION_STEP: i64 = 10_000;

impl Replication {
    /// `replSetReconfig`, safe or forced. `limit` is the command's `maxTimeMS`.
    pub async fn reconfig(
        self: &Arc<Self>,
        given: &Document,
        force: bool,
        limit: Option<Duration>,
    ) -> CommandResult {
        if self.look(|c| c.config().is_none()) {
            return Err(CommandError::not_initialized());
        }
        if force {
            self.reconfig_by_force(given).await?;
        } else {
            self.reconfig_safely(given, limit).await?;
        }
        Ok(doc! { "ok": 1.0 })
    }

    async fn reconfig_safely(self: &Arc<Self>, given: &Document, limit: Option<Duration>) -> CommandResult<()> {
        // One limit for the whole command. What cannot be interrupted takes of it what it takes.
        let deadline = limit.map(|limit| Instant::now() + limit);
        let term = self.must_be_writable()?;
        self.await_config_committed(limit, code::CONFIG_NOT_COMMITTED).await?;
        let guard = self.begin_reconfig()?;
        let old = self.current_config()?;
        let mut new = ReplSetConfig::parse(given)?;
        if new.name != old.name {
            return Err(CommandError::new(
                code::INVALID_CONFIG,
                format!("the set is named {}, not {}", old.name, new.name),
            ));
        }
        new.reject_newly_added()?;
        new.term = term;
        keep_identity(&old, &mut new);
        reconfig_checks::mark_newly_added(&old, &mut new, self.around.version);
        let own = self.check(&old, &new, false).await?;
        self.check_quorum(&new, own).await?;
        let version = self.log_and_install(new, own, term).await?;
        guard.done();
        self.await_propagation(version, deadline).await
    }

    async fn reconfig_by_force(self: &Arc<Self>, given: &Document) -> CommandResult<()> {
        let guard = self.begin_reconfig()?;
        let old = self.current_config()?;
        let mut new = ReplSetConfig::parse(given)?;
        new.reject_newly_added()?;
        let step = FORCE_VERSION_STEP + rand::rng().random_range(0..100_000);
        new.version = old.version.max(new.version) + step;
        new.term = -1;
        keep_identity(&old, &mut new);
        let own = self.check(&old, &new, true).await?;
        self.persist_config(&new).await?;
        self.with(|c, now| c.install_config(new, Some(own), now));
        guard.done();
        Ok(())
    }

    async fn check(&self, old: &ReplSetConfig, new: &ReplSetConfig, force: bool) -> CommandResult<usize> {
        let default_set = self.default_write_concern_is_set()?;
        reconfig_checks::check(old, new, force, default_set, self.around.version)?;
        new.validate_role(self.around.role == ClusterRole::Config)
            .map_err(|e| CommandError::new(code::INCOMPATIBLE_CONFIG, e.message))?;
        let first_only = !self.around.version.asks_every_host_for_itself();
        let own = self.find_self(new, first_only).await.into_iter().min().ok_or_else(|| {
            CommandError::new(
                code::NODE_NOT_FOUND,
                format!("No host described in new configuration for replica set {} maps to this node", new.name),
            )
        })?;
        if !force && !new.members[own].is_electable() {
            return Err(CommandError::new(
                code::NODE_NOT_ELECTABLE,
                format!(
                    "This node, {}, with _id {} is not electable under the new configuration",
                    new.members[own].host, new.members[own].id
                ),
            ));
        }
        Ok(own)
    }

    fn default_write_concern_is_set(&self) -> CommandResult<bool> {
        let stored = self.around.storage.read()?.get_by_id(
            crate::commands::RW_CONCERN_NAMESPACE,
            &bson::Bson::String(crate::commands::RW_CONCERN_ID.to_owned()),
        )?;
        Ok(stored.is_some_and(|d| d.contains_key("defaultWriteConcern")))
    }

    /// A change that the primary makes by itself.
    pub(super) async fn reconfig_internally(
        self: &Arc<Self>,
        change: impl FnOnce(&mut ReplSetConfig) -> bool,
    ) -> CommandResult<()> {
        let term = self.must_be_writable()?;
        self.await_config_committed(Some(Duration::from_secs(5)), code::CONFIG_NOT_COMMITTED).await?;
        let guard = self.begin_reconfig()?;
        let mut config = self.current_config()?;
        if !change(&mut config) {
            return Ok(());
        }
        config.version += 1;
        config.term = term;
        let own = self.look(crate::repl::Coordinator::self_index).ok_or_else(CommandError::not_primary)?;
        self.log_and_install(config, own, term).await?;
        guard.done();
        Ok(())
    }

    async fn log_and_install(
        self: &Arc<Self>,
        config: ReplSetConfig,
        own: usize,
        term: i64,
    ) -> CommandResult<ConfigVersion> {
        if self.must_be_writable()? != term {
            return Err(CommandError::not_primary());
        }
        self.persist_config(&config).await?;
        let version = config.config_version();
        self.with(|c, now| c.install_config(config, Some(own), now));
        // The entry makes the change visible in the history; losing the term here loses nothing.
        let message = doc! { "msg": "Reconfig set", "version": version.version };
        if let Err(e) = self.write(move |w| w.log("", Operation::Noop(message), None)).await {
            tracing::info!(error = %e, "reconfiguration entry not written");
        }
        Ok(version)
    }

    fn must_be_writable(&self) -> CommandResult<i64> {
        self.gate.writable_term().ok_or_else(|| {
            CommandError::new(
                code::NOT_WRITABLE_PRIMARY,
                "New config is rejected because this node is not a writable primary; a safe replSetReconfig runs on the primary",
            )
        })
    }

    fn current_config(&self) -> CommandResult<ReplSetConfig> {
        self.look(|c| c.config().cloned()).ok_or_else(CommandError::not_initialized)
    }
}

fn keep_identity(old: &ReplSetConfig, new: &mut ReplSetConfig) {
    if let (None, Some(id)) = (new.settings.replica_set_id(), old.settings.replica_set_id()) {
        let id = id.clone();
        new.settings.set_replica_set_id(id);
    }
}
