//! How members are reached: a connection to one of a pod's ports.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use async_trait::async_trait;
use kogge_engine::{PodName, Port};
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

/// Bytes to and from a server.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// A connection to a server; closed on drop.
pub type Connection = Box<dyn Stream>;

/// Connects to pods' servers. TLS is not its business.
#[async_trait]
pub trait MemberReach: Send + Sync {
    /// What stands behind a pod's name now: its uid and the way to it. Absent while there is none.
    /// Connections are kept while it is the same.
    fn identity(&self, pod: &PodName) -> Option<String>;

    /// Connects to a port of the pod that `identity` told of.
    async fn connect(&self, pod: &PodName, port: Port) -> Result<Connection, ReachError>;

    /// Whether connections are worth a try, where that costs next to nothing to tell.
    async fn probe(&self, _: &PodName, _: Port) -> Result<(), ReachError> {
        Ok(())
    }
}

/// Why a pod cannot be reached.
#[derive(Debug, Error)]
pub enum ReachError {
    /// No such pod runs, or its worker was not observed.
    #[error("{0} has no pod that can be reached")]
    NoPod(PodName),
    /// Its server has no such port.
    #[error("{pod} has no port {port}")]
    NoPort {
        /// The pod.
        pod: PodName,
        /// The port's name.
        port: &'static str,
    },
    /// Its address takes no connection.
    #[error("{pod} does not answer at its {port} port {address}: {reason}")]
    NoRoute {
        /// The pod.
        pod: PodName,
        /// The port's name.
        port: &'static str,
        /// Its address.
        address: SocketAddr,
        /// Why.
        reason: String,
    },
    /// Its worker's API opens no stream to it.
    #[error("no port-forward to port {port} of {pod}: {reason}")]
    NoForward {
        /// The pod.
        pod: PodName,
        /// The port's name.
        port: &'static str,
        /// Why.
        reason: String,
    },
    /// What its server serves cannot be seen.
    #[error("the certificate that {pod} serves cannot be seen: {reason}")]
    Certificate {
        /// The pod.
        pod: PodName,
        /// Why.
        reason: String,
    },
    /// No loopback listener can be had.
    #[error("no loopback listener for {pod}")]
    Listen {
        /// The pod.
        pod: PodName,
        /// Why.
        source: std::io::Error,
    },
}

/// Servers that listen on this machine's loopback: tests, and servers started by hand.
#[derive(Clone, Debug, Default)]
pub struct Loopback {
    servers: BTreeMap<PodName, Listening>,
}

/// Where a server listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listening {
    /// What tells it from the next one behind its name.
    pub uid: String,
    /// Its addresses, by the name of the port.
    pub ports: BTreeMap<&'static str, SocketAddr>,
}

impl Loopback {
    /// Servers with one port, by pod name.
    pub fn new(port: Port, servers: BTreeMap<PodName, SocketAddr>) -> Self {
        let listening = |address| Listening { uid: "uid".to_owned(), ports: [(port.name, address)].into() };
        Self::of(servers.into_iter().map(|(pod, address)| (pod, listening(address))).collect())
    }

    /// Servers, by pod name.
    pub fn of(servers: BTreeMap<PodName, Listening>) -> Self {
        Self { servers }
    }
}

#[async_trait]
impl MemberReach for Loopback {
    fn identity(&self, pod: &PodName) -> Option<String> {
        self.servers.get(pod).map(|listening| format!("{listening:?}"))
    }

    async fn connect(&self, pod: &PodName, port: Port) -> Result<Connection, ReachError> {
        let listening = self.servers.get(pod).ok_or_else(|| ReachError::NoPod(pod.clone()))?;
        let no_port = || ReachError::NoPort { pod: pod.clone(), port: port.name };
        let address = listening.ports.get(port.name).ok_or_else(no_port)?;
        let no_route = |error: std::io::Error| ReachError::NoRoute {
            pod: pod.clone(),
            port: port.name,
            address: *address,
            reason: error.to_string(),
        };
        let stream = TcpStream::connect(address).await.map_err(no_route)?;
        stream.set_nodelay(true).map_err(no_route)?;
        Ok(Box::new(stream))
    }

    async fn probe(&self, pod: &PodName, port: Port) -> Result<(), ReachError> {
        self.connect(pod, port).await.map(drop)
    }
}
