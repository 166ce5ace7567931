//! The certificates of those who call servers: Kogge itself, and the administrator. Only servers that ask their callers for
//! a certificate need them, and no pod mounts them.

use kogge_engine::Identity;
use serde::{Deserialize, Serialize};

use super::mint::{Certificate, Mint, MintError};
use super::users::{ADMIN, OPERATOR};

/// The certificates of those who call servers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ClientCertificates {
    /// Kogge's own.
    pub operator: Certificate,
    /// The administrator's, which is in the administrator's Secret.
    pub admin: Certificate,
}

impl ClientCertificates {
    pub(super) fn issue(
        authority: &Certificate,
        identity: &Identity,
        mint: &mut dyn Mint,
    ) -> Result<Self, MintError> {
        // Kogge comes through the pod's loopback.
        let loopback = ["localhost".to_owned(), "127.0.0.1".to_owned()];
        // A port for peers trusts the same authority, and takes a certificate without names from any address. No address
        // ever has this name (RFC 2606), so that only ports for clients take the administrator's.
        let nowhere = [format!("{ADMIN}.{}.{}.invalid", identity.name, identity.namespace)];
        Ok(Self {
            operator: mint.client(authority, OPERATOR, &loopback)?,
            admin: mint.client(authority, ADMIN, &nowhere)?,
        })
    }
}
