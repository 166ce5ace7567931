//! Deletion: the database keeps running through its cool-off; then, and only then, it is torn down.

use std::collections::BTreeMap;
use std::time::Duration;

use k8s_openapi::api::apps::v1::ControllerRevision;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Secret};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kogge_api::federated_cluster::{DataPolicy, DeletionStatus};
use kogge_api::{ClusterId, FINALIZER, FederatedCluster, labels, names};
use kogge_federated_cluster::report::Problem;
use kogge_federated_cluster::revisions::system_labels;
use kogge_federated_cluster::secrets::DatabaseSecrets;
use kogge_federated_cluster::teardown;
use kogge_plan::teardown::{DeletionState, TeardownPlan, deletion_record, deletion_state};
use kogge_plan::{FleetView, WorkerName};
use kube::runtime::controller::Action;
use kube::runtime::events::EventType;
use kube::{CustomResourceExt as _, ResourceExt as _};
use tracing::info;

use super::carry_out::{Writing, in_order};
use super::pass::PassError;
use super::{claim, full_name, tell};
use crate::context::Context;

/// How soon to look again while a teardown goes on.
const TEARING_DOWN: Duration = Duration::from_secs(1);

/// Handles a deletion. None while the database keeps running: then the pass goes on as usual.
pub(super) async fn pass(cluster: &FederatedCluster, context: &Context) -> Result<Option<Action>, PassError> {
    let Some(asked) = &cluster.metadata.deletion_timestamp else { return Ok(None) };
    if !cluster.finalizers().iter().any(|f| f == FINALIZER) {
        return Ok(Some(Action::await_change()));
    }
    let recorded = cluster.status.as_ref().and_then(|status| status.deletion.as_ref());
    let cool_off = Duration::from(cluster.spec.deletion.cool_off);
    let record = deletion_record(asked, recorded, cool_off);
    if recorded != Some(&record) {
        let mut status = cluster.status.clone().unwrap_or_default();
        let note = format!("the database keeps running until {}", record.executes_at.0);
        status.deletion = Some(record);
        tell::status(cluster, status, context).await?;
        context.tell(cluster, EventType::Warning, "DeletionPending", &note).await;
        return Ok(Some(Action::requeue(Duration::from_millis(100))));
    }
    match deletion_state(tell::now().0, asked, recorded, cool_off) {
        DeletionState::Pending { .. } => Ok(None),
        // Whoever deletes these deletes databases by accident: the countdown halts, and the database runs on.
        DeletionState::Due => match halted_by(cluster, context).await? {
            Some(cause) if record.halted.as_ref() != Some(&cause) => {
                context.tell(cluster, EventType::Warning, "DeletionHalted", &cause).await;
                let mut status = cluster.status.clone().unwrap_or_default();
                status.deletion = Some(DeletionStatus { halted: Some(cause), ..record });
                tell::status(cluster, status, context).await?;
                Ok(Some(Action::requeue(Duration::from_millis(100))))
            }
            Some(_) => Ok(None),
            None => tear_down(cluster, context).await.map(Some),
        },
    }
}

/// What halts the countdown: the definition, or the namespace, is being deleted itself.
async fn halted_by(cluster: &FederatedCluster, context: &Context) -> Result<Option<String>, PassError> {
    let namespace = cluster.namespace().unwrap_or_default();
    let ends = |metadata: &ObjectMeta| metadata.deletion_timestamp.is_some();
    let found = context.control.get(&context.control.cluster_wide::<Namespace>(), &namespace).await?;
    if found.is_some_and(|namespace| ends(&namespace.metadata)) {
        return Ok(Some(format!("namespace {namespace} is being deleted: the database keeps running")));
    }
    let definition = FederatedCluster::crd_name();
    let found =
        context.control.get(&context.control.cluster_wide::<CustomResourceDefinition>(), definition).await?;
    if found.is_some_and(|definition| ends(&definition.metadata)) {
        return Ok(Some(format!("the definition {definition} is being deleted: the database keeps running")));
    }
    Ok(None)
}

