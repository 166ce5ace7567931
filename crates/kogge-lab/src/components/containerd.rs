//! containerd and its network plugin.

use std::path::Path;

use serde_json::json;

use super::ConfigFile;
use crate::context::ClusterContext;
use crate::error::{LabError, Result};

const CONFIGURATION: &str = "conf/containerd.toml";

/// The image of the first process in every pod.
pub(crate) const SANDBOX_IMAGE: &str = "lab.kogge.dev/pause:1";

pub(super) fn flags(cluster: &ClusterContext) -> Vec<String> {
    vec!["--config".to_owned(), cluster.inside(CONFIGURATION), "--log-level=warn".to_owned()]
}

pub(super) fn files(cluster: &ClusterContext) -> Result<Vec<ConfigFile>> {
    let network = serde_json::to_string_pretty(&network(cluster))
        .map_err(|e| LabError::document("network configuration", e))?;
    Ok(vec![
        ConfigFile::new(CONFIGURATION, configuration(cluster)),
        ConfigFile::new("cni/net.d/10-lab.conflist", network),
    ])
}

fn configuration(cluster: &ClusterContext) -> String {
    // Without CAP_SYS_RESOURCE runc cannot lower oom_score_adj and fails unless it is told not to try.
    format!(
        r#"version = 2
root = "{root}"
state = "/run/containerd"
oom_score = 0
disabled_plugins = ["io.containerd.internal.v1.opt", "io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs"]

[grpc]
  address = "/run/containerd/containerd.sock"

[plugins."io.containerd.grpc.v1.cri"]
  restrict_oom_score_adj = true
  sandbox_image = "{SANDBOX_IMAGE}"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{plugins}"
    conf_dir = "{networks}"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    default_runtime_name = "runc"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
"#,
        root = cluster.inside("containerd"),
        plugins = plugin_folder(),
        networks = cluster.inside("cni/net.d"),
    )
}

/// Where distributions put the CNI plugins.
pub(crate) fn plugin_folder() -> &'static str {
    let folders = ["/usr/lib/cni", "/opt/cni/bin", "/usr/libexec/cni"];
    folders.into_iter().find(|folder| Path::new(folder).join("ptp").is_file()).unwrap_or(folders[0])
}

/// Pods hang on routes, not on a bridge: replies of a pod to its neighbour's service address then pass the
/// node's connection tracking on any kernel, with or without br_netfilter.
fn network(cluster: &ClusterContext) -> serde_json::Value {
    json!({
        "cniVersion": "1.0.0",
        "name": "lab",
        "plugins": [
            {
                "type": "ptp",
                "ipMasq": false,
                "ipam": {
                    "type": "host-local",
                    "dataDir": cluster.inside("cni/state/addresses"),
                    "ranges": [[{"subnet": cluster.addresses().pods.to_string()}]],
                    "routes": [{"dst": "0.0.0.0/0"}],
                },
            },
            {"type": "portmap", "capabilities": {"portMappings": true}},
        ],
    })
}
