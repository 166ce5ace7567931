//! Loopback listeners: what a driver connects to that makes its connections by itself, and what carries their bytes on
//! to a server, with TLS or without.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use kogge_engine::{PodName, Port};
use rustls_pki_types::CertificateDer;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::{CancellationToken, DropGuard};
use tracing::debug;

use crate::reach::{Connection, MemberReach, ReachError};
use crate::trust::Trust;

/// The name that every server's certificate bears: the operator comes through its pod's loopback, or knows it by
/// the pod's address.
const SERVER_NAME: &str = "localhost";

/// A loopback address that leads to a pod's server; closed on drop. Loopback, so that a driver checks a `localhost`
/// certificate.
#[derive(Debug)]
pub struct Tunnel {
    /// Where to connect to.
    pub address: SocketAddr,
    _close: DropGuard,
}

impl Tunnel {
    /// Opens a way to a port of a pod. Each connection that it takes is one to the server, by TLS where somebody is
    /// trusted. A connection that fails is dropped, which is how the driver learns of it.
    pub async fn open(
        reach: Arc<dyn MemberReach>,
        pod: &PodName,
        port: Port,
        trust: Option<Trust>,
    ) -> Result<Self, ReachError> {
        // The driver would only say that its connection ended.
        reach.probe(pod, port).await?;
        let no_listener = |source| ReachError::Listen { pod: pod.clone(), source };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(no_listener)?;
        let address = listener.local_addr().map_err(no_listener)?;
        let closed = CancellationToken::new();
        let (pod, ended) = (pod.clone(), closed.clone());
        tokio::spawn(async move {
            loop {
                let accepted = tokio::select! {
                    () = ended.cancelled() => return,
                    accepted = listener.accept() => accepted,
                };
                let Ok((connection, _)) = accepted else { return };
                let (reach, pod, trust, ended) = (reach.clone(), pod.clone(), trust.clone(), ended.clone());
                tokio::spawn(async move {
                    tokio::select! {
                        () = ended.cancelled() => {}
                        () = carry(&*reach, &pod, port, trust.as_ref(), connection) => {}
                    }
                });
            }
        });
        Ok(Self { address, _close: closed.drop_guard() })
    }
}

/// The certificate that a pod's server serves now, seen on a connection of its own.
pub async fn served_certificate(
    reach: &dyn MemberReach,
    pod: &PodName,
    port: Port,
    trust: Option<&Trust>,
) -> Result<CertificateDer<'static>, ReachError> {
    let unseen = |reason: String| ReachError::Certificate { pod: pod.clone(), reason };
    let trust = trust.ok_or_else(|| unseen("Kogge connects to it without TLS".to_owned()))?;
    let stream = reach.connect(pod, port).await.map_err(|error| unseen(error.to_string()))?;
    let seen = trust.connect(SERVER_NAME, None, stream).await.map_err(|error| unseen(error.to_string()))?;
    let chain = seen.get_ref().1.peer_certificates().unwrap_or_default();
    let leaf = chain.first().map(|leaf| leaf.clone().into_owned());
    leaf.ok_or_else(|| unseen("it serves no certificate".to_owned()))
}

async fn carry(
    reach: &dyn MemberReach,
    pod: &PodName,
    port: Port,
    trust: Option<&Trust>,
    mut connection: TcpStream,
) {
    let carried = match reach.connect(pod, port).await {
        Ok(stream) => copy(trust, &mut connection, stream).await.map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    };
    if let Err(error) = carried {
        debug!(%pod, port = port.name, error, "connection ended");
    }
}

async fn copy(trust: Option<&Trust>, connection: &mut TcpStream, mut stream: Connection) -> io::Result<()> {
    let Some(trust) = trust else { return copy_bidirectional(connection, &mut stream).await.map(drop) };
    let mut stream = trust.connect(SERVER_NAME, None, stream).await?;
    copy_bidirectional(connection, &mut stream).await.map(drop)
}