async fn tear_down(cluster: &FederatedCluster, context: &Context) -> Result<Action, PassError> {
    let Some(id) = &cluster.spec.cluster_id else {
        // It was never written anywhere.
        claim::release(cluster, context).await?;
        return Ok(Action::await_change());
    };
    tombstone(id, context).await?;
    let fleet = context.fleet.snapshot();
    let plan = teardown(cluster, id, &fleet);
    if plan.is_done() {
        forget(id, cluster, context).await?;
        claim::release(cluster, context).await?;
        info!("the database is torn down");
        return Ok(Action::await_change());
    }
    carry_out(&plan, &fleet, context).await;
    let left: Vec<String> = plan.remaining.iter().map(|(worker, what)| format!("{worker}: {what}")).collect();
    let problem = Problem::Failed {
        reason: "TearingDown".to_owned(),
        message: format!("the teardown goes on; left are {}", left.join("; ")),
    };
    tell::blocked(cluster, &problem, context).await?;
    Ok(Action::requeue(TEARING_DOWN))
}

async fn carry_out(plan: &TeardownPlan, fleet: &FleetView, context: &Context) {
    let workers: BTreeMap<&WorkerName, Vec<_>> = plan.actions.iter().fold(BTreeMap::new(), |mut all, action| {
        all.entry(action.worker()).or_insert_with(Vec::new).push(action);
        all
    });
    let writes = workers.into_iter().map(|(worker, actions)| async move {
        let uid = fleet.workers.get(worker).and_then(|view| view.uid.clone()).unwrap_or_default();
        in_order(worker, &uid, &actions, Writing::InEarnest, context).await
    });
    futures::future::join_all(writes).await;
}

/// The record that a database was deleted on purpose; it stands before the first deletion.
async fn tombstone(id: &ClusterId, context: &Context) -> Result<(), PassError> {
    let name = names::system_object(id, "tombstone");
    if context.control.get(&context.own::<ConfigMap>(), &name).await?.is_some() {
        return Ok(());
    }
    let record = ConfigMap {
        metadata: ObjectMeta {
            name: Some(name),
            namespace: Some(context.namespace.clone()),
            labels: Some(system_labels(id, "tombstone")),
            ..ObjectMeta::default()
        },
        data: Some(
            [("clusterID", id.to_string()), ("executedAt", tell::now().0.to_string())]
                .map(|(key, value)| (key.to_owned(), value))
                .into(),
        ),
        ..ConfigMap::default()
    };
    context.control.create(&context.own(), &record).await?;
    Ok(())
}

/// Removes what Kogge kept of the database, the tombstone last: every worker has confirmed.
async fn forget(id: &ClusterId, cluster: &FederatedCluster, context: &Context) -> Result<(), PassError> {
    let selector = format!("{}={id},{}=revision", labels::CLUSTER_ID, labels::ROLE);
    for revision in context.control.list(&context.own::<ControllerRevision>(), &selector).await? {
        context.control.delete(&context.own::<ControllerRevision>(), &revision.name_any()).await?;
    }
    if cluster.spec.deletion.data == DataPolicy::Delete {
        // Volumes that stay are worth nothing without the key and the passwords.
        context.control.delete(&context.own::<Secret>(), &DatabaseSecrets::name(id)).await?;
    }
    let admin = names::admin_secret(&cluster.name_any());
    context
        .control
        .delete(&context.control.namespaced::<Secret>(&cluster.namespace().unwrap_or_default()), &admin)
        .await?;
    context.control.delete(&context.own::<ConfigMap>(), &names::system_object(id, "tombstone")).await?;
    context.engines.forget(id);
    context.turns.forget(id);
    context.metrics.database_gone(&full_name(cluster));
    context.reachability.database_gone(&full_name(cluster));
    Ok(())
}
