//! The address of an API server, and what is needed to trust it.

use std::path::Path;

use http::Uri;
use http::uri::Scheme;
use rustls_pki_types::ServerName;

use super::document::Selected;
use super::{KubeconfigError, material};
use crate::proxy;

/// Where an API server is, and how it proves itself.
#[derive(Clone, PartialEq, Eq)]
pub struct Server {
    /// Its address, with the path that goes before every request's.
    pub address: Uri,
    /// The bundle of CAs, as PEM, and those of them that can be trusted, as DER. None where the system's count.
    pub authorities: Option<Authorities>,
    /// The name to expect in its certificate, where it is not the address.
    pub tls_server_name: Option<String>,
    /// The proxy to ask it through.
    pub proxy: Option<Uri>,
    /// Whether its certificate is not to be checked.
    pub insecure: bool,
}

/// What a server's certificate must lead to.
#[derive(Clone, PartialEq, Eq)]
pub struct Authorities {
    /// As written.
    pub pem: Vec<u8>,
    /// Each certificate.
    pub certificates: Vec<Vec<u8>>,
}

impl Server {
    /// Reads the server of a Secret's kubeconfig, whoever its user is, and whether the credentials are still valid.
    pub fn parse(kubeconfig: &[u8]) -> Result<Self, KubeconfigError> {
        Self::of_secret(&super::access::parse(kubeconfig)?.select(None)?)
    }

    /// Refuses what is no address of an API server; `key` is how the message calls it.
    pub fn check_address(server: &str, key: &str) -> Result<(), KubeconfigError> {
        address(server, true, key).map(drop)
    }

    /// What the cluster's entry says, where that is safe: TLS by a CA that is given, and checked.
    pub(super) fn of_secret(selected: &Selected) -> Result<Self, KubeconfigError> {
        let server = Self::of(selected)?;
        let at = |key: &str| selected.at_cluster(key);
        match () {
            () if server.insecure => {
                Err(KubeconfigError::InsecureSkipTlsVerify { key: at("insecure-skip-tls-verify") })
            }
            () if selected.cluster.server.as_deref().is_some_and(|written| written.starts_with("http://")) => {
                Err(KubeconfigError::NotHttps { key: at("server") })
            }
            // An address without a scheme is one of TLS as soon as there is a CA.
            () if server.authorities.is_none() => {
                Err(KubeconfigError::NoAuthority { key: at("certificate-authority-data") })
            }
            () if server.address.scheme() != Some(&Scheme::HTTPS) => {
                Err(KubeconfigError::NotHttps { key: at("server") })
            }
            () => Ok(server),
        }
    }

    /// What the cluster's entry says.
    pub(super) fn of(selected: &Selected) -> Result<Self, KubeconfigError> {
        let cluster = &selected.cluster;
        let at = |key: &str| selected.at_cluster(key);
        let (data_key, file_key) = (at("certificate-authority-data"), at("certificate-authority"));
        let pem = match (&cluster.certificate_authority_data, &cluster.certificate_authority) {
            (_, Some(_)) if selected.cluster_folder.is_none() => {
                return Err(KubeconfigError::FilePath { key: file_key, instead: "certificate-authority-data" });
            }
            (Some(data), _) => Some((material::decode(data, &data_key)?, data_key)),
            (None, Some(path)) => {
                let folder = selected.cluster_folder.as_deref().unwrap_or(Path::new("."));
                Some((material::read(path, folder, &file_key)?, file_key))
            }
            (None, None) => None,
        };
        let authorities = pem
            .map(|(pem, key)| {
                let certificates = material::authorities(&pem, &key)?;
                Ok::<_, KubeconfigError>(Authorities { pem, certificates })
            })
            .transpose()?;
        let key = at("tls-server-name");
        if let Some(name) = &cluster.tls_server_name {
            ServerName::try_from(name.as_str()).map_err(|_| KubeconfigError::BadServerName { key })?;
        }
        let key = at("proxy-url");
        let proxy = cluster.proxy_url.as_deref().map(proxy::of_kubeconfig).transpose();
        let key_of_server = at("server");
        let server = cluster.server.as_deref();
        let server = server.ok_or_else(|| KubeconfigError::NoServer { key: key_of_server.clone() })?;
        Ok(Self {
            address: address(server, authorities.is_some(), &key_of_server)?,
            authorities,
            tls_server_name: cluster.tls_server_name.clone(),
            proxy: proxy.map_err(|error| KubeconfigError::Proxy { key, error })?,
            insecure: cluster.insecure_skip_tls_verify == Some(true),
        })
    }
}

/// An address as kubectl takes it: `host:port` alone is one of TLS where there is a CA.
fn address(server: &str, has_authority: bool, key: &str) -> Result<Uri, KubeconfigError> {
    let bad = || KubeconfigError::BadServer { key: key.to_owned() };
    let whole = match (server.contains("://"), has_authority) {
        (true, _) => server.to_owned(),
        (false, _) if server.contains('/') => return Err(bad()),
        (false, true) => format!("https://{server}"),
        (false, false) => format!("http://{server}"),
    };
    let uri: Uri = whole.parse().map_err(|_| bad())?;
    if uri.scheme() != Some(&Scheme::HTTPS) && uri.scheme() != Some(&Scheme::HTTP) {
        return Err(bad());
    }
    let authority = uri.authority().ok_or_else(bad)?.as_str();
    let host = uri.host().filter(|host| !host.is_empty()).ok_or_else(bad)?;
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let port = authority.strip_prefix(host).ok_or_else(bad)?;
    if !port.is_empty() && uri.port_u16().is_none() || ServerName::try_from(bare).is_err() || uri.query().is_some()
    {
        return Err(bad());
    }
    Ok(uri)
}
