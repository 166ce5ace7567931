//! Starting a server from its options.

use std::{net::SocketAddr, path::PathBuf, sync::Arc};

use bson::oid::ObjectId;
use rand::Rng;
use tokio::net::TcpSocket;
use tokio_util::sync::CancellationToken;

use crate::{
    auth::{ClusterKey, KeyFileError},
    failpoints::FailPoints,
    mongod::Mongod,
    mongos::Mongos,
    net::{Faults, PeerPool, Tls, TlsError},
    options::{ClusterRole, Options},
    repl::{Replication, runtime::Surroundings},
    server::{Service, serve},
    shutdown::Shutdown,
    storage::{self, Storage, StorageError},
};

/// Connections that wait to be accepted; as the system allows at most by default.
const BACKLOG: u32 = 4096;

/// Why a server does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The keyfile cannot be used.
    #[error(transparent)]
    KeyFile(#[from] KeyFileError),
    /// The certificates cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The data directory cannot be used.
    #[error("--dbpath: {0}")]
    Storage(#[from] StorageError),
    /// An address is taken or not ours.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The system's reason.
        source: std::io::Error,
    },
}

enum Kind {
    Mongod(Arc<Mongod>),
    Mongos(Arc<Mongos>),
}

/// A running server.
pub struct Node {
    kind: Kind,
    port: u16,
    shutdown: CancellationToken,
    failed: CancellationToken,
    faults: Arc<Faults>,
}

impl Node {
    /// Starts a mongod or a mongos.
    pub fn start(options: Options) -> Result<Self, StartError> {
        let key = options.key_file.as_deref().map(ClusterKey::load).transpose()?;
        let shutdown = CancellationToken::new();
        let faults = Arc::new(Faults::default());
        let tls = options.tls.clone().map(Tls::load).transpose()?.map(Arc::new);
        let peers = Arc::new(PeerPool::new(tls.clone(), key.clone(), faults.clone()));
        let mut sockets = Vec::new();
        let mut port = options.port;
        for ip in &options.bind {
            let address = SocketAddr::new(*ip, port);
            let listen = |source| StartError::Listen { address, source };
            let socket = reserve(address).map_err(listen)?;
            port = socket.local_addr().map_err(listen)?.port();
            sockets.push((address, socket));
        }
        let options = Options { port, ..options };
        let process_id = ObjectId::new();
        let kind = match options.config_db.clone() {
            Some((set, hosts)) => {
                Kind::Mongos(Mongos::start(options, process_id, &set, hosts, peers, key, shutdown.clone()))
            }
            None => Kind::Mongod(start_mongod(options, process_id, peers, key, shutdown.clone())?),
        };
        match &kind {
            Kind::Mongod(mongod) => listen(sockets, tls.as_ref(), mongod, &shutdown)?,
            Kind::Mongos(mongos) => {
                tokio::spawn(start_mongos(mongos.clone(), sockets, tls, shutdown.clone()));
            }
        }
        if let Kind::Mongod(mongod) = &kind
            && let Some(replication) = &mongod.replication
        {
            replication.start()?;
            match mongod.options.role {
                ClusterRole::Config => {
                    tokio::spawn(mongod.clone().found_cluster());
                    tokio::spawn(mongod.clone().keep_sessions_collection());
                    tokio::spawn(mongod.clone().balance());
                }
                ClusterRole::Shard => drop(tokio::spawn(mongod.clone().delete_ranges())),
                ClusterRole::None => {}
            }
        }
        let failed = CancellationToken::new();
        if let Kind::Mongod(mongod) = &kind {
            tokio::spawn(watch_data(mongod.options.dbpath.clone(), failed.clone()));
        }
        Ok(Self { kind, port, shutdown, failed, faults })
    }

    /// The port it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its faults, for partition tests.
    pub fn faults(&self) -> Arc<Faults> {
        self.faults.clone()
    }

    /// Ends when the server has been told to stop.
    pub async fn stopped(&self) {
        self.shutdown.cancelled().await;
    }

    /// Ends when the server cannot go on: its data are gone from under it. It is to be ended at once, with
    /// [`storage::EXIT_ABRUPT`].
    pub async fn failed(&self) {
        self.failed.cancelled().await;
    }

    /// Ends it as SIGTERM does. A second signal changes nothing: mongod looks at none while it ends.
    pub async fn stop(&self) {
        match &self.kind {
            Kind::Mongod(mongod) => {
                let how = Shutdown::by_signal(mongod.options.shutdown_timeout);
                if let Err(e) = mongod.shut_down(how).await {
                    tracing::error!(error = %e, "shutdown");
                }
            }
            Kind::Mongos(mongos) => {
                mongos.quiesce().await;
                self.shutdown.cancel();
            }
        }
    }
}

/// Takes an address without listening to it yet: who connects is refused.
fn reserve(address: SocketAddr) -> std::io::Result<TcpSocket> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}

fn listen<S: Service>(
    sockets: Vec<(SocketAddr, TcpSocket)>,
    tls: Option<&Arc<Tls>>,
    service: &Arc<S>,
    shutdown: &CancellationToken,
) -> Result<(), StartError> {
    for (address, socket) in sockets {
        let listener = socket.listen(BACKLOG).map_err(|source| StartError::Listen { address, source })?;
        tokio::spawn(serve(listener, tls.cloned(), service.clone(), shutdown.clone()));
    }
    Ok(())
}

/// A mongos listens once it has reached its config servers, and ends if it then cannot.
async fn start_mongos(
    mongos: Arc<Mongos>,
    sockets: Vec<(SocketAddr, TcpSocket)>,
    tls: Option<Arc<Tls>>,
    shutdown: CancellationToken,
) {
    tokio::select! {
        () = shutdown.cancelled() => return,
        () = mongos.reached() => {}
    }
    match listen(sockets, tls.as_ref(), &mongos, &shutdown) {
        Ok(()) => {
            tracing::info!("config servers reached, serving");
            mongos.tell_presence(shutdown).await;
        }
        Err(error) => {
            tracing::error!(%error, "ending");
            shutdown.cancel();
        }
    }
}

fn start_mongod(
    options: Options,
    process_id: ObjectId,
    peers: Arc<PeerPool>,
    key: Option<ClusterKey>,
    shutdown: CancellationToken,
) -> Result<Arc<Mongod>, StartError> {
    let storage = Storage::open(&options.dbpath, options.oplog_bytes)?;
    let fail_points = Arc::new(FailPoints::new(options.fail_points.clone()));
    let replication = match &options.repl_set {
        Some(set_name) => {
            let around = Surroundings {
                set_name: set_name.clone(),
                role: options.role,
                process_id,
                dbpath: options.dbpath.clone(),
                storage: storage.clone(),
                peers: peers.clone(),
                shutdown: shutdown.clone(),
                fail_points: fail_points.clone(),
                config_load: options.config_load,
                version: options.version,
            };
            Some(Replication::new(around, rand::rng().random())?)
        }
        None => None,
    };
    Ok(Arc::new(Mongod::new(options, process_id, storage, replication, peers, key, shutdown)))
}

async fn watch_data(dbpath: PathBuf, failed: CancellationToken) {
    storage::vanished(&dbpath).await;
    tracing::error!(dbpath = %dbpath.display(), "the data directory is gone, aborting");
    failed.cancel();
}
