//! Keeping what a person needs to understand a failure: objects, events, and logs of components and pods.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use kube::api::{Api, ApiResource, DynamicObject, GroupVersionKind, ListParams};
use kube::{Client, ResourceExt};

use crate::cluster::Cluster;
use crate::command::blocking;
use crate::error::{IoContext, LabError, Result};
use crate::lab::Lab;
use crate::record::base_folder;

const LIST_DEADLINE: Duration = Duration::from_secs(10);

/// Group, version and kind of what is kept. Secrets are not.
const KINDS: [(&str, &str, &str); 13] = [
    ("", "v1", "Node"),
    ("", "v1", "Pod"),
    ("", "v1", "Service"),
    ("", "v1", "ConfigMap"),
    ("", "v1", "PersistentVolumeClaim"),
    ("", "v1", "PersistentVolume"),
    ("", "v1", "Event"),
    ("apps", "v1", "Deployment"),
    ("apps", "v1", "StatefulSet"),
    ("discovery.k8s.io", "v1", "EndpointSlice"),
    ("coordination.k8s.io", "v1", "Lease"),
    ("kogge.dev", "v1alpha1", "WorkerCluster"),
    ("kogge.dev", "v1alpha1", "FederatedCluster"),
];

impl Lab {
    /// Writes objects, events and logs of all clusters into a folder named after the test, and returns the folder.
    /// What cannot be had is named in a file `missing.txt` there.
    pub async fn collect(&self, test: &str) -> Result<PathBuf> {
        let name: String =
            test.chars().map(|c| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '_' }).collect();
        let folder = base_folder().join(name.trim_start_matches('.'));
        if self.own().is_ok_and(|lab| lab.record.folder == folder) {
            return Err(LabError::Invalid(format!("a test cannot be named like the lab it uses ({test})")));
        }
        let mut missing = Vec::new();
        for cluster in self.clusters() {
            let target = folder.join(cluster.name());
            fs::create_dir_all(&target).context(|| format!("create {}", target.display()))?;
            let client = cluster.client().await?;
            for (group, version, kind) in KINDS {
                if let Err(e) = write_objects(&client, &target, GroupVersionKind::gvk(group, version, kind)).await
                {
                    missing.push(format!("{}: {kind}: {e}", cluster.name()));
                }
            }
            missing
                .extend(copy_logs(cluster, &target).await.err().map(|e| format!("{}: logs: {e}", cluster.name())));
        }
        let list = folder.join("missing.txt");
        fs::write(&list, missing.join("\n")).context(|| format!("write {}", list.display()))?;
        tracing::info!("objects and logs are kept in {}", folder.display());
        Ok(folder)
    }
}

async fn write_objects(client: &Client, folder: &Path, kind: GroupVersionKind) -> anyhow::Result<()> {
    let resource = ApiResource::from_gvk(&kind);
    let api: Api<DynamicObject> = Api::all_with(client.clone(), &resource);
    let mut objects = match tokio::time::timeout(LIST_DEADLINE, api.list(&ListParams::default())).await? {
        Ok(list) => list.items,
        // The cluster does not know the kind.
        Err(kube::Error::Api(status)) if status.code == 404 => return Ok(()),
        Err(e) => return Err(e.into()),
    };
    for object in &mut objects {
        object.managed_fields_mut().clear();
    }
    fs::write(folder.join(format!("{}.yaml", resource.plural)), serde_saphyr::to_string(&objects)?)?;
    Ok(())
}

async fn copy_logs(cluster: &Cluster, folder: &Path) -> Result<()> {
    let Ok(context) = cluster.own() else { return Ok(()) };
    let (logs, pods) = (context.disk().join("log"), context.disk().join("var-log/pods"));
    let folder = folder.to_owned();
    blocking(move || {
        copy_folder(&logs, &folder.join("components"))?;
        copy_folder(&pods, &folder.join("pods"))
    })
    .await
}

fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    if !from.is_dir() {
        return Ok(());
    }
    fs::create_dir_all(to).context(|| format!("create {}", to.display()))?;
    for entry in fs::read_dir(from).context(|| format!("read {}", from.display()))?.flatten() {
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        if source.is_dir() {
            copy_folder(&source, &target)?;
        } else if source.is_file() {
            fs::copy(&source, &target).context(|| format!("copy {}", source.display()))?;
        }
    }
    Ok(())
}
