//! TLS to a database's servers, by rustls.

use std::fmt;
use std::io;
use std::sync::Arc;

use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use thiserror::Error;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::reach::Connection;

/// What is spoken inside TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    Http1,
    Http2,
}

impl Protocol {
    fn alpn(self) -> Vec<u8> {
        match self {
            Self::Http1 => b"http/1.1".to_vec(),
            Self::Http2 => b"h2".to_vec(),
        }
    }
}

/// The authorities that a database's servers are trusted by, and no other, and the certificate that Kogge shows them.
/// Keep it while the certificates are the same: connections are kept with it.
#[derive(Clone)]
pub struct Tls {
    config: Arc<ClientConfig>,
}

/// The certificate that Kogge shows to servers, as PEM.
#[derive(Clone, Copy)]
pub struct OwnCertificate<'a> {
    /// The certificate, and those between it and the authority.
    pub chain: &'a str,
    /// Its key.
    pub key: &'a str,
}

/// Certificates that cannot be used.
#[derive(Debug, Error)]
pub enum TlsError {
    /// Nobody can be trusted by them.
    #[error("the authorities cannot be read: {0}")]
    Authorities(String),
    /// Nobody can be shown them.
    #[error("Kogge's own certificate or its key cannot be read: {0}")]
    Own(String),
}

impl Tls {
    /// Trusts the authorities of a PEM bundle, and shows its own certificate to whoever asks for one.
    pub fn new(authorities: &str, own: Option<OwnCertificate<'_>>) -> Result<Self, TlsError> {
        let untrusted = |error: &dyn fmt::Display| TlsError::Authorities(error.to_string());
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
        let config = match own {
            None => config.with_no_client_auth(),
            Some(OwnCertificate { chain, key }) => {
                let wrong = |error: &dyn fmt::Display| TlsError::Own(error.to_string());
                let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(chain.as_bytes()).collect();
                let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(|e| wrong(&e))?;
                config.with_client_auth_cert(chain.map_err(|e| wrong(&e))?, key).map_err(|e| wrong(&e))?
            }
        };
        Ok(Self { config: Arc::new(config) })
    }

    /// Shakes hands with a server that is known by `host`.
    pub(crate) async fn connect(
        &self,
        host: &str,
        protocol: Protocol,
        stream: Connection,
    ) -> io::Result<Connection> {
        let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
        let connector = TlsConnector::from(self.config.clone());
        let stream = connector.with_alpn(vec![protocol.alpn()]).connect(name, stream).await?;
        Ok(Box::new(stream))
    }
}

impl PartialEq for Tls {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.config, &other.config)
    }
}

impl Eq for Tls {}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tls(…)")
    }
}
