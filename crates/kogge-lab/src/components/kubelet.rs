//! kubelet, set so that several run on one machine.

use serde_json::json;

use super::{ConfigFile, flags as render};
use crate::context::ClusterContext;
use crate::error::Result;

const CONFIGURATION: &str = "conf/kubelet.yaml";

pub(super) fn flags(cluster: &ClusterContext) -> Vec<String> {
    render([
        ("config", cluster.inside(CONFIGURATION)),
        ("kubeconfig", cluster.inside("conf/kubelet.kubeconfig")),
        ("root-dir", cluster.inside("kubelet")),
        ("cert-dir", cluster.inside("certs")),
        ("hostname-override", cluster.name().to_owned()),
        ("node-ip", cluster.addresses().node.to_string()),
        ("node-labels", format!("topology.kubernetes.io/zone={}", cluster.name())),
    ])
}

pub(super) fn files(cluster: &ClusterContext) -> Result<Vec<ConfigFile>> {
    let configuration = json!({
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "authentication": {
            "anonymous": {"enabled": false},
            "webhook": {"enabled": false},
            "x509": {"clientCAFile": cluster.inside("pki/ca.crt")},
        },
        "authorization": {"mode": "AlwaysAllow"},
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": "/",
        "cgroupsPerQOS": false,
        "enforceNodeAllocatable": [],
        "localStorageCapacityIsolation": false,
        "failSwapOn": false,
        "clusterDNS": [cluster.addresses().dns_service],
        "clusterDomain": "cluster.local",
        "resolvConf": cluster.inside("conf/resolv.conf"),
        "containerRuntimeEndpoint": "unix:///run/containerd/containerd.sock",
        "podLogsDir": "/var/log/pods",
        "volumePluginDir": cluster.inside("flexvolume"),
        "serializeImagePulls": false,
        "maxPods": 200,
        // The disk is shared with everything else on the machine: its being full is no reason to drop images.
        "imageGCHighThresholdPercent": 100,
        "imageGCLowThresholdPercent": 99,
        "evictionHard": {"memory.available": "100Mi"},
    });
    Ok(vec![
        ConfigFile::yaml(CONFIGURATION, &configuration)?,
        ConfigFile::new("conf/resolv.conf", ""),
        ConfigFile::kubeconfig(cluster, "kubelet")?,
    ])
}
