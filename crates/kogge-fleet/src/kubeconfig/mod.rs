//! From the bytes of a kubeconfig to credentials, or to an error that names the offending key.
//!
//! There is one reader for both doors. In a Secret only what is written in the file itself is accepted: kube-rs runs a
//! kubeconfig's `exec` when it makes a client, and reads the files that it names; a Secret written by someone else
//! must not be able to do either, so the document is parsed here and never handed to kube. The kubeconfig of a
//! person ([`KubeconfigFiles`]) may do both, on that person's machine.

mod access;
mod document;
mod error;
pub mod expiry;
mod material;
mod server;
mod text;
mod token;

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Uri;
use jiff::Timestamp;

pub use self::access::{Access, KubeconfigFiles, ReadError};
pub use self::error::KubeconfigError;
pub use self::server::{Authorities, Server};

use self::document::Selected;
use self::expiry::{Credential, Ending, Nearness};

/// What is needed to speak to a worker. Its `Debug` shows no secret.
#[derive(Clone, PartialEq, Eq)]
pub struct WorkerCredentials {
    /// The API server's address; always `https`.
    pub server: Uri,
    /// The certificates that the server's own must lead to, as DER.
    pub authorities: Vec<Vec<u8>>,
    /// The name to expect in the server's certificate, where it is not the address.
    pub tls_server_name: Option<String>,
    /// The proxy to ask it through, where the kubeconfig names one.
    pub proxy: Option<Uri>,
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
        let Self { server, authorities, tls_server_name, proxy, client, token } = self;
        f.debug_struct("WorkerCredentials")
            .field("server", server)
            .field("authorities", &authorities.len())
            .field("tls_server_name", tls_server_name)
            .field("proxy", &proxy.as_ref().and_then(Uri::host))
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
    /// Reads the kubeconfig's current context. `now` decides whether its credentials are still valid.
    pub fn parse(kubeconfig: &[u8], now: Timestamp) -> Result<Self, KubeconfigError> {
        let selected = access::parse(kubeconfig)?.select(None)?;
        let Server { address, authorities, tls_server_name, proxy, .. } = Server::of_secret(&selected)?;
        refuse_foreign(&selected)?;
        let at = |key: &str| selected.at_user(key);
        let user = &selected.user;
        let part =
            |data: &Option<String>, key| data.as_deref().map(|data| material::decode(data, &at(key))).transpose();
        let certificate = part(&user.client_certificate_data, "client-certificate-data")?;
        let key = part(&user.client_key_data, "client-key-data")?;
        let client = pair(certificate, key, &at)?;
        if let Some(text) = &user.token {
            token::check(text, &at("token"))?;
        }
        if client.is_none() && user.token.is_none() {
            return Err(KubeconfigError::NoCredentials { user: selected.user_name.clone() });
        }
        let credentials = Self {
            server: address,
            authorities: authorities.map(|authorities| authorities.certificates).unwrap_or_default(),
            tls_server_name,
            proxy,
            client,
            token: user.token.clone(),
        };
        credentials.check_validity(now)?;
        Ok(credentials)
    }

    /// The moment at which the credentials stop being accepted, as far as they tell.
    pub fn valid_until(&self) -> Option<Timestamp> {
        self.end().map(|(_, valid_until)| valid_until)
    }

    /// Whether the credentials are still valid.
    pub fn check_validity(&self, now: Timestamp) -> Result<(), KubeconfigError> {
        match self.end() {
            Some((credential, valid_until)) if valid_until <= now => {
                Err(KubeconfigError::Expired { credential, valid_until })
            }
            _ => Ok(()),
        }
    }

    /// The end of the credentials, where it is near enough to tell.
    pub fn ending(&self, now: Timestamp) -> Option<Ending> {
        let (credential, valid_until) = self.end()?;
        Some(Ending { credential, valid_until, nearness: Nearness::of(now, valid_until)? })
    }

    /// What ends first.
    fn end(&self) -> Option<(Credential, Timestamp)> {
        let certificate = self.client.as_ref().map(|client| (Credential::ClientCertificate, client.valid_until));
        let token = self.token.as_deref().and_then(token::valid_until).map(|end| (Credential::Token, end));
        certificate.into_iter().chain(token).min_by_key(|(_, valid_until)| *valid_until)
    }
}

/// Refuses what a Secret may not ask for: programs, files, logins of the past and other people's identities.
fn refuse_foreign(selected: &Selected) -> Result<(), KubeconfigError> {
    let (user, at) = (&selected.user, |key: &str| selected.at_user(key));
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
    Ok(())
}

/// The client's certificate with its key: both or none.
fn pair(
    certificate: Option<Vec<u8>>,
    key: Option<Vec<u8>>,
    at: &dyn Fn(&str) -> String,
) -> Result<Option<ClientCertificate>, KubeconfigError> {
    let (certificate_key, key_key) = (at("client-certificate-data"), at("client-key-data"));
    match (certificate, key) {
        (None, None) => Ok(None),
        (Some(_), None) => Err(KubeconfigError::HalfAPair { present: certificate_key, missing: key_key }),
        (None, Some(_)) => Err(KubeconfigError::HalfAPair { present: key_key, missing: certificate_key }),
        (Some(certificate), Some(key)) => material::pair(certificate, &certificate_key, key, &key_key).map(Some),
    }
}

/// PEM as a kubeconfig holds it.
pub(crate) fn encode(pem: &[u8]) -> String {
    STANDARD.encode(pem)
}
