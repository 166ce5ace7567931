//! From the bytes of a Secret to credentials, or to an error that names the offending key.
//!
//! Only what is written in the file itself is accepted. kube-rs runs a kubeconfig's `exec` when it makes a
//! client, and reads the files that it names; a Secret written by someone else must not be able to do either,
//! so the document is parsed here and never handed to kube.

mod document;
mod error;

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use x509_parser::prelude::{FromDer as _, X509Certificate};

pub use self::error::KubeconfigError;

use self::document::{Cluster, Document, User};

/// What is needed to speak to a worker. Its `Debug` shows no secret.
#[derive(Clone, PartialEq, Eq)]
pub struct WorkerCredentials {
    /// The API server's address; always `https`.
    pub server: http::Uri,
    /// The certificates that the server's own must lead to, as DER.
    pub authorities: Vec<Vec<u8>>,
    /// The name to expect in the server's certificate, where it is not the address.
    pub tls_server_name: Option<String>,
    /// The certificate to present, with its key.
    pub client: Option<ClientCertificate>,
    /// The bearer token.
    pub token: Option<String>,
}

/// A client certificate with its key, as PEM.
#[derive(Clone, PartialEq, Eq)]
pub struct ClientCertificate {
    /// The certificate chain.
    pub certificate: Vec<u8>,
    /// The private key.
    pub key: Vec<u8>,
    /// The end of the certificate's validity.
    pub valid_until: Timestamp,
}

impl fmt::Debug for WorkerCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { server, authorities, tls_server_name, client, token } = self;
        f.debug_struct("WorkerCredentials")
            .field("server", server)
            .field("authorities", &authorities.len())
            .field("tls_server_name", tls_server_name)
            .field("client", client)
            .field("token", &token.as_ref().map(|_| "redacted"))
            .finish()
    }
}

impl fmt::Debug for ClientCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientCertificate").field("valid_until", &self.valid_until).finish_non_exhaustive()
    }
}

impl WorkerCredentials {
    /// Reads the kubeconfig's current context. `now` decides whether its certificate is still valid.
    pub fn parse(kubeconfig: &[u8], now: Timestamp) -> Result<Self, KubeconfigError> {
        let text = std::str::from_utf8(kubeconfig).map_err(|_| KubeconfigError::NotUtf8)?;
        let document: Document = serde_saphyr::from_str(text).map_err(|error| {
            // The parser's own words quote the document, and the document is a secret.
            let location = error.location();
            KubeconfigError::NotYaml {
                line: location.map_or(0, |l| l.line()),
                column: location.map_or(0, |l| l.column()),
            }
        })?;
        let selected = document.select()?;
        let at_cluster = |key: &str| format!("clusters[name={}].cluster.{key}", selected.cluster_name);
        let at_user = |key: &str| format!("users[name={}].user.{key}", selected.user_name);
        let (server, authorities) = cluster(selected.cluster, &at_cluster)?;
        let client = user(selected.user, &at_user)?;
        let token = selected.user.token.clone().filter(|token| !token.is_empty());
        if client.is_none() && token.is_none() {
            return Err(KubeconfigError::NoCredentials { user: selected.user_name.to_owned() });
        }
        let credentials =
            Self { server, authorities, tls_server_name: selected.cluster.tls_server_name.clone(), client, token };
        credentials.check_validity(now)?;
        Ok(credentials)
    }

    /// The moment at which the credentials stop being accepted, as far as they tell.
    pub fn valid_until(&self) -> Option<Timestamp> {
        self.client.as_ref().map(|client| client.valid_until)
    }

    /// Whether the credentials are still valid.
    pub fn check_validity(&self, now: Timestamp) -> Result<(), KubeconfigError> {
        match self.valid_until() {
            Some(valid_until) if valid_until <= now => Err(KubeconfigError::Expired { valid_until }),
            _ => Ok(()),
        }
    }
}

