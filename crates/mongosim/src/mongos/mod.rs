//! A mongos: finds the config servers, authenticates against their users, sends each database's
//! commands to its primary shard.

mod admin;
mod catalog;
mod dispatch;
mod forward;
mod monitor;
mod presence;

use std::{collections::HashMap, sync::Arc, time::Instant};

use bson::{DateTime, Timestamp, oid::ObjectId};
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
    /// The latest time that a set has told.
    cluster_time: Mutex<Timestamp>,
    created: DateTime,
    started: Instant,
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
            cluster_time: Mutex::new(Timestamp { time: 0, increment: 0 }),
            created: DateTime::now(),
            started: Instant::now(),
        });
        let this = mongos.clone();
        tokio::spawn(async move {
            tokio::select! {
                () = shutdown.cancelled() => {}
                () = config.reached() => {
                    tracing::info!("config servers reached, serving");
                    this.topology.send_modify(|counter| *counter = 1);
                    this.tell_presence(shutdown.clone()).await;
                }
            }
        });
        mongos
    }

    fn serves(&self) -> bool {
        *self.topology.borrow() > 0
    }
}
