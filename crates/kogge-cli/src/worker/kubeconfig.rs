//! The kubeconfig that the operator uses for a worker: an address, a CA and a token, all inline.

use std::fs;

use anyhow::{Context as _, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use kube::config::Cluster as ClusterEntry;
use serde_json::json;

/// How the operator reaches a worker's API server.
pub(super) struct Endpoint {
    server: String,
    tls_server_name: Option<String>,
    /// PEM; none where the kubeconfig relies on the CAs of the system that it is used on.
    ca: Option<Vec<u8>>,
}

impl Endpoint {
    /// What the user's own kubeconfig says, with another address where one is given.
    pub(super) fn of(entry: &ClusterEntry, server: Option<String>) -> anyhow::Result<Self> {
        if let Some(proxy) = &entry.proxy_url {
            bail!(
                "the kubeconfig reaches the worker through the proxy {proxy}, which the operator does not use; give \
                 an address that it can reach with --worker-server"
            );
        }
        let server = server
            .or_else(|| entry.server.clone())
            .context("the worker's kubeconfig has no server; give one with --worker-server")?;
        if !server.starts_with("https://") {
            bail!("the worker's server {server:?} is no https:// address; give one with --worker-server");
        }
        Ok(Self { server, tls_server_name: entry.tls_server_name.clone(), ca: ca(entry)? })
    }

    /// The kubeconfig with that token. `cluster_ca` (PEM), which a worker gives with every token, stands in
    /// where the user's kubeconfig names no CA.
    pub(super) fn kubeconfig(&self, name: &str, token: &str, cluster_ca: &[u8]) -> anyhow::Result<String> {
        let ca = self.ca.as_deref().unwrap_or(cluster_ca);
        let mut cluster = json!({"server": self.server, "certificate-authority-data": STANDARD.encode(ca)});
        if let Some(name) = &self.tls_server_name {
            cluster["tls-server-name"] = json!(name);
        }
        let kubeconfig = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": name, "cluster": cluster}],
            "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
            "current-context": name,
            "users": [{"name": name, "user": {"token": token}}],
        });
        serde_saphyr::to_string(&kubeconfig).context("a kubeconfig that is no YAML")
    }

    /// The address.
    pub(super) fn server(&self) -> &str {
        &self.server
    }
}

fn ca(entry: &ClusterEntry) -> anyhow::Result<Option<Vec<u8>>> {
    match (&entry.certificate_authority_data, &entry.certificate_authority) {
        (Some(data), _) => {
            let pem = STANDARD.decode(data).context(
                "certificate-authority-data of the worker's kubeconfig is not base64; make the kubeconfig anew",
            )?;
            Ok(Some(pem))
        }
        (None, Some(file)) => {
            let pem = fs::read(file).with_context(|| {
                format!("cannot read {file}, the certificate-authority of the worker's kubeconfig")
            })?;
            Ok(Some(pem))
        }
        (None, None) => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use kube::config::Kubeconfig;

    use super::*;

    fn entry(server: &str) -> ClusterEntry {
        ClusterEntry {
            server: Some(server.to_owned()),
            certificate_authority_data: Some(STANDARD.encode("CA")),
            ..ClusterEntry::default()
        }
    }

    #[test]
    fn holds_address_ca_and_token_and_nothing_else() {
        let endpoint = Endpoint::of(&entry("https://10.0.0.1:6443"), None).unwrap();
        let text = endpoint.kubeconfig("worker-vdc1", "t0ken", b"other").unwrap();
        let kubeconfig = Kubeconfig::from_yaml(&text).unwrap();
        let cluster = kubeconfig.clusters[0].cluster.as_ref().unwrap();
        assert_eq!(cluster.server.as_deref(), Some("https://10.0.0.1:6443"));
        assert_eq!(cluster.certificate_authority_data, Some(STANDARD.encode("CA")));
        let user = kubeconfig.auth_infos[0].auth_info.as_ref().unwrap();
        assert!(user.token.is_some() && user.exec.is_none() && user.client_certificate_data.is_none());
    }

    #[test]
    fn the_operator_may_need_another_address() {
        let endpoint = Endpoint::of(&entry("https://localhost:1"), Some("https://vdc1:6443".to_owned())).unwrap();
        assert_eq!(endpoint.server(), "https://vdc1:6443");
    }

    #[test]
    fn what_the_operator_cannot_use_is_refused_with_the_mend() {
        let proxied = ClusterEntry { proxy_url: Some("socks5://h".to_owned()), ..entry("https://h") };
        for (entry, server) in [(entry("http://h"), None), (proxied, None), (entry("https://h"), Some("h:1"))] {
            let error = Endpoint::of(&entry, server.map(str::to_owned)).map(|_| ()).unwrap_err().to_string();
            assert!(error.contains("--worker-server"), "{error}");
        }
    }
}
