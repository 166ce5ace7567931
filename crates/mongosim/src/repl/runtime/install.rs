use std::{sync::Arc, time::Duration};

use bson::{Bson, doc};
use futures::{StreamExt, stream::FuturesUnordered};

use super::{CONFIG_NAMESPACE, Replication};
use crate::{
    failpoints::FailPoint,
    repl::{MemberState, ReplSetConfig},
    storage::StorageResult,
};

/// mongod's own patience with a host that says nothing.
const SELF_CHECK: Duration = Duration::from_secs(30);
const SELF_RETRY: Duration = Duration::from_secs(1);

impl Replication {
    /// The members of `config` that are this process, found by `_isSelf`. With `first_only`, ends
    /// at the first.
    pub(super) async fn find_self(&self, config: &ReplSetConfig, first_only: bool) -> Vec<usize> {
        let mut asked: FuturesUnordered<_> = config
            .members
            .iter()
            .enumerate()
            .map(|(index, member)| async move { (index, self.is_self(&member.host).await) })
            .collect();
        let mut found = Vec::new();
        while let Some((index, is_self)) = asked.next().await {
            if is_self {
                found.push(index);
                if first_only {
                    break;
                }
            }
        }
        found
    }

    async fn is_self(&self, host: &str) -> bool {
        let asked = async {
            let mut connection = self.around.peers.open_anonymous(host, SELF_CHECK).await.ok()?;
            connection.command(&doc! { "_isSelf": 1, "$db": "admin" }, SELF_CHECK).await.ok()
        };
        asked.await.is_some_and(|reply| reply.get_object_id("id").ok() == Some(self.around.process_id))
    }

    pub(super) async fn persist_config(&self, config: &ReplSetConfig) -> StorageResult<()> {
        let stored = config.to_internal_document();
        self.around
            .storage
            .write(move |view| {
                view.drop_collection(CONFIG_NAMESPACE)?;
                view.put(CONFIG_NAMESPACE, &stored)
            })
            .await
    }

    /// Stores a configuration that was heard of, unless this member has come to lead or to a newer one meanwhile.
    /// Tells whether it is stored.
    async fn persist_learnt_config(&self, config: &ReplSetConfig) -> StorageResult<bool> {
        let (stored, version) = (config.to_internal_document(), config.config_version());
        let (gate, name) = (self.gate.clone(), Bson::String(config.name.clone()));
        self.around
            .storage
            .write(move |view| {
                let known = view.get_by_id(CONFIG_NAMESPACE, &name)?;
                let known = known.and_then(|d| ReplSetConfig::parse(&d).ok()).map(|known| known.config_version());
                let leads = gate.leader_term().is_some() && version.term != -1;
                if leads || known.is_some_and(|known| !version.is_newer_than(known)) {
                    return Ok(false);
                }
                view.drop_collection(CONFIG_NAMESPACE)?;
                view.put(CONFIG_NAMESPACE, &stored)?;
                Ok(true)
            })
            .await
    }

    pub(super) async fn install_stored(self: &Arc<Self>, config: ReplSetConfig) {
        let own = self.find_self(&config, true).await.first().copied();
        self.with(|c, now| c.install_config(config, own, now));
        if own.is_none() {
            self.retry_self();
        }
    }

    pub(super) async fn install_from_heartbeat(self: &Arc<Self>, config: ReplSetConfig) {
        let Ok(guard) = self.begin_heartbeat_reconfig() else {
            self.with(|c, _| c.abandon_install());
            return;
        };
        self.fail_points().released(FailPoint::LearnsNoConfig).await;
        let own = self.find_self(&config, true).await.first().copied();
        let known = self.look(|c| c.config().is_some());
        if own.is_none() && !known {
            // A fresh node takes no configuration that does not name it; it waits for one that does.
            self.with(|c, _| c.abandon_install());
            return;
        }
        if !matches!(self.persist_learnt_config(&config).await, Ok(true)) {
            self.with(|c, _| c.abandon_install());
            return;
        }
        tracing::info!(
            version = config.version,
            term = config.term,
            ?own,
            "configuration installed from a heartbeat"
        );
        if !self.look(crate::repl::Coordinator::is_leader) && own.is_some_and(|i| config.members[i].arbiter_only) {
            self.with(|c, now| c.set_follower_state(MemberState::Secondary, now));
        }
        let learnt = config.config_version();
        self.with(
            |c, now| if c.may_learn(learnt) { c.install_config(config, own, now) } else { c.abandon_install() },
        );
        guard.done();
        if own.is_none() {
            self.retry_self();
        }
    }

    /// A member that cannot find itself is REMOVED and keeps looking: names may come late.
    fn retry_self(self: &Arc<Self>) {
        let this = self.clone();
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    () = this.around.shutdown.cancelled() => return,
                    () = tokio::time::sleep(SELF_RETRY) => {}
                }
                let Some(config) = this.look(|c| c.config().filter(|_| c.self_index().is_none()).cloned()) else {
                    return;
                };
                let own = this.find_self(&config, true).await.first().copied();
                let same = this.look(|c| c.config() == Some(&config));
                if own.is_some() && same {
                    this.with(|c, now| c.install_config(config, own, now));
                    return;
                }
            }
        });
    }
}