fn cluster(cluster: &Cluster, at: &dyn Fn(&str) -> String) -> Result<(http::Uri, Vec<Vec<u8>>), KubeconfigError> {
    if cluster.insecure_skip_tls_verify == Some(true) {
        return Err(KubeconfigError::InsecureSkipTlsVerify { key: at("insecure-skip-tls-verify") });
    }
    if cluster.proxy_url.is_some() {
        return Err(KubeconfigError::Proxy { key: at("proxy-url") });
    }
    if cluster.certificate_authority.is_some() {
        return Err(KubeconfigError::FilePath {
            key: at("certificate-authority"),
            instead: "certificate-authority-data",
        });
    }
    let key = at("server");
    let server = cluster.server.as_deref().filter(|server| !server.is_empty());
    let server = server.ok_or_else(|| KubeconfigError::NoServer { key: key.clone() })?;
    let uri: http::Uri = server.parse().map_err(|_| KubeconfigError::BadServer { key: key.clone() })?;
    if uri.host().is_none() || uri.authority().is_some_and(|a| a.as_str().contains('@')) {
        return Err(KubeconfigError::BadServer { key });
    }
    if uri.scheme() != Some(&http::uri::Scheme::HTTPS) {
        return Err(KubeconfigError::NotHttps { key });
    }
    let key = at("certificate-authority-data");
    let data = cluster.certificate_authority_data.as_deref().filter(|data| !data.is_empty());
    let data = data.ok_or_else(|| KubeconfigError::NoAuthority { key: key.clone() })?;
    let authorities = certificates(&decode(data, &key)?, &key)?;
    Ok((uri, authorities))
}

fn user(user: &User, at: &dyn Fn(&str) -> String) -> Result<Option<ClientCertificate>, KubeconfigError> {
    if user.exec.is_some() {
        return Err(KubeconfigError::Exec { key: at("exec") });
    }
    if user.auth_provider.is_some() {
        return Err(KubeconfigError::AuthProvider { key: at("auth-provider") });
    }
    for (present, key, instead) in [
        (user.token_file.is_some(), "tokenFile", "token"),
        (user.client_certificate.is_some(), "client-certificate", "client-certificate-data"),
        (user.client_key.is_some(), "client-key", "client-key-data"),
    ] {
        if present {
            return Err(KubeconfigError::FilePath { key: at(key), instead });
        }
    }
    for (present, key) in [(user.username.is_some(), "username"), (user.password.is_some(), "password")] {
        if present {
            return Err(KubeconfigError::BasicAuth { key: at(key) });
        }
    }
    for (present, key) in [
        (user.impersonate.is_some(), "as"),
        (user.impersonate_uid.is_some(), "as-uid"),
        (user.impersonate_groups.is_some(), "as-groups"),
        (user.impersonate_extra.is_some(), "as-user-extra"),
    ] {
        if present {
            return Err(KubeconfigError::Impersonation { key: at(key) });
        }
    }
    let certificate_key = at("client-certificate-data");
    let key_key = at("client-key-data");
    match (&user.client_certificate_data, &user.client_key_data) {
        (None, None) => Ok(None),
        (Some(_), None) => Err(KubeconfigError::HalfAPair { present: certificate_key, missing: key_key }),
        (None, Some(_)) => Err(KubeconfigError::HalfAPair { present: key_key, missing: certificate_key }),
        (Some(certificate), Some(key)) => {
            let certificate = decode(certificate, &certificate_key)?;
            let chain = certificates(&certificate, &certificate_key)?;
            let valid_until = chain.first().and_then(|leaf| valid_until(leaf));
            let valid_until = valid_until.ok_or(KubeconfigError::BadCertificate { key: certificate_key })?;
            let key = decode(key, &key_key)?;
            PrivateKeyDer::from_pem_slice(&key).map_err(|_| KubeconfigError::BadKey { key: key_key })?;
            Ok(Some(ClientCertificate { certificate, key, valid_until }))
        }
    }
}

fn decode(data: &str, key: &str) -> Result<Vec<u8>, KubeconfigError> {
    let compact: String = data.split_ascii_whitespace().collect();
    STANDARD.decode(compact).map_err(|_| KubeconfigError::BadBase64 { key: key.to_owned() })
}

/// The certificates of a PEM document, as DER; each must be a certificate.
fn certificates(pem: &[u8], key: &str) -> Result<Vec<Vec<u8>>, KubeconfigError> {
    let bad = || KubeconfigError::BadCertificate { key: key.to_owned() };
    let found = CertificateDer::pem_slice_iter(pem)
        .map(|der| der.map(|der| der.to_vec()).map_err(|_| bad()))
        .collect::<Result<Vec<_>, _>>()?;
    if found.is_empty() || found.iter().any(|der| X509Certificate::from_der(der).is_err()) {
        return Err(bad());
    }
    Ok(found)
}

fn valid_until(der: &[u8]) -> Option<Timestamp> {
    let (_, certificate) = X509Certificate::from_der(der).ok()?;
    Timestamp::from_second(certificate.validity().not_after.timestamp()).ok()
}
