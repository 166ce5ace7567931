//! What the control cluster knows of a database.

use anyhow::Context as _;
use k8s_openapi::api::apps::v1::ControllerRevision;
use k8s_openapi::api::core::v1::{Namespace, Secret};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kogge_api::guarded::Undecodable;
use kogge_api::{ClusterId, WorkerCluster, labels};
use kogge_database::pass::Endings;
use kogge_database::secrets::DatabaseSecrets;
use kogge_engine::{Database, Engine};
use kube::api::ListParams;
use kube::{Api, CustomResourceExt as _, ResourceExt as _};

use super::Environment;
use crate::cluster::Cluster;

/// Everything that a pass of the operator begins with.
pub(super) struct Known<E: Engine> {
    pub(super) resource: E::Resource,
    pub(super) workers: Vec<WorkerCluster>,
    /// WorkerClusters that cannot be decoded: the operator does without them as well.
    pub(super) undecodable: Vec<Undecodable>,
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

pub(super) async fn read<E: Engine>(
    resource: E::Resource,
    environment: &Environment<'_>,
) -> anyhow::Result<Known<E>> {
    let Environment { home, args, system_namespace } = *environment;
    let namespaces: Api<Namespace> = Api::all(home.client());
    let kube_system = home.request("read the namespace kube-system", namespaces.get("kube-system")).await?;
    let (workers, undecodable) = home.worker_clusters().await?;
    let database = E::database(&resource);
    let (revisions, secrets) = match &database.cluster_id {
        Some(id) => (revisions(home, id, system_namespace).await?, secrets(home, id, system_namespace).await?),
        None => (Vec::new(), SecretsKnown::Absent),
    };
    let named_secret = named_secret(home, &database).await?;
    let endings = endings::<E>(home, &database).await?;
    Ok(Known {
        resource,
        workers,
        undecodable,
        control_uid: kube_system.uid().context("kube-system has no UID")?,
        revisions,
        secrets,
        named_secret,
        endings,
        system_namespace: system_namespace.to_owned(),
        agent_image: args.agent_image.clone(),
    })
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

async fn named_secret(home: &Cluster, database: &Database) -> anyhow::Result<Option<Secret>> {
    let Some(named) = &database.security.tls.secret_ref else { return Ok(None) };
    let namespace = database.namespace();
    let secrets: Api<Secret> = Api::namespaced(home.client(), namespace);
    let what = format!("read Secret {namespace}/{}, which spec.security.tls.secretRef names", named.name);
    home.request(&what, secrets.get_opt(&named.name)).await
}

/// What halts a deletion; it only matters where one is under way.
async fn endings<E: Engine>(home: &Cluster, database: &Database) -> anyhow::Result<Endings> {
    if database.metadata.deletion_timestamp.is_none() {
        return Ok(Endings::default());
    }
    let ends = |metadata: &ObjectMeta| metadata.deletion_timestamp.is_some();
    let name = database.namespace();
    let namespaces: Api<Namespace> = Api::all(home.client());
    let namespace = home.request(&format!("read the namespace {name}"), namespaces.get_opt(name)).await?;
    let name = E::Resource::crd_name();
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
