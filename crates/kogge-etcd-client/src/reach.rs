//! How members are reached: a connection to one of a pod's ports.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;

use async_trait::async_trait;
use kogge_etcd::PodName;
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

/// A port of an etcd server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Port {
    /// For clients: gRPC, `/version`, `/metrics`. It answers only once the server's own publish was applied.
    Client,
    /// For the other members: `/members`, `/version`. It answers from the start.
    Peer,
    /// `--listen-metrics-urls`, without TLS. It answers from the start; a server may have none.
    Metrics,
}

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Client => "client port",
            Self::Peer => "peer port",
            Self::Metrics => "metrics port",
        })
    }
}

/// Bytes to and from a server.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// A connection to a server; closed on drop.
pub type Connection = Box<dyn Stream>;

/// Connects to pods' servers. TLS is not its business.
#[async_trait]
pub trait MemberReach: Send + Sync {
    /// What is behind a pod's name now: its uid and the way to it. Absent while there is none. Connections are kept
    /// while it is the same.
    fn identity(&self, pod: &PodName) -> Option<String>;

    /// Connects to a port of the pod that `identity` told of.
    async fn connect(&self, pod: &PodName, port: Port) -> Result<Connection, ReachError>;
}

/// Why a pod cannot be reached.
#[derive(Debug, Error)]
pub enum ReachError {
    /// No such pod runs, or its worker was not observed.
    #[error("{0} has no pod that can be reached")]
    NoPod(PodName),
    /// Its server has no such port.
    #[error("{pod} has no {port}")]
    NoPort {
        /// The pod.
        pod: PodName,
        /// The port.
        port: Port,
    },
    /// Its address takes no connection.
    #[error("{pod} does not answer at its {port} {address}: {reason}")]
    NoRoute {
        /// The pod.
        pod: PodName,
        /// The port.
        port: Port,
        /// Its address.
        address: SocketAddr,
        /// Why.
        reason: String,
    },
}

/// Where a server listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Addresses {
    /// Its client port.
    pub client: SocketAddr,
    /// Its peer port.
    pub peer: SocketAddr,
    /// Its metrics port, where it has one.
    pub metrics: Option<SocketAddr>,
}

/// Servers that are dialled at their addresses: tests, servers started by hand, and pods whose network Kogge is in.
#[derive(Clone, Debug, Default)]
pub struct Direct {
    servers: BTreeMap<PodName, (String, Addresses)>,
}

impl Direct {
    /// The servers by pod name, each with what tells it apart from the next one behind that name, such as the pod's
    /// uid.
    pub fn new(servers: BTreeMap<PodName, (String, Addresses)>) -> Self {
        Self { servers }
    }
}

#[async_trait]
impl MemberReach for Direct {
    fn identity(&self, pod: &PodName) -> Option<String> {
        self.servers.get(pod).map(|(uid, addresses)| format!("{uid}/{addresses:?}"))
    }

    async fn connect(&self, pod: &PodName, port: Port) -> Result<Connection, ReachError> {
        let (_, addresses) = self.servers.get(pod).ok_or_else(|| ReachError::NoPod(pod.clone()))?;
        let address = match port {
            Port::Client => addresses.client,
            Port::Peer => addresses.peer,
            Port::Metrics => addresses.metrics.ok_or_else(|| ReachError::NoPort { pod: pod.clone(), port })?,
        };
        let no_route = |error: std::io::Error| ReachError::NoRoute {
            pod: pod.clone(),
            port,
            address,
            reason: error.to_string(),
        };
        let stream = TcpStream::connect(address).await.map_err(no_route)?;
        stream.set_nodelay(true).map_err(no_route)?;
        Ok(Box::new(stream))
    }
}
