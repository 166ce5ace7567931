//! What the control cluster knows of a database.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, bail};
use k8s_openapi::api::apps::v1::ControllerRevision;
use k8s_openapi::api::core::v1::{Namespace, Secret};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kogge_api::{ClusterId, FederatedCluster, WorkerCluster, labels};
use kogge_database::pass::Endings;
use kogge_database::secrets::DatabaseSecrets;
use kube::api::{ListParams, PostParams};
use kube::{Api, CustomResourceExt as _, ResourceExt as _};

use super::Subject;
use crate::cluster::Cluster;

/// Everything that a pass of the operator begins with.
pub(super) struct Known {
    pub(super) cluster: FederatedCluster,
    pub(super) workers: Vec<WorkerCluster>,
    pub(super) control_uid: String,
    pub(super) revisions: Vec<ControllerRevision>,
    pub(super) secrets: SecretsKnown,
    /// The Secret that `spec.security.tls.secretRef` names, if it is there.
    pub(super) named_secret: Option<Secret>,
    pub(super) endings: Endings,
    pub(super) system_namespace: String,
    pub(super) agent_image: String,
}

/// What is known of a database's secrets.
pub(super) enum SecretsKnown {
    /// They were read.
    Read(Box<DatabaseSecrets>),
    /// There are none.
    Absent,
    /// They may not be read; the message says who may not.
    Unreadable(String),
}

pub(super) async fn read(
    home: &Cluster,
    subject: Subject<'_>,
    agent_image: &str,
    system_namespace: &str,
) -> anyhow::Result<Known> {
    let namespaces: Api<Namespace> = Api::all(home.client());
    let kube_system = home.request("read the namespace kube-system", namespaces.get("kube-system")).await?;
    let cluster = wanted(home, subject).await?;
    let workers: Api<WorkerCluster> = Api::all(home.client());
    let workers = home.request("list WorkerClusters", workers.list(&ListParams::default())).await?.items;
    let (revisions, secrets) = match &cluster.spec.cluster_id {
        Some(id) => (revisions(home, id, system_namespace).await?, secrets(home, id, system_namespace).await?),
        None => (Vec::new(), SecretsKnown::Absent),
    };
    let named_secret = named_secret(home, &cluster).await?;
    let endings = endings(home, &cluster).await?;
    Ok(Known {
        cluster,
        workers,
        control_uid: kube_system.uid().context("kube-system has no UID")?,
        revisions,
        secrets,
        named_secret,
        endings,
        system_namespace: system_namespace.to_owned(),
        agent_image: agent_image.to_owned(),
    })
}

/// The FederatedCluster as it is, or as a manifest would make it.
async fn wanted(home: &Cluster, subject: Subject<'_>) -> anyhow::Result<FederatedCluster> {
    let clusters: Api<FederatedCluster> = Api::namespaced(home.client(), subject.namespace);
    let what = format!("read FederatedCluster {}/{}", subject.namespace, subject.name);
    let present = home.request(&what, clusters.get_opt(subject.name)).await?;
    let Some(file) = subject.file else {
        return present.with_context(|| {
            format!(
                "there is no FederatedCluster {}/{}; name another with --namespace, or plan a manifest with --file",
                subject.namespace, subject.name
            )
        });
    };
    let manifest = manifest(file, subject.name, subject.namespace)?;
    // The API server fills in defaults and applies its rules, and stores nothing.
    let dry_run = PostParams { dry_run: true, ..PostParams::default() };
    let what = format!("lay {} over {}/{}", file.display(), subject.namespace, subject.name);
    match present {
        None => home.request(&what, clusters.create(&dry_run, &manifest)).await,
        Some(present) => {
            let changed = laid_over(manifest, present);
            home.request(&what, clusters.replace(subject.name, &dry_run, &changed)).await
        }
    }
}

/// The FederatedCluster of a file of manifests.
fn manifest(file: &Path, name: &str, namespace: &str) -> anyhow::Result<FederatedCluster> {
    let text = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let documents: Vec<serde_json::Value> =
        serde_saphyr::from_multiple(&text).with_context(|| format!("{} is no YAML", file.display()))?;
    let document = documents
        .into_iter()
        .find(|document| document["kind"] == "FederatedCluster" && document["metadata"]["name"] == name)
        .with_context(|| format!("{} holds no FederatedCluster {name}", file.display()))?;
    let mut cluster: FederatedCluster =
        serde_json::from_value(document).with_context(|| format!("the FederatedCluster in {}", file.display()))?;
    match cluster.metadata.namespace.get_or_insert_with(|| namespace.to_owned()) {
        given if given == namespace => Ok(cluster),
        given => bail!("{} puts {name} into namespace {given}; give --namespace {given}", file.display()),
    }
}

