//! What a pass writes in the control cluster.

use k8s_openapi::api::apps::v1::ControllerRevision;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kogge_api::{ClusterId, FINALIZER};
use kogge_database::pass::{self, Write};
use kogge_database::secrets::{ADMIN_KEYS, DatabaseSecrets};
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
        Write::Claim { id } => claim::<E>(database, id.as_ref(), context).await?,
        Write::Release => {
            let resources = control.namespaced::<E::Resource>(namespace);
            control.release(&resources, &database.metadata).await?;
        }
        Write::Revision(object) => drop(control.create(&context.own(), object.as_ref()).await?),
        Write::CreateSecrets(secrets) => {
            drop(control.create(&context.own(), &secret(database, secrets, context)?).await?);
        }
        Write::UpdateSecrets { secrets, resource_version, .. } => {
            let mut secret = secret(database, secrets, context)?;
            secret.metadata.resource_version.clone_from(resource_version);
            control
                .merge::<Secret>(&context.own(), &secret.name_any(), &over(&secret, &DatabaseSecrets::KEYS))
                .await?;
        }
        Write::Status { status, .. } => {
            let mut patch = head::<E>(database);
            patch["status"] = json!(E::with_status(resource, (**status).clone()))["status"].take();
            let resources = control.namespaced::<E::Resource>(namespace);
            control.apply_status(&resources, database.name(), &patch).await?;
        }
        Write::Admin(secret) => {
            context.recent.forget(namespace, &secret.name_any());
            let secrets = control.namespaced::<Secret>(namespace);
            if secret.metadata.resource_version.is_some() {
                control.merge(&secrets, &secret.name_any(), &over(secret, &ADMIN_KEYS)).await?;
            } else {
                // An apply would take over whatever somebody made there since.
                control.create(&secrets, secret).await?;
            }
        }
        Write::RemoveRevisions(names) => remove_revisions(names, context).await?,
        Write::Tombstone(record) => drop(control.create::<ConfigMap>(&context.own(), record).await?),
        Write::Forget { revisions, secrets, admin, tombstone } => {
            remove_revisions(revisions, context).await?;
            if let Some(name) = secrets {
                control.delete(&context.own::<Secret>(), name).await?;
            }
            if let Some(admin) = admin {
                context.recent.forget(namespace, &admin.name);
                control.delete_seen(&control.namespaced::<Secret>(namespace), admin).await?;
            }
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
    Ok(secrets.to_secret(id, &context.namespace, &database.owner()).map_err(pass::PassError::Secrets)?)
}

/// The merge patch by which a Secret holds this under the keys that are Kogge's, whoever wrote what stands there: an apply
/// would leave a key that a restored backup brought as well.
fn over(secret: &Secret, keys: &[&str]) -> Value {
    let mut patch = json!(secret);
    for key in keys {
        if patch["data"].get(key).is_none() {
            patch["data"][key] = Value::Null;
        }
    }
    patch
}

async fn claim<E: Engine>(
    database: &Database,
    id: Option<&ClusterId>,
    context: &Context,
) -> Result<(), ControlError> {
    let mut patch = head::<E>(database);
    patch["metadata"]["finalizers"] = json!([FINALIZER]);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn field_05_a_key_that_is_wanted_no_more_goes_whoever_wrote_it_and_foreign_keys_stay() {
        let secret =
            json!({"metadata": {"name": "c3-admin", "resourceVersion": "7"}, "data": {"username": "YQ=="}});
        let patch = over(&serde_json::from_value(secret).unwrap(), &["tls.crt", "username"]);
        assert_eq!(patch["data"], json!({"username": "YQ==", "tls.crt": null}));
        assert_eq!(patch["metadata"]["resourceVersion"], "7");
    }
}
