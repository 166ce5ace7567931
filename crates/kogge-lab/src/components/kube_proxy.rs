//! kube-proxy.

use super::flags as render;
use crate::context::ClusterContext;

pub(super) fn flags(cluster: &ClusterContext) -> Vec<String> {
    render([
        ("kubeconfig", cluster.inside("conf/kube-proxy.kubeconfig")),
        ("proxy-mode", "iptables".to_owned()),
        ("cluster-cidr", cluster.addresses().pods.to_string()),
        ("hostname-override", cluster.name().to_owned()),
        // Limits of connection tracking belong to the machine and cannot be set from a namespace.
        ("conntrack-max-per-core", "0".to_owned()),
        ("conntrack-tcp-timeout-established", "0s".to_owned()),
        ("conntrack-tcp-timeout-close-wait", "0s".to_owned()),
        ("healthz-bind-address", "127.0.0.1:10256".to_owned()),
    ])
}
