//! What makes a resource ours: the finalizer and the clusterID.

use kogge_api::{ClusterId, FINALIZER, FederatedCluster};
use kube::ResourceExt as _;
use serde_json::json;

use super::tell;
use crate::context::Context;
use crate::control::ControlError;

/// Sets the finalizer, from the first day of a database on.
pub(super) async fn protect(cluster: &FederatedCluster, context: &Context) -> Result<(), ControlError> {
    apply(cluster, context, Some(FINALIZER), cluster.spec.cluster_id.as_ref()).await
}

/// Gives a new database its clusterID.
pub(super) async fn name(cluster: &FederatedCluster, context: &Context) -> Result<(), ControlError> {
    let id = ClusterId::from_random(rand::random());
    apply(cluster, context, Some(FINALIZER), Some(&id)).await
}

/// Lets a resource go whose database is torn down.
pub(super) async fn release(cluster: &FederatedCluster, context: &Context) -> Result<(), ControlError> {
    apply(cluster, context, None, cluster.spec.cluster_id.as_ref()).await
}

async fn apply(
    cluster: &FederatedCluster,
    context: &Context,
    finalizer: Option<&str>,
    id: Option<&ClusterId>,
) -> Result<(), ControlError> {
    let (namespace, name) = (cluster.namespace().unwrap_or_default(), cluster.name_any());
    let mut patch = tell::head(cluster);
    patch["metadata"]["finalizers"] = json!(finalizer.into_iter().collect::<Vec<_>>());
    if let Some(id) = id {
        patch["spec"] = json!({ "clusterID": id });
    }
    context
        .control
        .apply(&context.control.namespaced::<FederatedCluster>(&namespace), &name, &patch)
        .await
        .map(drop)
}
