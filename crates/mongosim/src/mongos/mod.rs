//! A mongos: finds the config servers, authenticates against their users, sends each database's
//! commands to its primary shard.

mod admin;
mod catalog;
mod dispatch;
mod forward;
mod monitor;
mod presence;

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use bson::{DateTime, Timestamp, doc, oid::ObjectId};
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::{auth::ClusterKey, net::PeerPool, options::Options, quiesce::Quiesce};
use catalog::Catalog;
use monitor::SetMonitor;

/// Between two attempts to reach the config servers; the server's own interval.
const ASK_AGAIN: Duration = Duration::from_secs(2);

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
    quiesce: Quiesce,
    /// The latest time that a set has told.
    cluster_time: Mutex<Timestamp>,
    created: DateTime,
    started: Instant,
}

impl Mongos {
    /// Starts looking for the config servers; it serves once [`Self::reached`] has ended.
    pub fn start(
        options: Options,
        process_id: ObjectId,
        config_set: &str,
        config_hosts: Vec<String>,
        peers: Arc<PeerPool>,
        key: Option<ClusterKey>,
        shutdown: CancellationToken,
    ) -> Arc<Self> {
        Arc::new(Self {
            options,
            process_id,
            key,
            peers: peers.clone(),
            config: SetMonitor::start(config_set, config_hosts, peers.clone(), shutdown.clone()),
            catalog: Catalog::new(peers, shutdown),
            cursors: Mutex::default(),
            topology: watch::Sender::new(0),
            quiesce: Quiesce::default(),
            cluster_time: Mutex::new(Timestamp { time: 0, increment: 0 }),
            created: DateTime::now(),
            started: Instant::now(),
        })
    }

    /// A clean end: clients are told first, and served until their time to go elsewhere is over.
    pub(crate) async fn quiesce(&self) {
        let length = self.options.router_quiesce;
        tracing::info!(millis = length.as_millis() as u64, "entering quiesce mode");
        self.quiesce.last(length, || self.topology.send_modify(|counter| *counter += 1)).await;
    }

    /// Ends when the cluster's identity has been read from the config servers: before that no client is listened to
    /// (`initializeSharding` in `mongos_main.cpp`). They need no primary for that.
    pub(crate) async fn reached(&self) {
        loop {
            match self.config_rows("config", "version", doc! {}).await {
                Ok(rows) if !rows.is_empty() => break,
                Ok(_) => tracing::info!("the cluster has no identity yet"),
                Err(e) => tracing::info!(error = %e, "the config servers have not been reached yet"),
            }
            tokio::time::sleep(ASK_AGAIN).await;
        }
    }
}
