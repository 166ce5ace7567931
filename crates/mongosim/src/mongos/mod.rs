//! A mongos: finds the config servers, authenticates against their users, sends each database's
//! commands to its primary shard.

mod admin;
mod catalog;
mod dispatch;
mod forward;
mod monitor;

use std::{collections::HashMap, sync::Arc};

use bson::oid::ObjectId;
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::{auth::ClusterKey, net::PeerPool, options::Options};
use catalog::Catalog;
use monitor::SetMonitor;

/// One mongos process.
pub struct Mongos {
    options: Options,
    process_id: ObjectId,
    key: Option<ClusterKey>,
    peers: Arc<PeerPool>,
    config: Arc<SetMonitor>,
    catalog: Catalog,
    /// Which host has a cursor.
    cursors: Mutex<HashMap<i64, String>>,
    topology: watch::Sender<i64>,
}

impl Mongos {
    /// Starts looking for the config servers; until they are found it answers hello alone.
    pub fn start(
        options: Options,
        process_id: ObjectId,
        config_set: &str,
        config_hosts: Vec<String>,
        peers: Arc<PeerPool>,
        key: Option<ClusterKey>,
        shutdown: CancellationToken,
    ) -> Arc<Self> {
        let config = SetMonitor::start(config_set, config_hosts, peers.clone(), shutdown.clone());
        let mongos = Arc::new(Self {
            options,
            process_id,
            key,
            peers: peers.clone(),
            config: config.clone(),
            catalog: Catalog::new(peers, shutdown.clone()),
            cursors: Mutex::default(),
            topology: watch::Sender::new(0),
        });
        let this = mongos.clone();
        tokio::spawn(async move {
            tokio::select! {
                () = shutdown.cancelled() => {}
                () = config.reached() => {
                    tracing::info!("config servers reached, serving");
                    this.topology.send_modify(|counter| *counter = 1);
                }
            }
        });
        mongos
    }

    fn serves(&self) -> bool {
        *self.topology.borrow() > 0
    }
}
