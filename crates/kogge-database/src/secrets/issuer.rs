//! By whom certificates are issued, and what is asked for.

use k8s_openapi::api::core::v1::Secret;
use kogge_api::federated_cluster::SecuritySpec;
use kogge_engine::{Component, Database, Identity};
use serde::{Deserialize, Serialize};

use super::clients::ClientCertificates;
use super::generation::{Tls, server_names};
use super::mint::{Certificate, Mint, MintError};
use super::stored::{IncompleteSecret, text};

/// By whom certificates are issued.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "by")]
pub enum Issuer {
    /// An authority of the database's own.
    Own {
        /// The authority.
        authority: Certificate,
    },
    /// A Secret of the user's.
    Given {
        /// The authority's certificate, as PEM.
        authority: String,
        /// The certificate of every server.
        leaf: Certificate,
    },
}

impl Issuer {
    pub(super) fn authority(&self) -> &str {
        match self {
            Self::Own { authority } => &authority.certificate,
            Self::Given { authority, .. } => authority,
        }
    }

    pub(super) fn issue(
        &self,
        wanted: &Wanted<'_>,
        component: &Component,
        mint: &mut dyn Mint,
    ) -> Result<Certificate, MintError> {
        match self {
            Self::Own { authority } => mint.leaf(authority, &server_names(wanted.identity, &component.key)),
            Self::Given { leaf, .. } => Ok(leaf.clone()),
        }
    }

    /// New certificates for everybody, over those in `tls`.
    pub(super) fn issue_all(
        &self,
        tls: &mut Tls,
        wanted: &Wanted<'_>,
        mint: &mut dyn Mint,
    ) -> Result<(), MintError> {
        let issue = |component: &Component| Ok((component.key.to_string(), self.issue(wanted, component, mint)?));
        tls.leaves = wanted.components.iter().map(issue).collect::<Result<_, MintError>>()?;
        tls.clients = self.client_certificates(wanted, mint)?;
        Ok(())
    }

    /// The certificates of those who call servers; none where servers ask for none, or where the authority is a user's,
    /// whose key Kogge does not have.
    pub(super) fn client_certificates(
        &self,
        wanted: &Wanted<'_>,
        mint: &mut dyn Mint,
    ) -> Result<Option<ClientCertificates>, MintError> {
        match self {
            Self::Own { authority } if wanted.client_certificates => {
                ClientCertificates::issue(authority, wanted.identity, mint).map(Some)
            }
            Self::Own { .. } | Self::Given { .. } => Ok(None),
        }
    }

    pub(super) fn is_due(&self, now: i64) -> bool {
        matches!(self, Self::Own { authority } if authority.renew_at.is_some_and(|at| at <= now))
    }
}

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Wanted<'a> {
    /// Which database.
    pub identity: &'a Identity,
    /// What its user asks for.
    pub security: &'a SecuritySpec,
    /// Its components.
    pub components: Vec<Component>,
    /// What the user's Secret holds, where the spec names one.
    pub given: Option<Issuer>,
    /// Whether servers ask whoever calls them for a certificate.
    pub client_certificates: bool,
}

impl<'a> Wanted<'a> {
    /// What a database asks for. `given` is what the Secret that its spec names holds.
    pub fn new(identity: &'a Identity, database: &'a Database, given: Option<Issuer>) -> Self {
        let (security, components) = (&database.security, database.components.clone());
        Self { identity, security, components, given, client_certificates: false }
    }

    /// The same, for an engine whose servers ask whoever calls them for a certificate, or do not.
    #[must_use]
    pub fn with_client_certificates(self, asked: bool) -> Self {
        Self { client_certificates: asked, ..self }
    }

    /// The names that every server is called by, by its peers, by clients and by the operator: what one certificate
    /// for all of them must bear.
    pub fn called_names(&self) -> Vec<String> {
        let names = self.components.iter().map(|component| {
            let service = self.identity.service_host(&component.key);
            if component.is_group { format!("*.{service}") } else { service }
        });
        names.chain(["localhost".to_owned()]).collect()
    }

    pub(super) fn issuer(&self, mint: &mut dyn Mint) -> Result<Issuer, MintError> {
        if let Some(given) = &self.given {
            return Ok(given.clone());
        }
        let name = format!("{}.{}.{}", self.identity.name, self.identity.namespace, self.identity.id);
        Ok(Issuer::Own { authority: mint.authority(&name)? })
    }
}

impl Issuer {
    /// Reads a Secret as cert-manager makes them: `tls.crt`, `tls.key`, `ca.crt`.
    pub fn given(secret: &Secret) -> Result<Self, IncompleteSecret> {
        let needed = |key: &'static str| {
            let name = secret.metadata.name.clone().unwrap_or_default();
            text(secret, key)
                .map(|pem| pem.trim_end().to_owned() + "\n")
                .ok_or(IncompleteSecret { secret: name, key })
        };
        let leaf = Certificate { certificate: needed("tls.crt")?, key: needed("tls.key")?, renew_at: None };
        Ok(Self::Given { authority: needed("ca.crt")?, leaf })
    }
}
