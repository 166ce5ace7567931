//! What the control cluster knows of a database.

use anyhow::Context as _;
use k8s_openapi::api::apps::v1::ControllerRevision;
use k8s_openapi::api::core::v1::{Namespace, Secret};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kogge_api::guarded::Undecodable;
use kogge_api::{ClusterId, OwnerRecord, WorkerCluster, labels, names};
use kogge_database::pass::Endings;
use kogge_database::secrets::DatabaseSecrets;
use kogge_database::{Named, Rival};
use kogge_engine::{Database, Engine};
use kube::api::{DynamicObject, ListParams};
use kube::{Api, CustomResourceExt as _, ResourceExt as _};

use super::Environment;
use crate::cluster::Cluster;
use crate::engines::REGISTERED;

/// Everything that a pass of the operator begins with.
pub(super) struct Known<E: Engine> {
    pub(super) resource: E::Resource,
    pub(super) workers: Vec<WorkerCluster>,
    /// WorkerClusters that cannot be decoded: the operator does without them as well.
    pub(super) undecodable: Vec<Undecodable>,
    pub(super) control_uid: String,
    pub(super) revisions: Vec<ControllerRevision>,
    pub(super) secrets: SecretsKnown,
    /// The resources that it can meet, as far as they may be listed.
    pub(super) rivals: Vec<Rival>,
    /// Whose the database is, by what is kept of it.
    pub(super) owner: OwnerRecord,
    /// What stands under the name of the administrator's Secret, without its data.
    pub(super) admin_secret: Option<Secret>,
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
    let rivals = rivals(home, &database).await?;
    let mut kept = Vec::new();
    let (revisions, secrets) = match &database.cluster_id {
        Some(id) => {
            let secret = metadata_of_secret(home, system_namespace, &DatabaseSecrets::name(id)).await?;
            kept.extend(secret.map(|secret| secret.metadata));
            (revisions(home, id, system_namespace).await?, secrets(home, id, system_namespace).await?)
        }
        None => (Vec::new(), SecretsKnown::Absent),
    };
    let owner = OwnerRecord::of(kept.iter().chain(revisions.iter().map(|revision| &revision.metadata)));
    let admin = names::admin_secret(database.name());
    let admin_secret = metadata_of_secret(home, database.namespace(), &admin).await?;
    let named_secret = named_secret(home, &database).await?;
    let endings = endings::<E>(home, &database).await?;
    Ok(Known {
        resource,
        workers,
        undecodable,
        control_uid: kube_system.uid().context("kube-system has no UID")?,
        revisions,
        secrets,
        rivals,
        owner,
        admin_secret,
        named_secret,
        endings,
        system_namespace: system_namespace.to_owned(),
        agent_image: args.agent_image.clone(),
    })
}

/// The resources of every kind that a database can meet. Those that may not be listed are not known.
async fn rivals(home: &Cluster, database: &Database) -> anyhow::Result<Vec<Rival>> {
    let mut rivals = Vec::new();
    for kind in REGISTERED {
        let resource = kind.resource();
        let resources: Api<DynamicObject> = Api::all_with(home.client(), &resource);
        let all = ListParams::default();
        let look = permitted(resources.list(&all));
        let Some(found) = home.request(&format!("list {}", resource.plural), look).await? else { continue };
        for object in found.items {
            // One that cannot be read is told of where it is looked at.
            let Ok(rival) = kind.database(&object) else { continue };
            if !rival.owner().is_same(&database.owner())
                && Rival::can_meet(Named::from(database), Named::from(&rival))
            {
                rivals.push(Rival::of(&rival));
            }
        }
    }
    Ok(rivals)
}

/// A Secret without its data; none where there is none, or where it may not be read.
async fn metadata_of_secret(home: &Cluster, namespace: &str, name: &str) -> anyhow::Result<Option<Secret>> {
    let secrets: Api<Secret> = Api::namespaced(home.client(), namespace);
    let look = permitted(secrets.get_metadata_opt(name));
    let found = home.request(&format!("read Secret {namespace}/{name}"), look).await?.flatten();
    Ok(found.map(|found| Secret { metadata: found.metadata, ..Secret::default() }))
}

/// The answer; none where it is forbidden.
async fn permitted<T>(request: impl Future<Output = kube::Result<T>>) -> kube::Result<Option<T>> {
    match request.await {
        Err(kube::Error::Api(status)) if status.code == 403 => Ok(None),
        answer => answer.map(Some),
    }
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
