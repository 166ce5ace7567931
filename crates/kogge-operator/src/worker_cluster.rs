//! The controller of WorkerClusters: hands them to the fleet, and tells what the fleet finds.

mod access;

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::StreamExt as _;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kogge_api::conditions::{self, Finding, Status, worker_cluster as types};
use kogge_api::worker_cluster::WorkerClusterStatus;
use kogge_api::{FINALIZER, WorkerCluster};
use kogge_engine::Database;
use kogge_fleet::fleet::Change;
use kogge_fleet::{SecretLookup, WorkerFindings};
use kogge_plan::WorkerName;
use kube::api::{Api, ResourceExt as _};
use kube::runtime::controller::{Action, Config, Controller};
use kube::runtime::events::EventType;
use kube::runtime::reflector::ObjectRef;
use kube::runtime::watcher;
use serde_json::json;
use tokio_util::sync::CancellationToken;
use tracing::{Instrument as _, info_span, warn};

use crate::context::Context;
use crate::control::ControlError;

/// How often a settled WorkerCluster is looked at, for what no watch tells: databases that came or went.
const SETTLED: Duration = Duration::from_secs(30);
/// How soon to look again at a worker that this process has not reached yet.
const SETTLING: Duration = Duration::from_secs(1);
/// How long to wait after a failure.
const AFTER_FAILURE: Duration = Duration::from_secs(3);

/// Runs until told to stop.
pub async fn run(controller: Controller<WorkerCluster>, context: Arc<Context>, stop: CancellationToken) {
    let secrets = Api::<Secret>::namespaced(context.control.client(), &context.namespace);
    let store = controller.store();
    let changed = context.fleet.changes().filter_map(|change| async move {
        match change {
            Change::Worker { worker } => Some(ObjectRef::new(&worker.0)),
            Change::Objects { .. } | Change::Everything => None,
        }
    });
    controller
        .with_config(Config::default().debounce(Duration::from_millis(100)))
        .watches(secrets, watcher::Config::default(), move |secret| {
            let name = secret.name_any();
            let named = move |worker: &Arc<WorkerCluster>| worker.spec.kubeconfig.secret_ref.name == name;
            let refs: Vec<_> =
                store.state().iter().filter(|w| named(w)).map(|w| ObjectRef::from_obj(&**w)).collect();
            refs
        })
        .reconcile_on(changed)
        .graceful_shutdown_on(stop.cancelled_owned())
        .run(reconcile, |_, error, _| after_failure(error), context)
        .for_each(|_| async {})
        .await;
}

fn after_failure(error: &ControlError) -> Action {
    if !matches!(error, ControlError::Stale { .. }) {
        warn!(%error, reason = error.reason(), "a WorkerCluster was not reconciled; trying again");
    }
    Action::requeue(AFTER_FAILURE)
}

async fn reconcile(worker: Arc<WorkerCluster>, context: Arc<Context>) -> Result<Action, ControlError> {
    let began = Instant::now();
    let span = info_span!("worker_cluster", worker = %worker.name_any());
    let outcome = pass(&worker, &context).instrument(span).await;
    let reason = outcome.as_ref().map_or_else(ControlError::reason, |_| "Ok");
    context.metrics.reconciled("WorkerCluster", reason, began.elapsed());
    outcome
}

async fn pass(worker: &WorkerCluster, context: &Context) -> Result<Action, ControlError> {
    let name = WorkerName(worker.name_any());
    let in_use = in_use(worker, context);
    if worker.metadata.deletion_timestamp.is_some() && in_use == Some(0) {
        context.fleet.remove(&name);
        context.metrics.worker_gone(&name.0);
        context.reachability.worker_gone(&name.0);
        context.control.release(&context.control.cluster_wide::<WorkerCluster>(), &worker.metadata).await?;
        return Ok(Action::await_change());
    }
    if worker.metadata.deletion_timestamp.is_none() && !worker.finalizers().iter().any(|f| f == FINALIZER) {
        hold(worker, context).await?;
        return Ok(Action::await_change());
    }
    context.fleet.upsert(worker, &secret(worker, context).await?);
    if let Some(found) = context.fleet.status(&name) {
        let reached = found.conditions.iter().all(|finding| finding.status != Status::Unknown);
        if !reached && context.is_settling_in() {
            return Ok(Action::requeue(SETTLING));
        }
        for finding in found.conditions.iter().filter(|finding| finding.type_ == types::API_REACHABLE) {
            match finding.status {
                Status::True => context.reachability.of_worker(&name.0, None, context.now()),
                Status::False => context.reachability.of_worker(&name.0, Some(&finding.message), context.now()),
                // It recovers: neither lost nor back.
                Status::Unknown => {}
            }
        }
        let view = context.fleet.snapshot().workers.get(&name).cloned();
        let current = view.as_ref().filter(|view| view.is_current());
        let seen = current.zip(context.fleet.client(&name).ok().map(|(client, _)| client));
        let access = access::reachable(worker.spec.access, seen).await;
        report(worker, found, access, in_use, context).await?;
    }
    Ok(Action::requeue(SETTLED))
}

