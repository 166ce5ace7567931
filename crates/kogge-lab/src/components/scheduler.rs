//! kube-scheduler.

use super::flags as render;
use crate::context::ClusterContext;

pub(super) fn flags(cluster: &ClusterContext) -> Vec<String> {
    render([
        ("kubeconfig", cluster.inside("conf/kube-scheduler.kubeconfig")),
        ("leader-elect", "false".to_owned()),
        ("bind-address", "127.0.0.1".to_owned()),
        ("cert-dir", cluster.inside("certs")),
    ])
}
