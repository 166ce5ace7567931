use std::{collections::HashMap, sync::Arc, time::Duration};

use bson::Document;
use parking_lot::Mutex;
use tokio::time::Instant;

use super::{Connection, Faults, NetError, Tls};
use crate::auth::ClusterKey;

const IDLE_PER_HOST: usize = 16;

/// Idle connections to other members, by host.
#[derive(Debug)]
pub struct PeerPool {
    tls: Option<Arc<Tls>>,
    key: Option<ClusterKey>,
    faults: Arc<Faults>,
    idle: Mutex<HashMap<String, Vec<Connection>>>,
}

impl PeerPool {
    /// An empty pool that encrypts by `tls` and authenticates with `key`.
    pub fn new(tls: Option<Arc<Tls>>, key: Option<ClusterKey>, faults: Arc<Faults>) -> Self {
        Self { tls, key, faults, idle: Mutex::default() }
    }

    /// A connection of its own, outside the pool.
    pub async fn open(&self, host: &str, limit: Duration) -> Result<Connection, NetError> {
        self.connect(host, self.key.as_ref(), Instant::now() + limit).await
    }

    /// A connection without authentication, for what a stranger may ask.
    pub async fn open_anonymous(&self, host: &str, limit: Duration) -> Result<Connection, NetError> {
        self.connect(host, None, Instant::now() + limit).await
    }

    /// The process's TLS, if it is on.
    pub fn tls(&self) -> Option<&Arc<Tls>> {
        self.tls.as_ref()
    }

    async fn connect(
        &self,
        host: &str,
        key: Option<&ClusterKey>,
        deadline: Instant,
    ) -> Result<Connection, NetError> {
        Connection::open(host, self.tls.as_deref(), key, self.faults.clone(), deadline).await
    }

    fn take_idle(&self, host: &str) -> Option<Connection> {
        let mut idle = self.idle.lock();
        let connections = idle.get_mut(host)?;
        while let Some(mut connection) = connections.pop() {
            if connection.is_alive() {
                return Some(connection);
            }
        }
        None
    }

    /// Runs one command on `host` within `limit`. A command is never sent twice: a pooled
    /// connection that turns out to be dead is an error for the caller to judge.
    pub async fn command(&self, host: &str, command: &Document, limit: Duration) -> Result<Document, NetError> {
        let deadline = Instant::now() + limit;
        let idle = self.take_idle(host);
        let mut connection = match idle {
            Some(connection) => connection,
            None => self.connect(host, self.key.as_ref(), deadline).await?,
        };
        let left = deadline.saturating_duration_since(Instant::now());
        match connection.command(command, left).await {
            Ok(reply) => {
                let mut idle = self.idle.lock();
                let slot = idle.entry(host.to_owned()).or_default();
                if slot.len() < IDLE_PER_HOST {
                    slot.push(connection);
                }
                Ok(reply)
            }
            Err(e) => {
                self.idle.lock().remove(host);
                Err(e)
            }
        }
    }
}
