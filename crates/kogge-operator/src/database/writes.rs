//! What a pass writes in the control cluster.

use k8s_openapi::api::apps::v1::ControllerRevision;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kogge_api::{ClusterId, FINALIZER};
use kogge_database::pass::{self, Write};
use kogge_database::secrets::DatabaseSecrets;
use kogge_engine::{Database, Engine};
use kube::{Resource as _, ResourceExt as _};
use serde_json::{Value, json};

use super::pass::PassError;
use crate::context::Context;
use crate::control::ControlError;

/// Now, for people.
pub(super) fn now() -> Time {
    Time(k8s_openapi::jiff::Timestamp::now())
}

/// Writes.
pub(super) async fn write<E: Engine>(
    resource: &E::Resource,
    database: &Database,
    write: &Write,
    context: &Context,
) -> Result<(), PassError> {
    let control = &context.control;
    let namespace = database.namespace();
    match write {
        Write::Claim { id } => claim::<E>(database, Some(FINALIZER), id.as_ref(), context).await?,
        Write::Release => claim::<E>(database, None, database.cluster_id.as_ref(), context).await?,
        Write::Revision(object) => drop(control.create(&context.own(), object.as_ref()).await?),
        Write::CreateSecrets(secrets) => {
            drop(control.create(&context.own(), &secret(database, secrets, context)?).await?);
        }
        Write::UpdateSecrets { secrets, resource_version, .. } => {
            let mut secret = secret(database, secrets, context)?;
            secret.metadata.resource_version.clone_from(resource_version);
            control.apply::<Secret>(&context.own(), &secret.name_any(), &secret).await?;
        }
        Write::Status { status, .. } => {
            let mut patch = head::<E>(database);
            patch["status"] = json!(E::with_status(resource, (**status).clone()))["status"].take();
            let resources = control.namespaced::<E::Resource>(namespace);
            control.apply_status(&resources, database.name(), &patch).await?;
        }
        Write::Admin(secret) => {
            context.recent.forget(namespace, &secret.name_any());
            control.apply(&control.namespaced::<Secret>(namespace), &secret.name_any(), secret).await?;
        }
        Write::RemoveRevisions(names) => remove_revisions(names, context).await?,
        Write::Tombstone(record) => drop(control.create::<ConfigMap>(&context.own(), record).await?),
        Write::Forget { revisions, secrets, admin, tombstone } => {
            remove_revisions(revisions, context).await?;
            if let Some(name) = secrets {
                control.delete(&context.own::<Secret>(), name).await?;
            }
            context.recent.forget(namespace, admin);
            control.delete(&control.namespaced::<Secret>(namespace), admin).await?;
            control.delete(&context.own::<ConfigMap>(), tombstone).await?;
        }
    }
    Ok(())
}

async fn remove_revisions(names: &[String], context: &Context) -> Result<(), ControlError> {
    for name in names {
        context.control.delete(&context.own::<ControllerRevision>(), name).await?;
    }
    Ok(())
}

fn secret(database: &Database, secrets: &DatabaseSecrets, context: &Context) -> Result<Secret, PassError> {
    let id = database.cluster_id.as_ref().ok_or(pass::PassError::NoClusterId)?;
    Ok(secrets.to_secret(id, &context.namespace).map_err(pass::PassError::Secrets)?)
}

async fn claim<E: Engine>(
    database: &Database,
    finalizer: Option<&str>,
    id: Option<&ClusterId>,
    context: &Context,
) -> Result<(), ControlError> {
    let mut patch = head::<E>(database);
    patch["metadata"]["finalizers"] = json!(finalizer.into_iter().collect::<Vec<_>>());
    if let Some(id) = id {
        patch["spec"] = json!({ "clusterID": id });
    }
    let resources = context.control.namespaced::<E::Resource>(database.namespace());
    context.control.apply(&resources, database.name(), &patch).await.map(drop)
}

/// The head of a server-side apply to the resource, guarded by what was read of it.
fn head<E: Engine>(database: &Database) -> Value {
    json!({
        "apiVersion": E::Resource::api_version(&()),
        "kind": E::Resource::kind(&()),
        "metadata": {
            "name": database.name(),
            "namespace": database.namespace(),
            "uid": database.metadata.uid,
            "resourceVersion": database.metadata.resource_version,
        },
    })
}
