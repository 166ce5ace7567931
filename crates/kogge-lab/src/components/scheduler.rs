//! kube-scheduler.

use super::flags as render;
use crate::context::ClusterContext;

pub(super) fn flags(cluster: &ClusterContext) -> Vec<String> {
    render([
        ("kubeconfig", cluster.inside("conf/kube-scheduler.kubeconfig")),
        ("leader-elect", "false".to_owned()),
        ("bind-address", "127.0.0.1".to_owned()),
        ("cert-dir", cluster.inside("certs")),
        // A claim that is bound while its pod is being judged unschedulable is missed now and then (seen once in
        // some hundred pods), and the pod would then wait for the usual five minutes.
        ("pod-max-in-unschedulable-pods-duration", "5s".to_owned()),
    ])
}
