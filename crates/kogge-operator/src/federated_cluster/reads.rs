//! What a pass reads in the control cluster.

use std::sync::Arc;

use k8s_openapi::api::apps::v1::ControllerRevision;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Secret};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kogge_api::{FederatedCluster, labels};
use kogge_federated_cluster::pass::{ControlState, Endings, Held, Read, Revisions};
use kogge_federated_cluster::report::Problem;
use kogge_federated_cluster::revisions::Kept;
use kube::{CustomResourceExt as _, ResourceExt as _};

use super::pass::PassError;
use crate::context::Context;

/// Reads into what is known.
pub(super) async fn read(
    cluster: &FederatedCluster,
    what: &Read,
    known: &mut ControlState,
    context: &Context,
) -> Result<(), PassError> {
    let namespace = cluster.namespace().unwrap_or_default();
    let beside = context.control.namespaced::<Secret>(&namespace);
    match what {
        Read::Revisions(id) => {
            let selector = format!("{}={id},{}=revision", labels::CLUSTER_ID, labels::ROLE);
            let stored = context.control.list(&context.own::<ControllerRevision>(), &selector).await?;
            known.revisions = Some(Revisions {
                names: stored.iter().map(ControllerRevision::name_any).collect(),
                kept: Kept::read(&stored).map(Arc::new).map_err(Problem::from),
            });
        }
        Read::Secrets(name) => {
            let secret = context.control.get(&context.own::<Secret>(), name).await?;
            known.secrets = Some(secret.as_ref().map(Held::read).transpose()?);
        }
        Read::NamedSecret(name) => known.named_secret = Some(context.control.get(&beside, name).await?),
        Read::AdminSecret(name) => known.admin_secret = Some(context.control.get(&beside, name).await?),
        Read::Endings => known.endings = Some(endings(&namespace, context).await?),
        Read::Tombstone(name) => {
            let found = context.control.get(&context.own::<ConfigMap>(), name).await?;
            known.tombstone = Some(found.is_some());
        }
    }
    Ok(())
}

async fn endings(namespace: &str, context: &Context) -> Result<Endings, PassError> {
    let ends = |metadata: &ObjectMeta| metadata.deletion_timestamp.is_some();
    let found = context.control.get(&context.control.cluster_wide::<Namespace>(), namespace).await?;
    let namespace = found.is_some_and(|namespace| ends(&namespace.metadata));
    let definitions = context.control.cluster_wide::<CustomResourceDefinition>();
    let found = context.control.get(&definitions, FederatedCluster::crd_name()).await?;
    Ok(Endings { namespace, definition: found.is_some_and(|definition| ends(&definition.metadata)) })
}
