//! Faults of single pods.

use std::collections::BTreeSet;
use std::fs;

use k8s_openapi::api::core::v1::Pod;
use kube::Api;

use crate::cluster::Cluster;
use crate::command::blocking;
use crate::error::{LabError, Result};
use crate::process::{ProcessIdentity, ProcessTable, kill_and_wait};

/// Kills the processes of all containers of a pod.
pub(super) async fn kill(cluster: &Cluster, namespace: &str, pod: &str) -> Result<()> {
    let pods: Api<Pod> = Api::namespaced(cluster.client().await?, namespace);
    let found = pods.get(pod).await.map_err(|e| LabError::kube(cluster.name(), e))?;
    let groups: BTreeSet<String> = container_ids(&found).map(|id| format!("/k8s.io/{id}")).collect();
    let what = format!("{}: pod {namespace}/{pod} has no running container", cluster.name());
    blocking(move || {
        let table = ProcessTable::read()?;
        let processes: Vec<_> = table.all().filter(|p| in_group(*p, &groups)).collect();
        if processes.is_empty() {
            return Err(LabError::Invalid(what));
        }
        kill_and_wait(&processes)
    })
    .await
}

/// The ids of the pod's running containers, without the runtime's name.
fn container_ids(pod: &Pod) -> impl Iterator<Item = &str> {
    let statuses = pod.status.iter().flat_map(|s| s.container_statuses.iter().flatten());
    let running = statuses.filter(|s| s.state.as_ref().is_some_and(|state| state.running.is_some()));
    running.filter_map(|s| s.container_id.as_deref()?.split_once("://").map(|(_, id)| id))
}

fn in_group(process: ProcessIdentity, groups: &BTreeSet<String>) -> bool {
    let text = fs::read_to_string(format!("/proc/{}/cgroup", process.pid)).unwrap_or_default();
    text.lines().filter_map(|line| line.splitn(3, ':').nth(2)).any(|path| groups.contains(path))
}
