//! The controller of WorkerClusters: hands them to the fleet, and tells what the fleet finds.

mod access;

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::StreamExt as _;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kogge_api::conditions::{self, Finding, Status, worker_cluster as types};
use kogge_api::worker_cluster::WorkerClusterStatus;
use kogge_api::{FINALIZER, WorkerCluster};
use kogge_engine::Database;
use kogge_fleet::fleet::Change;
use kogge_fleet::kubeconfig::expiry::Nearness;
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
    for (type_, finding) in news(&before.conditions, &findings) {
        context.tell(worker, type_, &finding.reason, &finding.message).await;
    }
    Ok(())
}

/// What an event is made of: that the worker became Ready or ceased to be, and that its credentials are one step
/// nearer to their end.
fn news<'a>(before: &[Condition], findings: &'a [Finding]) -> Vec<(EventType, &'a Finding)> {
    let was = |finding: &Finding| before.iter().find(|condition| condition.type_ == finding.type_);
    let is_news = |finding: &&Finding| match finding.type_ {
        types::READY => {
            was(finding).map_or(finding.status == Status::True, |before| before.status != finding.status.as_str())
        }
        types::CREDENTIALS_VALID => {
            Nearness::is_reason(&finding.reason)
                && was(finding).is_none_or(|before| before.reason != finding.reason)
        }
        _ => false,
    };
    let told = findings.iter().filter(is_news);
    told.map(|finding| {
        let good = finding.type_ == types::READY && finding.status == Status::True;
        (if good { EventType::Normal } else { EventType::Warning }, finding)
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn credentials(reason: &str) -> Finding {
        Finding::new(types::CREDENTIALS_VALID, Status::True, reason, "the token ends")
    }

    fn told(before: &[Finding], now: &[Finding]) -> Vec<(bool, String)> {
        let at = Time(k8s_openapi::jiff::Timestamp::UNIX_EPOCH);
        let before = conditions::merge(&[], before, 1, &at);
        let news = news(&before, now).into_iter();
        news.map(|(type_, finding)| (matches!(type_, EventType::Warning), finding.reason.clone())).collect()
    }

    #[test]
    fn field_18_each_step_towards_the_end_of_credentials_is_told_once() {
        let steps = ["Accepted", "ExpiresWithin30Days", "ExpiresWithin7Days", "ExpiresWithin1Hour"];
        for pair in steps.windows(2) {
            let (before, now) = ([credentials(pair[0])], [credentials(pair[1])]);
            assert_eq!(told(&before, &now), [(true, pair[1].to_owned())]);
            assert_eq!(told(&now, &now), []);
            assert_eq!(told(&now, &[credentials("Accepted")]), [], "renewed");
        }
        assert_eq!(told(&[], &[credentials("ExpiresWithin1Hour")]), [(true, "ExpiresWithin1Hour".to_owned())]);
        assert_eq!(told(&[], &[credentials("Accepted")]), []);
    }

    #[test]
    fn a_worker_that_becomes_ready_or_ceases_to_be_is_told_once() {
        let ready = |status| [Finding::new(types::READY, status, "Why", "")];
        let (yes, no, unknown) = (ready(Status::True), ready(Status::False), ready(Status::Unknown));
        assert_eq!(told(&[], &yes), [(false, "Why".to_owned())]);
        assert_eq!(told(&yes, &no), [(true, "Why".to_owned())]);
        assert_eq!(told(&no, &yes), [(false, "Why".to_owned())]);
        for (before, now) in [(&yes, &yes), (&no, &no)] {
            assert_eq!(told(before, now), []);
        }
        assert_eq!(told(&[], &unknown), []);
    }
}
