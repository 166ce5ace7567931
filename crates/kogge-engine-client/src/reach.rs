//! How members are reached: a loopback address per pod.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;

use async_trait::async_trait;
use kogge_engine::PodName;
use rustls_pki_types::CertificateDer;
use thiserror::Error;
use tokio::net::TcpStream;
use tokio_util::sync::DropGuard;
use tracing::debug;

use crate::forward::{Trust, carry, listen, served};

/// Without TLS no certificate is served to the operator.
pub(crate) const NO_TLS: &str = "Kogge connects to it without TLS";

/// Gives a loopback address for a pod's server. Loopback also in the pod, so that the localhost exception
/// and a `localhost` certificate hold.
#[async_trait]
pub trait MemberReach: Send + Sync {
    /// What stands behind a pod's name now: its uid and the way to it. Absent while there is none.
    /// Connections are kept while it is the same.
    fn identity(&self, pod: &PodName) -> Option<String>;

    /// Opens a way to the pod that `identity` told of.
    async fn open(&self, pod: &PodName) -> Result<Tunnel, ReachError>;

    /// The certificate that a pod's server serves now, seen on a connection of its own.
    async fn certificate(&self, pod: &PodName) -> Result<CertificateDer<'static>, ReachError>;
}

/// A way to a pod; closed on drop.
#[derive(Debug)]
pub struct Tunnel {
    /// Where to connect to.
    pub address: SocketAddr,
    pub(crate) _close: Option<DropGuard>,
}

/// Why a pod cannot be reached.
#[derive(Debug, Error)]
pub enum ReachError {
    /// No such pod runs, or its worker was not observed.
    #[error("{0} has no pod that can be reached")]
    NoPod(PodName),
    /// Its address takes no connection.
    #[error("{pod} does not answer at its address {address}: {reason}")]
    NoRoute {
        /// The pod.
        pod: PodName,
        /// Its address.
        address: SocketAddr,
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

impl ReachError {
    pub(crate) fn certificate(pod: &PodName, reason: impl std::fmt::Display) -> Self {
        Self::Certificate { pod: pod.clone(), reason: reason.to_string() }
    }
}

/// Servers that listen on this machine's loopback: tests, and servers started by hand.
#[derive(Clone, Default)]
pub struct Loopback {
    servers: BTreeMap<PodName, SocketAddr>,
    trust: Option<Trust>,
}

impl Loopback {
    /// The servers by pod name.
    pub fn new(servers: BTreeMap<PodName, SocketAddr>) -> Self {
        Self { servers, trust: None }
    }

    /// Speaks TLS to servers that `trust` trusts.
    #[must_use]
    pub fn trusting(self, trust: Option<Trust>) -> Self {
        Self { trust, ..self }
    }
}

#[async_trait]
impl MemberReach for Loopback {
    fn identity(&self, pod: &PodName) -> Option<String> {
        self.servers.get(pod).map(ToString::to_string)
    }

    async fn open(&self, pod: &PodName) -> Result<Tunnel, ReachError> {
        let address = *self.servers.get(pod).ok_or_else(|| ReachError::NoPod(pod.clone()))?;
        let Some(trust) = self.trust.clone() else { return Ok(Tunnel { address, _close: None }) };
        listen(pod, move |mut connection| {
            let trust = trust.clone();
            async move {
                let carried = match TcpStream::connect(address).await {
                    Ok(mut stream) => carry(Some(&trust), &mut connection, &mut stream).await,
                    Err(error) => Err(error),
                };
                if let Err(error) = carried {
                    debug!(%address, %error, "connection ended");
                }
            }
        })
        .await
    }

    async fn certificate(&self, pod: &PodName) -> Result<CertificateDer<'static>, ReachError> {
        let address = *self.servers.get(pod).ok_or_else(|| ReachError::NoPod(pod.clone()))?;
        let seen = async {
            let trust = self.trust.as_ref().ok_or_else(|| io::Error::other(NO_TLS))?;
            served(trust, &mut TcpStream::connect(address).await?).await
        };
        seen.await.map_err(|error| ReachError::certificate(pod, error))
    }
}
