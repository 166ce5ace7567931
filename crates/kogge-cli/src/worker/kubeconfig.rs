//! The kubeconfig that the operator uses for a worker: an address, a CA and a token, all inline.

use std::net::IpAddr;

use anyhow::{Context as _, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use kogge_fleet::kubeconfig::Server;
use serde_json::json;

/// How the operator reaches a worker's API server.
pub(super) struct Endpoint {
    server: String,
    tls_server_name: Option<String>,
    proxy: Option<String>,
    /// PEM; none where the kubeconfig relies on the CAs of the system that it is used on.
    ca: Option<Vec<u8>>,
}

impl Endpoint {
    /// What the user's own kubeconfig says, with another address where one is given. That one is reached without the
    /// proxy of the user's.
    pub(super) fn of(server: &Server, other: Option<String>) -> anyhow::Result<Self> {
        let proxy = if other.is_some() { None } else { server.proxy.as_ref() };
        if let Some(host) = proxy.and_then(|proxy| proxy.host()).filter(|host| is_this_machine(host)) {
            bail!(
                "the kubeconfig reaches the worker through a proxy on this machine ({host}), which the operator cannot \
                 use; give an address that it can reach with --worker-server"
            );
        }
        let address = other.unwrap_or_else(|| server.address.to_string().trim_end_matches('/').to_owned());
        if !address.starts_with("https://") {
            bail!("the worker's server {address:?} is no https:// address; give one with --worker-server");
        }
        Server::check_address(&address, "the address for --worker-server")?;
        Ok(Self {
            server: address,
            tls_server_name: server.tls_server_name.clone(),
            proxy: proxy.map(ToString::to_string),
            ca: server.authorities.as_ref().map(|authorities| authorities.pem.clone()),
        })
    }

    /// Whether the user's kubeconfig names the CA.
    pub(super) fn names_its_ca(&self) -> bool {
        self.ca.is_some()
    }

    /// The kubeconfig with that token. `cluster_ca` (PEM), which every worker tells, stands in where the user's
    /// kubeconfig names no CA.
    pub(super) fn kubeconfig(&self, name: &str, token: &str, cluster_ca: &[u8]) -> anyhow::Result<String> {
        let ca = self.ca.as_deref().unwrap_or(cluster_ca);
        let mut cluster = json!({"server": self.server, "certificate-authority-data": STANDARD.encode(ca)});
        if let Some(name) = &self.tls_server_name {
            cluster["tls-server-name"] = json!(name);
        }
        if let Some(proxy) = &self.proxy {
            cluster["proxy-url"] = json!(proxy);
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

fn is_this_machine(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
pub(super) mod tests {
    use kogge_fleet::KubeconfigFiles;

    use super::*;

    /// A certificate authority.
    pub(in crate::worker) const CA: &str = "-----BEGIN CERTIFICATE-----\n\
        MIIBhzCCAS2gAwIBAgIUBKaGO+aox4DZj1Hzjm9bo7ZonYYwCgYIKoZIzj0EAwIw\n\
        GDEWMBQGA1UEAwwNa29nZ2UtdGVzdC1jYTAgFw0yNjEyMDEwNTE0MjBaGA8yMTI2\n\
        MTEwNzA1MTQyMFowGDEWMBQGA1UEAwwNa29nZ2UtdGVzdC1jYTBZMBMGByqGSM49\n\
        AgEGCCqGSM49AwEHA0IABPiJ0RObllpAQVU9WSCydLV4iWTosRi92gAaADh+HR+c\n\
        UZnwSIhHyUtrkB1MWffVEQmXLNoQ3js3Xq2T+qJTGX6jUzBRMB0GA1UdDgQWBBSU\n\
        amkpgSgyrl6XcirIzgqQGexbWzAfBgNVHSMEGDAWgBSUamkpgSgyrl6XcirIzgqQ\n\
        GexbWzAPBgNVHRMBAf8EBTADAQH/MAoGCCqGSM49BAMCA0gAMEUCIQCLoxjgiy6t\n\
        toXeHggSvK0RZqZ9t8lb+5YK9JKURSXslQIgJlgUkSw1txfDMsaFmgtpKC0cuiB7\n\
        opp6i7RR2RKSUCY=\n\
        -----END CERTIFICATE-----\n";

    fn server(cluster: &serde_json::Value) -> Server {
        let document = json!({
            "current-context": "c",
            "contexts": [{"name": "c", "context": {"cluster": "k", "user": "u"}}],
            "clusters": [{"name": "k", "cluster": cluster}],
            "users": [{"name": "u", "user": {"token": "t"}}],
        });
        let files = KubeconfigFiles::parse(document.to_string().as_bytes()).unwrap();
        files.access(None).unwrap().server
    }

    fn at(address: &str) -> Server {
        server(&json!({"server": address, "certificate-authority-data": STANDARD.encode(CA)}))
    }

    fn read(text: &str) -> serde_json::Value {
        serde_saphyr::from_str(text).unwrap()
    }

    #[test]
    fn holds_address_ca_and_token_and_nothing_else() {
        let endpoint = Endpoint::of(&at("https://10.0.0.1:6443"), None).unwrap();
        let kubeconfig = read(&endpoint.kubeconfig("worker-vdc1", "t0ken", b"other").unwrap());
        let expected =
            json!({"server": "https://10.0.0.1:6443", "certificate-authority-data": STANDARD.encode(CA)});
        assert_eq!(kubeconfig["clusters"][0]["cluster"], expected);
        assert_eq!(kubeconfig["users"][0]["user"], json!({"token": "t0ken"}));
    }

    #[test]
    fn the_operator_may_need_another_address() {
        let endpoint = Endpoint::of(&at("https://localhost:1"), Some("https://vdc1:6443".to_owned())).unwrap();
        assert_eq!(endpoint.server(), "https://vdc1:6443");
    }

    #[test]
    fn field_19_the_path_of_the_address_is_kept() {
        let endpoint = Endpoint::of(&at("https://rancher.example/k8s/clusters/c-abc12/"), None).unwrap();
        assert_eq!(endpoint.server(), "https://rancher.example/k8s/clusters/c-abc12");
    }

    #[test]
    fn field_17_a_proxy_is_kept_where_the_operator_can_use_it() {
        let proxied = |proxy: &str| server(&json!({"server": "https://10.0.0.1:6443", "proxy-url": proxy}));
        let endpoint = Endpoint::of(&proxied("http://proxy.example:3128"), None).unwrap();
        let kubeconfig = read(&endpoint.kubeconfig("w", "t", CA.as_bytes()).unwrap());
        assert_eq!(kubeconfig["clusters"][0]["cluster"]["proxy-url"], json!("http://proxy.example:3128/"));
        let other =
            Endpoint::of(&proxied("socks5://localhost:1080"), Some("https://vdc1:6443".to_owned())).unwrap();
        let kubeconfig = read(&other.kubeconfig("w", "t", CA.as_bytes()).unwrap());
        assert_eq!(kubeconfig["clusters"][0]["cluster"].get("proxy-url"), None);
    }

    #[test]
    fn what_the_operator_cannot_use_is_refused_with_the_mend() {
        let proxied = |proxy: &str| server(&json!({"server": "https://h", "proxy-url": proxy}));
        for (server, other) in [
            (at("http://h"), None),
            (proxied("socks5://localhost:1080"), None),
            (proxied("http://127.0.0.1:3128"), None),
            (proxied("http://[::1]:3128"), None),
            (at("https://h"), Some("h:1")),
            (at("https://h"), Some("https://a b")),
            (at("https://h"), Some("https://user:password@h")),
            (at("https://h"), Some("https://h:99999")),
        ] {
            let error = Endpoint::of(&server, other.map(str::to_owned)).map(|_| ()).unwrap_err().to_string();
            assert!(error.contains("--worker-server"), "{error}");
        }
    }
}
