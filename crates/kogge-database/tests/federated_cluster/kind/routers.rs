//! The sharded cluster as its routers tell it: shards, databases, the balancer.

use std::collections::BTreeSet;

use kogge_mongo::{ClusterState, RouterServer, ShardEntry, ShardingAction};

/// The routers, which all say the same.
#[derive(Default)]
pub(crate) struct Routers {
    pub(crate) shards: Vec<ShardEntry>,
    pub(crate) cluster: ClusterState,
}

impl Routers {
    pub(super) fn answer(&self) -> RouterServer {
        RouterServer::Serving { shards: self.shards.clone(), cluster: self.cluster.clone() }
    }

    pub(super) fn add_shard(&mut self, shard: ShardEntry) {
        if !self.lists(&shard.name) {
            self.shards.push(shard);
        }
    }

    pub(crate) fn lists(&self, shard: &str) -> bool {
        self.shards.iter().any(|known| known.name == shard)
    }

    /// Puts a database on a shard.
    pub(crate) fn write(&mut self, shard: &str, database: &str) {
        self.cluster.databases.entry(shard.to_owned()).or_default().insert(database.to_owned());
    }

    pub(super) fn take(&mut self, step: &ShardingAction) {
        match step {
            ShardingAction::RemoveShard { shard, .. } => self.remove(shard),
            ShardingAction::MovePrimary { database, to, .. } => {
                assert!(self.shards.iter().any(|s| s.name == *to && !s.draining), "{to} takes no database");
                for held in self.cluster.databases.values_mut() {
                    held.remove(database);
                }
                self.write(to, database);
            }
            ShardingAction::StopBalancer { .. } => self.cluster.balancer_on = Some(false),
            ShardingAction::StartBalancer { .. } => self.cluster.balancer_on = Some(true),
            ShardingAction::SetFeatureCompatibilityVersion { version, .. } => {
                self.cluster.feature_compatibility_version = Some(version.clone());
            }
            ShardingAction::SetDefaultConcerns { read, .. } => {
                self.cluster.default_write_concern = Some(true);
                if *read {
                    self.cluster.default_read_concern = Some(true);
                }
            }
            record => panic!("{} is not for a router", record.name()),
        }
    }

    fn remove(&mut self, name: &str) {
        let Some(at) = self.shards.iter().position(|shard| shard.name == name) else { return };
        assert!(self.shards.iter().any(|s| s.name != name && !s.draining), "the last shard");
        let began = std::mem::replace(&mut self.shards[at].draining, true);
        let left = self.cluster.databases.get(name).map_or(0, BTreeSet::len);
        if began && left == 0 {
            self.shards.remove(at);
        }
    }
}
