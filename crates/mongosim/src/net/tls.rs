use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use parking_lot::RwLock;
use rustls::{
    ClientConfig, RootCertStore, ServerConfig,
    crypto::{CryptoProvider, aws_lc_rs},
    server::WebPkiClientVerifier,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject};
use serde::Deserialize;
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, TlsConnector, TlsStream};

use super::Stream;

/// Type, major version and handshake type of a record that begins with a ClientHello (RFC 8446, 5.1).
const HANDSHAKE: u8 = 0x16;
const MAJOR_VERSION: u8 = 3;
const CLIENT_HELLO: u8 = 1;
/// Bytes that tell a ClientHello from a message's header, which begins with its length.
const TELLING_BYTES: usize = 6;

/// Who speaks TLS (`net.tls.mode`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum, Deserialize)]
pub enum TlsMode {
    /// Nobody.
    #[value(name = "disabled")]
    #[serde(rename = "disabled")]
    Disabled,
    /// Clients may; members do not to each other.
    #[value(name = "allowTLS")]
    #[serde(rename = "allowTLS")]
    Allow,
    /// Clients may; members do to each other.
    #[value(name = "preferTLS")]
    #[serde(rename = "preferTLS")]
    Prefer,
    /// Everybody.
    #[value(name = "requireTLS")]
    #[serde(rename = "requireTLS")]
    Require,
}

/// TLS that is on.
#[derive(Debug, Clone)]
pub struct TlsOptions {
    /// Who speaks it.
    pub mode: TlsMode,
    /// Certificate and key of the server.
    pub certificate_key_file: PathBuf,
    /// Certificate and key shown to other members.
    pub cluster_file: PathBuf,
    /// Authorities that are trusted.
    pub ca_file: PathBuf,
    /// Whether a client may show none.
    pub allow_connections_without_certificates: bool,
}

/// Why certificates cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// A file holds no certificate, no key, or neither as PEM.
    #[error("{path}: {reason}")]
    Pem {
        /// The file.
        path: PathBuf,
        /// What it lacks.
        reason: String,
    },
    /// Certificate, key and authorities do not go together.
    #[error("certificates refused: {0}")]
    Refused(String),
}

struct Material {
    server: Arc<ServerConfig>,
    client: Arc<ClientConfig>,
}

/// TLS of one process: what its files held when they were last read.
pub struct Tls {
    options: TlsOptions,
    material: RwLock<Material>,
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tls").field("options", &self.options).finish_non_exhaustive()
    }
}

impl Tls {
    /// Reads the files.
    pub fn load(options: TlsOptions) -> Result<Self, TlsError> {
        let material = RwLock::new(Material::load(&options)?);
        Ok(Self { options, material })
    }

    /// Reads the files again (`rotateCertificates`). Connections that stand go on; what cannot be
    /// used changes nothing.
    pub fn reload(&self) -> Result<(), TlsError> {
        let fresh = Material::load(&self.options)?;
        *self.material.write() = fresh;
        Ok(())
    }

    /// Takes a connection in; without TLS where the mode lets it be.
    pub(crate) async fn accept(&self, stream: TcpStream) -> io::Result<Stream> {
        if !begins_with_client_hello(&stream).await? {
            if self.options.mode == TlsMode::Require {
                return Err(io::Error::other("the server is configured to only allow TLS connections"));
            }
            return Ok(Stream::Plain(stream));
        }
        let acceptor = TlsAcceptor::from(self.material.read().server.clone());
        Ok(Stream::Tls(Box::new(TlsStream::Server(acceptor.accept(stream).await?))))
    }

    /// Goes out to another member, whose certificate must bear `host`'s name.
    pub(crate) async fn connect(&self, host: &str, stream: TcpStream) -> io::Result<Stream> {
        if self.options.mode < TlsMode::Prefer {
            return Ok(Stream::Plain(stream));
        }
        let name = host.rsplit_once(':').map_or(host, |(name, _)| name).to_owned();
        let name = ServerName::try_from(name).map_err(io::Error::other)?;
        let connector = TlsConnector::from(self.material.read().client.clone());
        Ok(Stream::Tls(Box::new(TlsStream::Client(connector.connect(name, stream).await?))))
    }
}

impl Material {
    fn load(options: &TlsOptions) -> Result<Self, TlsError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let roots = Arc::new(authorities(&options.ca_file)?);
        Ok(Self {
            server: Arc::new(server_config(options, roots.clone(), provider.clone())?),
            client: Arc::new(client_config(options, roots, provider)?),
        })
    }
}

fn server_config(
    options: &TlsOptions,
    roots: Arc<RootCertStore>,
    provider: Arc<CryptoProvider>,
) -> Result<ServerConfig, TlsError> {
    let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider.clone());
    let verifier =
        if options.allow_connections_without_certificates { verifier.allow_unauthenticated() } else { verifier };
    let verifier = verifier.build().map_err(refused)?;
    let (chain, key) = identity(&options.certificate_key_file)?;
    ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(refused)?
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain, key)
        .map_err(refused)
}

fn client_config(
    options: &TlsOptions,
    roots: Arc<RootCertStore>,
    provider: Arc<CryptoProvider>,
) -> Result<ClientConfig, TlsError> {
    let (chain, key) = identity(&options.cluster_file)?;
    ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(refused)?
        .with_root_certificates(roots)
        .with_client_auth_cert(chain, key)
        .map_err(refused)
}

#[allow(clippy::needless_pass_by_value)] // map_err hands the error over.
fn refused(error: impl ToString) -> TlsError {
    TlsError::Refused(error.to_string())
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    fs::read(path).map_err(|source| TlsError::Read { path: path.to_owned(), source })
}

fn certificates(path: &Path, bytes: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let wrong = |reason: String| TlsError::Pem { path: path.to_owned(), reason };
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(bytes).collect();
    let found = found.map_err(|e| wrong(e.to_string()))?;
    if found.is_empty() { Err(wrong("it holds no certificate".to_owned())) } else { Ok(found) }
}

fn authorities(path: &Path) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path, &read(path)?)? {
        roots.add(certificate).map_err(refused)?;
    }
    Ok(roots)
}

fn identity(path: &Path) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), TlsError> {
    let bytes = read(path)?;
    let key = PrivateKeyDer::from_pem_slice(&bytes)
        .map_err(|e| TlsError::Pem { path: path.to_owned(), reason: format!("no private key: {e}") })?;
    Ok((certificates(path, &bytes)?, key))
}

/// Looks at the first bytes without taking them. A client says something first, in both protocols.
async fn begins_with_client_hello(stream: &TcpStream) -> io::Result<bool> {
    const NEXT_SEGMENT: Duration = Duration::from_millis(1);
    let mut head = [0; TELLING_BYTES];
    loop {
        match stream.peek(&mut head).await? {
            TELLING_BYTES => break,
            0 => return Ok(false),
            _ => tokio::time::sleep(NEXT_SEGMENT).await,
        }
    }
    Ok(head[0] == HANDSHAKE && head[1] == MAJOR_VERSION && head[5] == CLIENT_HELLO)
}
