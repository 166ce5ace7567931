//! kube-controller-manager, with the host-path provisioner for PersistentVolumes.

use super::flags as render;
use crate::context::ClusterContext;

pub(super) fn flags(cluster: &ClusterContext) -> Vec<String> {
    render([
        ("kubeconfig", cluster.inside("conf/kube-controller-manager.kubeconfig")),
        ("service-account-private-key-file", cluster.inside("pki/sa.key")),
        ("root-ca-file", cluster.inside("pki/ca.crt")),
        ("cluster-signing-cert-file", cluster.inside("pki/ca.crt")),
        ("cluster-signing-key-file", cluster.inside("pki/ca.key")),
        ("use-service-account-credentials", "true".to_owned()),
        // Writes to /tmp/hostpath_pv, which in a node is a folder of the cluster's own disk.
        ("enable-hostpath-provisioner", "true".to_owned()),
        ("flex-volume-plugin-dir", cluster.inside("flexvolume")),
        ("allocate-node-cidrs", "false".to_owned()),
        ("leader-elect", "false".to_owned()),
        ("cluster-name", cluster.name().to_owned()),
        ("bind-address", "127.0.0.1".to_owned()),
        ("secure-port", cluster.endpoints().controller_manager_port.to_string()),
        ("cert-dir", cluster.inside("certs")),
        ("profiling", "false".to_owned()),
    ])
}
