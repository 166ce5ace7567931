//! Whom the operator trusts among a database's servers, and who it is to them.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// A server must answer the handshake within this.
const HANDSHAKE_DEADLINE: Duration = Duration::from_secs(4);

/// The authorities that a database's servers are trusted by, and no other, and the certificate that Kogge shows to those
/// that ask for one.
#[derive(Clone)]
pub struct Trust {
    pem: Arc<Pem>,
    config: Arc<ClientConfig>,
}

/// What it was made from.
#[derive(PartialEq, Eq)]
struct Pem {
    authorities: String,
    own: Option<OwnCertificate>,
}

/// The certificate that Kogge shows to servers, as PEM. Its `Debug` does not show the key.
#[derive(Clone, PartialEq, Eq)]
pub struct OwnCertificate {
    /// The certificate, and those between it and the authority.
    pub chain: String,
    /// Its key.
    pub key: String,
}

impl fmt::Debug for OwnCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OwnCertificate(…)")
    }
}

impl fmt::Debug for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Trust(…)")
    }
}

impl PartialEq for Trust {
    fn eq(&self, other: &Self) -> bool {
        self.pem == other.pem
    }
}

impl Eq for Trust {}

/// Certificates that cannot be used.
#[derive(Debug, Error)]
pub enum TrustError {
    /// Nobody can be trusted by them.
    #[error("the authorities cannot be read: {0}")]
    Authorities(String),
    /// Nobody can be shown them.
    #[error("Kogge's own certificate or its key cannot be read: {0}")]
    Own(String),
}

impl Trust {
    /// Trusts the authorities of a PEM bundle, and shows its own certificate to whoever asks for one.
    pub fn new(authorities: &str, own: Option<OwnCertificate>) -> Result<Self, TrustError> {
        let untrusted = |error: &dyn fmt::Display| TrustError::Authorities(error.to_string());
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(authorities.as_bytes()) {
            roots.add(certificate.map_err(|e| untrusted(&e))?).map_err(|e| untrusted(&e))?;
        }
        if roots.is_empty() {
            return Err(untrusted(&"there is none"));
        }
        let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|e| untrusted(&e))?
            .with_root_certificates(roots);
        let config = match &own {
            None => config.with_no_client_auth(),
            Some(OwnCertificate { chain, key }) => {
                let wrong = |error: &dyn fmt::Display| TrustError::Own(error.to_string());
                let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(chain.as_bytes()).collect();
                let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(|e| wrong(&e))?;
                config.with_client_auth_cert(chain.map_err(|e| wrong(&e))?, key).map_err(|e| wrong(&e))?
            }
        };
        let pem = Pem { authorities: authorities.to_owned(), own };
        Ok(Self { pem: Arc::new(pem), config: Arc::new(config) })
    }

    /// Shakes hands with a server that is known by `host`, and speaks `protocol` with it, an ALPN name, where there is
    /// one.
    pub async fn connect<S>(&self, host: &str, protocol: Option<&[u8]>, stream: S) -> io::Result<TlsStream<S>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
        let connector = TlsConnector::from(self.config.clone());
        let handshake = timeout(HANDSHAKE_DEADLINE, async {
            match protocol {
                Some(protocol) => connector.with_alpn(vec![protocol.to_vec()]).connect(name, stream).await,
                None => connector.connect(name, stream).await,
            }
        });
        handshake.await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
    }
}
