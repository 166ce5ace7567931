//! Faults of the disks behind volumes.

use std::fs;
use std::path::{Path, PathBuf};

use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim, Pod};
use kube::Api;

use crate::cluster::Cluster;
use crate::command::blocking;
use crate::context::ClusterContext;
use crate::error::{IoContext, LabError, Result};

/// Removes what is on the volumes that a pod claims. Files that a process holds open live on until it ends.
pub(super) async fn wipe(cluster: &Cluster, context: &ClusterContext, namespace: &str, pod: &str) -> Result<()> {
    let mut folders = Vec::new();
    for path in paths(cluster, namespace, pod).await? {
        // The node's /tmp is a folder of the cluster's own disk.
        let inside = path.strip_prefix("/tmp/").map_err(|_| {
            LabError::Invalid(format!(
                "{}: volume {} is not one that the lab made",
                cluster.name(),
                path.display()
            ))
        })?;
        folders.push(context.disk().join("tmp").join(inside));
    }
    if folders.is_empty() {
        return Err(LabError::Invalid(format!("{}: pod {namespace}/{pod} claims no volume", cluster.name())));
    }
    blocking(move || folders.iter().try_for_each(|folder| empty(folder))).await
}

/// Where the volumes of a pod are, as its node sees it.
async fn paths(cluster: &Cluster, namespace: &str, pod: &str) -> Result<Vec<PathBuf>> {
    let client = cluster.client().await?;
    let failed = |error| LabError::kube(cluster.name(), error);
    let found: Pod = Api::namespaced(client.clone(), namespace).get(pod).await.map_err(failed)?;
    let claims: Api<PersistentVolumeClaim> = Api::namespaced(client.clone(), namespace);
    let volumes: Api<PersistentVolume> = Api::all(client);
    let claimed = found.spec.iter().flat_map(|spec| spec.volumes.iter().flatten());
    let mut paths = Vec::new();
    for claim in claimed.filter_map(|volume| volume.persistent_volume_claim.as_ref()) {
        let claim = claims.get(&claim.claim_name).await.map_err(failed)?;
        let Some(volume) = claim.spec.and_then(|spec| spec.volume_name) else { continue };
        let volume = volumes.get(&volume).await.map_err(failed)?;
        paths.extend(volume.spec.and_then(|spec| spec.host_path).map(|path| PathBuf::from(path.path)));
    }
    Ok(paths)
}

fn empty(folder: &Path) -> Result<()> {
    let emptying = || format!("empty {}", folder.display());
    for entry in fs::read_dir(folder).context(emptying)? {
        let path = entry.context(emptying)?.path();
        let removed = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        removed.context(emptying)?;
    }
    Ok(())
}
