//! Loopback listeners: what the driver connects to, and what carries its bytes on to a server, with TLS or without.

use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use kogge_engine::PodName;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, ServerName};
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use tokio_util::sync::CancellationToken;

use crate::reach::{ReachError, Tunnel};

/// A server must answer the handshake within this.
const HANDSHAKE_DEADLINE: Duration = Duration::from_secs(4);
/// The name that every server's certificate bears: the operator comes through its pod's loopback, or knows it by
/// the pod's address.
const SERVER_NAME: &str = "localhost";

/// The authorities that a database's servers are trusted by, and no other.
#[derive(Clone)]
pub struct Trust {
    connector: TlsConnector,
}

/// Certificates that nobody can be trusted by.
#[derive(Debug, Error)]
#[error("the authorities cannot be read: {0}")]
pub struct TrustError(String);

impl Trust {
    /// Trusts the authorities of a PEM bundle.
    pub fn of(bundle: &str) -> Result<Self, TrustError> {
        let wrong = |error: &dyn std::fmt::Display| TrustError(error.to_string());
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(bundle.as_bytes()) {
            roots.add(certificate.map_err(|e| wrong(&e))?).map_err(|e| wrong(&e))?;
        }
        if roots.is_empty() {
            return Err(TrustError("there is none".to_owned()));
        }
        let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|e| wrong(&e))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self { connector: Arc::new(config).into() })
    }
}

/// A loopback listener for a pod's server; each of its connections is carried by `carry`.
pub(crate) async fn listen<C, F>(pod: &PodName, carry: C) -> Result<Tunnel, ReachError>
where
    C: Fn(TcpStream) -> F + Send + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    let no_listener = |source| ReachError::Listen { pod: pod.clone(), source };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(no_listener)?;
    let address = listener.local_addr().map_err(no_listener)?;
    let closed = CancellationToken::new();
    let ended = closed.clone();
    tokio::spawn(async move {
        loop {
            let accepted = tokio::select! {
                () = ended.cancelled() => return,
                accepted = listener.accept() => accepted,
            };
            let Ok((connection, _)) = accepted else { return };
            let (carried, ended) = (carry(connection), ended.clone());
            tokio::spawn(async move {
                tokio::select! {
                    () = ended.cancelled() => {}
                    () = carried => {}
                }
            });
        }
    });
    Ok(Tunnel { address, _close: Some(closed.drop_guard()) })
}

/// Carries a connection's bytes over a stream to the server, by TLS where somebody is trusted.
pub(crate) async fn carry<S>(trust: Option<&Trust>, connection: &mut TcpStream, stream: &mut S) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let Some(trust) = trust else { return copy_bidirectional(connection, stream).await.map(drop) };
    let mut stream = shake_hands(trust, stream).await?;
    copy_bidirectional(connection, &mut stream).await.map(drop)
}

/// The certificate that a server serves now.
pub(crate) async fn served<S>(trust: &Trust, stream: &mut S) -> io::Result<CertificateDer<'static>>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let stream = shake_hands(trust, stream).await?;
    let chain = stream.get_ref().1.peer_certificates().unwrap_or_default();
    chain.first().map(|leaf| leaf.clone().into_owned()).ok_or_else(|| io::Error::other("it serves no certificate"))
}

async fn shake_hands<S>(trust: &Trust, stream: S) -> io::Result<TlsStream<S>>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let name = ServerName::try_from(SERVER_NAME).map_err(io::Error::other)?;
    let handshake = timeout(HANDSHAKE_DEADLINE, trust.connector.connect(name, stream));
    handshake.await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
}