/// How many databases are placed on a worker, or may be: one that cannot be decoded counts wherever it may be. None while
/// they were not listed: then nobody knows.
fn in_use(worker: &WorkerCluster, context: &Context) -> Option<u32> {
    let undecodable = context.undecodable.may_be_on(&worker.name_any(), &worker.spec.vdc);
    context.knows_databases().then(|| databases_on(worker, context.declared()) + undecodable)
}

/// How many databases are placed on a worker, by their spec or by what they were last seen to hold.
fn databases_on(worker: &WorkerCluster, databases: impl Iterator<Item = Database>) -> u32 {
    let name = worker.name_any();
    let holds = |database: &Database| {
        let placed = database.status.iter().flat_map(|status| status.placement.values());
        let named = database.placements.iter();
        placed.filter_map(|p| p.worker.as_ref()).any(|w| *w == name)
            || named.filter_map(|p| p.worker_cluster.as_ref()).any(|w| *w == name)
    };
    databases.filter(holds).count() as u32
}

/// Sets the finalizer.
async fn hold(worker: &WorkerCluster, context: &Context) -> Result<(), ControlError> {
    let name = worker.name_any();
    let patch = json!({
        "apiVersion": "kogge.dev/v1alpha1",
        "kind": "WorkerCluster",
        "metadata": { "name": name, "uid": worker.metadata.uid, "finalizers": [FINALIZER] },
    });
    context.control.apply(&context.control.cluster_wide::<WorkerCluster>(), &name, &patch).await.map(drop)
}

async fn secret(worker: &WorkerCluster, context: &Context) -> Result<SecretLookup, ControlError> {
    let reference = &worker.spec.kubeconfig.secret_ref;
    let found = context.control.get(&context.own::<Secret>(), &reference.name).await?;
    Ok(match found {
        None => SecretLookup::NoSecret,
        Some(secret) => match secret.data.and_then(|mut data| data.remove(&reference.key)) {
            Some(bytes) => SecretLookup::Found(bytes.0),
            None => SecretLookup::NoKey,
        },
    })
}

/// Writes the status, where it differs.
async fn report(
    worker: &WorkerCluster,
    found: WorkerFindings,
    access: Finding,
    in_use: Option<u32>,
    context: &Context,
) -> Result<(), ControlError> {
    let before = worker.status.clone().unwrap_or_default();
    let WorkerFindings { uid, version, conditions: mut findings } = found;
    findings.push(access);
    let generation = worker.metadata.generation.unwrap_or_default();
    let now = Time(k8s_openapi::jiff::Timestamp::now());
    let after = WorkerClusterStatus {
        observed_generation: worker.metadata.generation,
        uid: before.uid.clone().or(uid),
        version: version.or_else(|| before.version.clone()),
        in_use: in_use.unwrap_or(before.in_use),
        conditions: conditions::merge(&before.conditions, &findings, generation, &now),
    };
    let name = worker.name_any();
    let ready = conditions::is_true(&after.conditions, types::READY);
    context.metrics.worker_live(&name, conditions::is_true(&after.conditions, types::API_REACHABLE));
    if after == before {
        return Ok(());
    }
    let status = json!({
        "apiVersion": "kogge.dev/v1alpha1",
        "kind": "WorkerCluster",
        "metadata": { "name": name, "resourceVersion": worker.metadata.resource_version },
        "status": after,
    });
    context.control.apply_status(&context.control.cluster_wide::<WorkerCluster>(), &name, &status).await?;
    let was = before.conditions.iter().find(|c| c.type_ == types::READY).map(|c| c.status.as_str());
    let cause = findings.iter().find(|f| f.type_ == types::READY);
    match cause {
        Some(finding) if was.is_some_and(|was| was != finding.status.as_str()) || (was.is_none() && ready) => {
            let type_ = if finding.status == Status::True { EventType::Normal } else { EventType::Warning };
            context.tell(worker, type_, &finding.reason, &finding.message).await;
        }
        _ => {}
    }
    Ok(())
}
