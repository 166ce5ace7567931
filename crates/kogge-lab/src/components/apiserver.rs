//! kube-apiserver, with an audit log that says who wrote what.

use serde_json::json;

use super::{ConfigFile, etcd, flags as render};
use crate::context::ClusterContext;
use crate::error::Result;
use crate::spec::Mode;

const AUDIT_POLICY: &str = "conf/audit-policy.yaml";

pub(super) fn flags(cluster: &ClusterContext) -> Vec<String> {
    let endpoints = cluster.endpoints();
    let mut flags = render([
        ("etcd-servers", etcd::url(endpoints.etcd_port)),
        ("advertise-address", endpoints.api.to_string()),
        ("bind-address", endpoints.api_bind.to_string()),
        ("secure-port", endpoints.api_port.to_string()),
        ("service-cluster-ip-range", cluster.addresses().services.to_string()),
        ("client-ca-file", cluster.inside("pki/ca.crt")),
        ("tls-cert-file", cluster.inside("pki/kube-apiserver.crt")),
        ("tls-private-key-file", cluster.inside("pki/kube-apiserver.key")),
        ("kubelet-client-certificate", cluster.inside("pki/kube-apiserver-kubelet-client.crt")),
        ("kubelet-client-key", cluster.inside("pki/kube-apiserver-kubelet-client.key")),
        // Node names resolve nowhere; exec, logs and port-forward go to addresses.
        ("kubelet-preferred-address-types", "InternalIP".to_owned()),
        ("service-account-issuer", "https://kubernetes.default.svc.cluster.local".to_owned()),
        ("service-account-key-file", cluster.inside("pki/sa.pub")),
        ("service-account-signing-key-file", cluster.inside("pki/sa.key")),
        ("authorization-mode", "Node,RBAC".to_owned()),
        ("enable-admission-plugins", "NodeRestriction".to_owned()),
        ("cert-dir", cluster.inside("certs")),
        ("audit-policy-file", cluster.inside(AUDIT_POLICY)),
        ("audit-log-path", cluster.inside("log/audit.log")),
        // In MB: the log is read as one file, so it must not be rotated.
        ("audit-log-maxsize", "4096".to_owned()),
        ("allow-privileged", "true".to_owned()),
        ("profiling", "false".to_owned()),
    ]);
    if cluster.mode() != Mode::Full {
        // Endpoints refuse loopback addresses, and nobody uses the service `kubernetes` here.
        flags.push("--endpoint-reconciler-type=none".to_owned());
    }
    flags
}

pub(super) fn files() -> Result<Vec<ConfigFile>> {
    let policy = json!({
        "apiVersion": "audit.k8s.io/v1",
        "kind": "Policy",
        "omitStages": ["RequestReceived"],
        "rules": [{"level": "Metadata"}],
    });
    Ok(vec![ConfigFile::yaml(AUDIT_POLICY, &policy)?])
}
