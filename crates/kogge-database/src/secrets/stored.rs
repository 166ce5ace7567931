//! What stands in a Secret.

use std::collections::BTreeMap;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;

/// A Secret that lacks something.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("the Secret {secret} has no key {key}, or it cannot be read; restore the Secret from a backup")]
pub struct IncompleteSecret {
    /// The Secret.
    pub secret: String,
    /// The key.
    pub key: &'static str,
}

pub(super) fn text(secret: &Secret, key: &str) -> Option<String> {
    let bytes = secret.data.as_ref()?.get(key)?;
    String::from_utf8(bytes.0.clone()).ok().filter(|text| !text.is_empty())
}

pub(super) fn bytes(entries: Vec<(&str, String)>) -> BTreeMap<String, ByteString> {
    entries.into_iter().map(|(key, text)| (key.to_owned(), ByteString(text.into_bytes()))).collect()
}
