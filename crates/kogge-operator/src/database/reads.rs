//! What a pass reads in the control cluster.

use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Secret};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kogge_api::{ClusterId, OwnerRecord};
use kogge_database::pass::{ControlState, Endings, Held, Read};
use kogge_database::secrets::DatabaseSecrets;
use kogge_engine::{Database, Engine};
use kube::CustomResourceExt as _;

use super::pass::PassError;
use crate::context::Context;

/// Reads into what is known.
pub(super) async fn read<E: Engine>(
    database: &Database,
    what: &Read,
    known: &mut ControlState,
    context: &Context,
) -> Result<(), PassError> {
    let namespace = database.namespace();
    match what {
        Read::Owner(id) => known.owner = Some(owner(id, context)),
        Read::Revisions(id) => {
            known.revisions = Some(context.unpacked.of(id, &context.revisions.of(id)));
        }
        Read::Secrets(id) => {
            let secret = context.secrets.named(id, &DatabaseSecrets::name(id));
            known.secrets = Some(secret.as_deref().map(Held::read).transpose()?);
        }
        Read::NamedSecret(name) => known.named_secret = Some(beside(namespace, name, context).await?),
        Read::AdminSecret(name) => known.admin_secret = Some(beside(namespace, name, context).await?),
        Read::Endings => known.endings = Some(endings::<E>(namespace, context).await?),
        Read::Tombstone(name) => {
            let found = context.control.get(&context.own::<ConfigMap>(), name).await?;
            known.tombstone = Some(found.is_some());
        }
    }
    Ok(())
}

/// Whose a database is, by what is kept of it: its Secret first, for there is one of it alone.
fn owner(id: &ClusterId, context: &Context) -> OwnerRecord {
    let secret = context.secrets.named(id, &DatabaseSecrets::name(id));
    let revisions = context.revisions.of(id);
    let kept = secret.iter().map(|secret| &secret.metadata);
    OwnerRecord::of(kept.chain(revisions.iter().map(|revision| &revision.metadata)))
}

/// A Secret beside the resource.
async fn beside(namespace: &str, name: &str, context: &Context) -> Result<Option<Secret>, PassError> {
    let secrets = context.control.namespaced::<Secret>(namespace);
    Ok(context.recent.get(namespace, name, context.control.get(&secrets, name)).await?)
}

async fn endings<E: Engine>(namespace: &str, context: &Context) -> Result<Endings, PassError> {
    let ends = |metadata: &ObjectMeta| metadata.deletion_timestamp.is_some();
    let found = context.control.get(&context.control.cluster_wide::<Namespace>(), namespace).await?;
    let namespace = found.is_some_and(|namespace| ends(&namespace.metadata));
    let definitions = context.control.cluster_wide::<CustomResourceDefinition>();
    let found = context.control.get(&definitions, E::Resource::crd_name()).await?;
    Ok(Endings { namespace, definition: found.is_some_and(|definition| ends(&definition.metadata)) })
}
