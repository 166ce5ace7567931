//! What the control cluster knows of a database.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, bail};
use k8s_openapi::api::apps::v1::ControllerRevision;
use k8s_openapi::api::core::v1::{Namespace, Secret};
use kogge_api::{ClusterId, FederatedCluster, WorkerCluster, labels};
use kogge_federated_cluster::revisions::Kept;
use kogge_federated_cluster::secrets::DatabaseSecrets;
use kube::api::ListParams;
use kube::{Api, ResourceExt as _};

use super::Args;
use crate::cluster::Cluster;

/// Everything that a pass of the operator begins with.
pub(super) struct Known {
    pub(super) cluster: FederatedCluster,
    pub(super) workers: Vec<WorkerCluster>,
    pub(super) control_uid: String,
    pub(super) kept: Kept,
    pub(super) secrets: Option<DatabaseSecrets>,
}

impl Known {
    /// The oldest Kubernetes version among the workers, such as `1.34.4`.
    pub(super) fn oldest_version(&self) -> String {
        let versions = self.workers.iter().filter_map(|worker| worker.status.as_ref()?.version.clone());
        let numbers = |version: &str| -> Vec<u32> {
            version.split(['.', '-', '+']).map_while(|part| part.parse().ok()).collect()
        };
        versions
            .map(|version| version.trim_start_matches('v').to_owned())
            .min_by_key(|version| numbers(version))
            .unwrap_or_default()
    }
}

pub(super) async fn read(home: &Cluster, args: &Args, system_namespace: &str) -> anyhow::Result<Known> {
    let namespaces: Api<Namespace> = Api::all(home.client());
    let kube_system = home.request("read the namespace kube-system", namespaces.get("kube-system")).await?;
    let clusters: Api<FederatedCluster> = Api::namespaced(home.client(), &args.namespace);
    let what = format!("read FederatedCluster {}/{}", args.namespace, args.name);
    let present = home.request(&what, clusters.get_opt(&args.name)).await?;
    let cluster = match (&args.file, present) {
        (Some(file), present) => changed(manifest(file, &args.name)?, present, &args.namespace),
        (None, Some(present)) => present,
        (None, None) => bail!(
            "there is no FederatedCluster {}/{}; name another with --namespace, or plan a manifest with --file",
            args.namespace,
            args.name
        ),
    };
    let workers: Api<WorkerCluster> = Api::all(home.client());
    let workers = home.request("list WorkerClusters", workers.list(&ListParams::default())).await?.items;
    let (kept, secrets) = match &cluster.spec.cluster_id {
        Some(id) => (kept(home, id, system_namespace).await?, secrets(home, id, system_namespace).await?),
        None => (Kept::default(), None),
    };
    Ok(Known {
        cluster,
        workers,
        control_uid: kube_system.uid().context("kube-system has no UID")?,
        kept,
        secrets,
    })
}

/// The FederatedCluster of a file of manifests.
fn manifest(file: &Path, name: &str) -> anyhow::Result<FederatedCluster> {
    let text = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let documents: Vec<serde_json::Value> =
        serde_saphyr::from_multiple(&text).with_context(|| format!("{} is no YAML", file.display()))?;
    let document = documents
        .into_iter()
        .find(|document| document["kind"] == "FederatedCluster" && document["metadata"]["name"] == name)
        .with_context(|| format!("{} holds no FederatedCluster {name}", file.display()))?;
    serde_json::from_value(document).with_context(|| format!("the FederatedCluster in {}", file.display()))
}

/// What is there, with the spec of the manifest; what Kogge filled in stays.
fn changed(manifest: FederatedCluster, present: Option<FederatedCluster>, namespace: &str) -> FederatedCluster {
    let Some(mut cluster) = present else {
        let mut cluster = manifest;
        cluster.metadata.namespace = Some(namespace.to_owned());
        return cluster;
    };
    let id = manifest.spec.cluster_id.clone().or_else(|| cluster.spec.cluster_id.clone());
    cluster.spec = manifest.spec;
    cluster.spec.cluster_id = id;
    cluster
}

async fn kept(home: &Cluster, id: &ClusterId, system_namespace: &str) -> anyhow::Result<Kept> {
    let revisions: Api<ControllerRevision> = Api::namespaced(home.client(), system_namespace);
    let selector = format!("{}={id},{}=revision", labels::CLUSTER_ID, labels::ROLE);
    let labelled = ListParams::default().labels(&selector);
    let stored = home.request("list the kept revisions", revisions.list(&labelled)).await?.items;
    Kept::read(&stored).context("the kept revisions cannot be read")
}

async fn secrets(
    home: &Cluster,
    id: &ClusterId,
    system_namespace: &str,
) -> anyhow::Result<Option<DatabaseSecrets>> {
    let name = DatabaseSecrets::name(id);
    let secrets: Api<Secret> = Api::namespaced(home.client(), system_namespace);
    let secret = home.request(&format!("read Secret {system_namespace}/{name}"), secrets.get_opt(&name)).await?;
    Ok(secret.as_ref().map(DatabaseSecrets::read).transpose()?)
}
