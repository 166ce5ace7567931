//! What is written on the FederatedCluster itself: its status, and what its users need.

use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kogge_api::conditions::federated_cluster::READY;
use kogge_api::federated_cluster::FederatedClusterStatus;
use kogge_api::{FederatedCluster, names};
use kogge_federated_cluster::Identity;
use kogge_federated_cluster::report::{self, Problem};
use kogge_federated_cluster::revisions::Rollout;
use kogge_federated_cluster::secrets::DatabaseSecrets;
use kogge_plan::epoch::Epoch;
use kube::runtime::events::EventType;
use kube::{Resource as _, ResourceExt as _};
use serde_json::{Value, json};

use crate::context::Context;
use crate::control::ControlError;

/// Now, for people.
pub(super) fn now() -> Time {
    Time(k8s_openapi::jiff::Timestamp::now())
}

/// Writes the status where it differs (A5), and tells when Ready changed.
pub(super) async fn status(
    cluster: &FederatedCluster,
    after: FederatedClusterStatus,
    context: &Context,
) -> Result<(), ControlError> {
    let before = cluster.status.clone().unwrap_or_default();
    if after == before {
        return Ok(());
    }
    apply(cluster, &after, context).await?;
    let ready = |status: &FederatedClusterStatus| status.conditions.iter().find(|c| c.type_ == READY).cloned();
    if let Some(now) = ready(&after)
        && ready(&before).is_none_or(|was| was.status != now.status || was.reason != now.reason)
    {
        let type_ = if now.status == "True" { EventType::Normal } else { EventType::Warning };
        let type_ = if now.reason == "Progressing" || now.reason.ends_with("NotReady") {
            EventType::Normal
        } else {
            type_
        };
        context.tell(cluster, type_, &now.reason, &now.message).await;
    }
    Ok(())
}

/// Writes why a pass could not go on.
pub(super) async fn blocked(
    cluster: &FederatedCluster,
    problem: &Problem,
    context: &Context,
) -> Result<(), ControlError> {
    status(cluster, report::blocked(cluster, problem, &now()), context).await
}

/// Records an epoch, by compare and swap, before any worker sees it.
pub(super) async fn epoch(
    cluster: &FederatedCluster,
    identity: &Identity,
    epoch: &Epoch,
    rollout: &Rollout,
    context: &Context,
) -> Result<(), ControlError> {
    let mut status = cluster.status.clone().unwrap_or_default();
    status.cluster_id = Some(identity.id.clone());
    status.epoch = Some(epoch.number);
    status.spec_hash = Some(epoch.spec_hash.clone());
    status.chart_version.get_or_insert_with(|| rollout.chart_version.clone());
    apply(cluster, &status, context).await
}

/// The head of a server-side apply to the resource, guarded by what was read of it.
pub(super) fn head(cluster: &FederatedCluster) -> Value {
    json!({
        "apiVersion": FederatedCluster::api_version(&()),
        "kind": FederatedCluster::kind(&()),
        "metadata": {
            "name": cluster.name_any(),
            "namespace": cluster.namespace(),
            "uid": cluster.metadata.uid,
            "resourceVersion": cluster.metadata.resource_version,
        },
    })
}

async fn apply(
    cluster: &FederatedCluster,
    status: &FederatedClusterStatus,
    context: &Context,
) -> Result<(), ControlError> {
    let (namespace, name) = (cluster.namespace().unwrap_or_default(), cluster.name_any());
    let mut patch = head(cluster);
    patch["status"] = json!(status);
    context
        .control
        .apply_status(&context.control.namespaced::<FederatedCluster>(&namespace), &name, &patch)
        .await
        .map(drop)
}

/// Keeps the administrator's Secret beside the FederatedCluster.
pub(super) async fn admin_secret(
    identity: &Identity,
    secrets: &DatabaseSecrets,
    context: &Context,
) -> Result<(), ControlError> {
    let name = names::admin_secret(&identity.name);
    let wanted = secrets.admin_secret(identity);
    let present = context.control.get(&context.control.namespaced::<Secret>(&identity.namespace), &name).await?;
    if present.as_ref().is_some_and(|secret| secret.data == wanted.data) {
        return Ok(());
    }
    context
        .control
        .apply(&context.control.namespaced::<Secret>(&identity.namespace), &name, &wanted)
        .await
        .map(drop)
}
