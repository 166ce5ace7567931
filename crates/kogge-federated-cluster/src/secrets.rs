//! The secrets that a database cannot live without. They are made once, stand in Kogge's own namespace, and are
//! copied to where they are used.

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD as BASE64, URL_SAFE_NO_PAD};
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kogge_api::{ClusterId, names};

use super::report::Problem;
use super::revisions::system_labels;

/// The user that Kogge itself works as.
pub const OPERATOR_USER: &str = "kogge-operator";
/// The administrator's user.
pub const ADMIN_USER: &str = "admin";

/// The secrets of one database. Its `Debug` shows none of them.
#[derive(Clone, PartialEq, Eq)]
pub struct DatabaseSecrets {
    /// The key that members authenticate to each other by: base64 text.
    pub keyfile: String,
    /// The password of [`OPERATOR_USER`].
    pub operator_password: String,
    /// The password of [`ADMIN_USER`].
    pub admin_password: String,
}

impl fmt::Debug for DatabaseSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DatabaseSecrets(…)")
    }
}

/// The secrets of a database that stands are gone.
pub fn lost(id: &ClusterId, namespace: &str) -> Problem {
    Problem::Refused {
        reason: "SecretsLost".to_owned(),
        message: format!(
            "the Secret {} is gone from namespace {namespace}, and the database stands; restore it from a backup: \
             without it no member can be reached",
            DatabaseSecrets::name(id)
        ),
    }
}

/// A Secret that lacks something.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "the Secret {secret} has no key {key}, or it is not text; restore the Secret from a backup: without it the members cannot be reached"
)]
pub struct IncompleteSecret {
    /// The Secret.
    pub secret: String,
    /// The key.
    pub key: &'static str,
}

impl DatabaseSecrets {
    /// Secrets made of randomness: 756 bytes for the key, as MongoDB's manual has it, 24 for each password.
    pub fn from_random(key: &[u8; 756], operator: &[u8; 24], admin: &[u8; 24]) -> Self {
        Self {
            keyfile: BASE64.encode(key),
            operator_password: URL_SAFE_NO_PAD.encode(operator),
            admin_password: URL_SAFE_NO_PAD.encode(admin),
        }
    }

    /// The name of the Secret that holds them.
    pub fn name(id: &ClusterId) -> String {
        names::system_object(id, "secrets")
    }

    /// Reads them.
    pub fn read(secret: &Secret) -> Result<Self, IncompleteSecret> {
        let name = secret.metadata.name.clone().unwrap_or_default();
        let text = |key: &'static str| {
            let bytes = secret.data.as_ref().and_then(|d| d.get(key));
            bytes
                .and_then(|b| String::from_utf8(b.0.clone()).ok())
                .filter(|t| !t.is_empty())
                .ok_or(IncompleteSecret { secret: name.clone(), key })
        };
        Ok(Self {
            keyfile: text("keyfile")?,
            operator_password: text("operator-password")?,
            admin_password: text("admin-password")?,
        })
    }

    /// The Secret in Kogge's own namespace.
    pub fn to_secret(&self, id: &ClusterId, namespace: &str) -> Secret {
        let Self { keyfile, operator_password, admin_password } = self;
        Secret {
            metadata: ObjectMeta {
                name: Some(Self::name(id)),
                namespace: Some(namespace.to_owned()),
                labels: Some(system_labels(id, "secrets")),
                ..ObjectMeta::default()
            },
            data: Some(bytes([
                ("keyfile", keyfile),
                ("operator-password", operator_password),
                ("admin-password", admin_password),
            ])),
            ..Secret::default()
        }
    }

    /// The Secret for the database's users, beside the FederatedCluster.
    pub fn admin_secret(&self, cluster: &str, namespace: &str, id: &ClusterId, uri: &str) -> Secret {
        Secret {
            metadata: ObjectMeta {
                name: Some(names::admin_secret(cluster)),
                namespace: Some(namespace.to_owned()),
                labels: Some(system_labels(id, "admin")),
                ..ObjectMeta::default()
            },
            data: Some(bytes([
                ("username", &ADMIN_USER.to_owned()),
                ("password", &self.admin_password),
                ("uri", &uri.to_owned()),
            ])),
            ..Secret::default()
        }
    }
}

fn bytes<const N: usize>(entries: [(&str, &String); N]) -> BTreeMap<String, ByteString> {
    entries.into_iter().map(|(key, text)| (key.to_owned(), ByteString(text.clone().into_bytes()))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_read_back_and_are_never_shown() {
        let secrets = DatabaseSecrets::from_random(&[7; 756], &[1; 24], &[2; 24]);
        let id = "abcdefgh".parse().unwrap();
        assert_eq!(DatabaseSecrets::read(&secrets.to_secret(&id, "kogge-system")), Ok(secrets.clone()));
        let shown = format!("{secrets:?}");
        assert!(!shown.contains(&secrets.admin_password) && !shown.contains(&secrets.keyfile), "{shown}");
    }

    #[test]
    fn the_key_is_one_that_mongod_takes() {
        let keyfile = DatabaseSecrets::from_random(&[7; 756], &[1; 24], &[2; 24]).keyfile;
        assert!((6..=1024).contains(&keyfile.len()), "{} characters", keyfile.len());
    }

    #[test]
    fn a_key_that_is_missing_is_named() {
        let secrets = DatabaseSecrets::from_random(&[7; 756], &[1; 24], &[2; 24]);
        let mut secret = secrets.to_secret(&"abcdefgh".parse().unwrap(), "kogge-system");
        secret.data.as_mut().unwrap().remove("keyfile");
        assert_eq!(DatabaseSecrets::read(&secret).unwrap_err().key, "keyfile");
    }
}
