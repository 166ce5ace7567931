//! What only the operator can make: keys, passwords and certificates take randomness and a clock.

use kogge_api::ClusterId;
use serde::{Deserialize, Serialize};

/// A certificate with its private key. Its `Debug` shows neither.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Certificate {
    /// The certificate, as PEM; with the chain behind it, if there is one.
    pub certificate: String,
    /// Its private key, as PEM.
    pub key: String,
    /// When it is to be renewed, in seconds since 1970; none where Kogge does not renew it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub renew_at: Option<i64>,
}

impl std::fmt::Debug for Certificate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Certificate").field("renew_at", &self.renew_at).finish_non_exhaustive()
    }
}

/// Something cannot be made.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{what} cannot be made: {why}")]
pub struct MintError {
    /// What was to be made.
    pub what: String,
    /// Why it cannot be.
    pub why: String,
}

/// Makes secrets and ids, and checks certificates.
pub trait Mint {
    /// A clusterID that no other database has.
    fn cluster_id(&mut self) -> ClusterId;

    /// Whether servers of those names can work with a certificate of the user's now; else why not, naming the key of
    /// the Secret. A wildcard stands for any name below it.
    fn check(&self, authority: &str, leaf: &Certificate, names: &[String]) -> Result<(), String>;

    /// A key for the keyfile: base64 text of 756 bytes, as the servers' manual has it.
    fn key(&mut self) -> String;

    /// A password.
    fn password(&mut self) -> String;

    /// An authority of that name.
    fn authority(&mut self, name: &str) -> Result<Certificate, MintError>;

    /// A certificate for servers and clients, for those names and addresses.
    fn leaf(&mut self, authority: &Certificate, names: &[String]) -> Result<Certificate, MintError>;

    /// A certificate for a client alone, by the user's name, which comes from those names and addresses.
    fn client(&mut self, authority: &Certificate, user: &str, from: &[String]) -> Result<Certificate, MintError>;
}

/// The clusterID that a database without one is planned under.
const SAMPLE_ID: [u8; 8] = [15; 8];

/// Makes what stands for secrets where a plan is only looked at: each different, none of them secret.
#[derive(Debug, Default)]
pub struct Sample {
    made: u32,
    check: Option<Check>,
}

/// Checks a certificate of the user's, as [`Mint::check`] does.
type Check = fn(&str, &Certificate, &[String]) -> Result<(), String>;

impl Sample {
    /// Makes samples in place of secrets, and checks the certificates that users give by this.
    pub fn checking(check: Check) -> Self {
        Self { made: 0, check: Some(check) }
    }

    fn next(&mut self, what: &str) -> String {
        self.made += 1;
        format!("{what}-sample-{:0>40}", self.made)
    }
}

impl Mint for Sample {
    fn cluster_id(&mut self) -> ClusterId {
        ClusterId::from_random(SAMPLE_ID)
    }

    fn check(&self, authority: &str, leaf: &Certificate, names: &[String]) -> Result<(), String> {
        self.check.map_or(Ok(()), |check| check(authority, leaf, names))
    }

    fn key(&mut self) -> String {
        self.next("key")
    }

    fn password(&mut self) -> String {
        self.next("password")
    }

    fn authority(&mut self, name: &str) -> Result<Certificate, MintError> {
        Ok(Certificate { certificate: self.next(name), key: self.next("private"), renew_at: None })
    }

    fn leaf(&mut self, authority: &Certificate, _: &[String]) -> Result<Certificate, MintError> {
        let certificate = self.next(&format!("leaf-of-{}", authority.certificate));
        Ok(Certificate { certificate, key: self.next("private"), renew_at: None })
    }

    fn client(&mut self, authority: &Certificate, user: &str, _: &[String]) -> Result<Certificate, MintError> {
        let certificate = self.next(&format!("{user}-by-{}", authority.certificate));
        Ok(Certificate { certificate, key: self.next("private"), renew_at: None })
    }
}
