//! Kubeconfigs with everything inline, so that one file is enough anywhere.

use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::error::{LabError, Result};
use crate::pki;

/// One cluster as a kubeconfig names it.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    /// Name of cluster, user and context.
    pub(crate) name: String,
    /// URL of the API server.
    pub(crate) server: String,
    /// PEM of the authority.
    pub(crate) authority: String,
    /// PEM of the client's certificate.
    pub(crate) certificate: String,
    /// PEM of the client's key.
    pub(crate) key: String,
}

impl Entry {
    /// The entry of `user` (a certificate's file name) out of the certificates in `folder`.
    pub(crate) fn read(folder: &Path, name: &str, server: &str, user: &str) -> Result<Self> {
        Ok(Self {
            name: name.to_owned(),
            server: server.to_owned(),
            authority: pki::read(folder, "ca.crt")?,
            certificate: pki::read(folder, &format!("{user}.crt"))?,
            key: pki::read(folder, &format!("{user}.key"))?,
        })
    }
}

/// A kubeconfig with one context per entry; the first is the current one.
pub(crate) fn render(entries: &[Entry]) -> Result<String> {
    let list = |make: &dyn Fn(&Entry) -> Value| entries.iter().map(make).collect::<Vec<_>>();
    let document = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": entries.first().map(|e| e.name.as_str()).unwrap_or_default(),
        "clusters": list(&|e| json!({"name": e.name, "cluster": {
            "server": e.server, "certificate-authority-data": STANDARD.encode(&e.authority)}})),
        "contexts": list(&|e| json!({"name": e.name, "context": {"cluster": e.name, "user": e.name}})),
        "users": list(&|e| json!({"name": e.name, "user": {
            "client-certificate-data": STANDARD.encode(&e.certificate), "client-key-data": STANDARD.encode(&e.key)}})),
    });
    serde_saphyr::to_string(&document).map_err(|e| LabError::document("kubeconfig", e))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kubeconfig_reads_back_with_one_context_per_cluster() -> anyhow::Result<()> {
        let entry = |name: &str| Entry {
            name: name.to_owned(),
            server: "https://10.100.0.1:6443".to_owned(),
            authority: "ca".to_owned(),
            certificate: "cert".to_owned(),
            key: "key".to_owned(),
        };
        let text = render(&[entry("control"), entry("vdc1")])?;
        let read = kube::config::Kubeconfig::from_yaml(&text)?;
        assert_eq!(read.current_context.as_deref(), Some("control"));
        assert_eq!(read.contexts.len(), 2);
        Ok(())
    }
}