/// What is there, with the spec of the manifest; what Kogge filled in stays.
fn laid_over(manifest: FederatedCluster, present: FederatedCluster) -> FederatedCluster {
    let mut cluster = present;
    let id = manifest.spec.cluster_id.clone().or_else(|| cluster.spec.cluster_id.clone());
    cluster.spec = manifest.spec;
    cluster.spec.cluster_id = id;
    let annotations = manifest.metadata.annotations.unwrap_or_default();
    cluster.metadata.annotations.get_or_insert_default().extend(annotations);
    cluster
}

async fn revisions(
    home: &Cluster,
    id: &ClusterId,
    system_namespace: &str,
) -> anyhow::Result<Vec<ControllerRevision>> {
    let revisions: Api<ControllerRevision> = Api::namespaced(home.client(), system_namespace);
    let selector = format!("{}={id},{}=revision", labels::CLUSTER_ID, labels::ROLE);
    let labelled = ListParams::default().labels(&selector);
    Ok(home.request("list the kept revisions", revisions.list(&labelled)).await?.items)
}

async fn named_secret(home: &Cluster, cluster: &FederatedCluster) -> anyhow::Result<Option<Secret>> {
    let Some(named) = &cluster.spec.security.tls.secret_ref else { return Ok(None) };
    let namespace = cluster.namespace().unwrap_or_default();
    let secrets: Api<Secret> = Api::namespaced(home.client(), &namespace);
    let what = format!("read Secret {namespace}/{}, which spec.security.tls.secretRef names", named.name);
    home.request(&what, secrets.get_opt(&named.name)).await
}

/// What halts a deletion; it only matters where one is under way.
async fn endings(home: &Cluster, cluster: &FederatedCluster) -> anyhow::Result<Endings> {
    if cluster.metadata.deletion_timestamp.is_none() {
        return Ok(Endings::default());
    }
    let ends = |metadata: &ObjectMeta| metadata.deletion_timestamp.is_some();
    let name = cluster.namespace().unwrap_or_default();
    let namespaces: Api<Namespace> = Api::all(home.client());
    let namespace = home.request(&format!("read the namespace {name}"), namespaces.get_opt(&name)).await?;
    let name = FederatedCluster::crd_name();
    let definitions: Api<CustomResourceDefinition> = Api::all(home.client());
    let definition = home.request(&format!("read the definition {name}"), definitions.get_opt(name)).await?;
    Ok(Endings {
        namespace: namespace.is_some_and(|namespace| ends(&namespace.metadata)),
        definition: definition.is_some_and(|definition| ends(&definition.metadata)),
    })
}

async fn secrets(home: &Cluster, id: &ClusterId, system_namespace: &str) -> anyhow::Result<SecretsKnown> {
    let name = DatabaseSecrets::name(id);
    let secrets: Api<Secret> = Api::namespaced(home.client(), system_namespace);
    let look = async {
        match secrets.get_opt(&name).await {
            Err(kube::Error::Api(status)) if status.code == 403 => Ok(Err(status.message.clone())),
            answer => answer.map(Ok),
        }
    };
    Ok(match home.request(&format!("read Secret {system_namespace}/{name}"), look).await? {
        Ok(Some(secret)) => SecretsKnown::Read(Box::new(DatabaseSecrets::read(&secret)?)),
        Ok(None) => SecretsKnown::Absent,
        Err(forbidden) => SecretsKnown::Unreadable(forbidden),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// A FederatedCluster with these data centres.
    fn cluster(cluster_id: Option<&str>, vdcs: &[&str]) -> FederatedCluster {
        let placement: Vec<_> = vdcs.iter().map(|vdc| json!({ "name": vdc, "vdc": vdc })).collect();
        serde_json::from_value(json!({
            "apiVersion": "kogge.dev/v1alpha1",
            "kind": "FederatedCluster",
            "metadata": { "name": "db", "namespace": "databases" },
            "spec": { "clusterID": cluster_id, "placement": placement },
        }))
        .unwrap()
    }

    #[test]
    fn a_manifest_without_a_cluster_id_keeps_the_one_that_is_there() {
        let changed = laid_over(cluster(None, &["north", "south"]), cluster(Some("abcdefgh"), &["north"]));
        assert_eq!(changed.spec.cluster_id.unwrap().as_str(), "abcdefgh");
        assert_eq!(changed.spec.placement.len(), 2);
    }
}
