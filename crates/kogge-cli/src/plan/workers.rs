//! The workers, observed as the operator observes them.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use k8s_openapi::api::core::v1::Secret;
use kogge_api::WorkerCluster;
use kogge_api::conditions::Status;
use kogge_api::rbac;
use kogge_api::worker_cluster::Access;
use kogge_chart::ChartStore;
use kogge_fleet::fleet::FleetOptions;
use kogge_fleet::{Fleet, RequiredRules, SecretLookup};
use kogge_plan::{FleetView, WorkerName};
use kube::{Api, ResourceExt as _};

use super::control::Known;
use crate::cluster::Cluster;

/// How long to wait until every worker was seen as a whole.
const DEADLINE: Duration = Duration::from_secs(20);

/// Connects to every worker and waits until all were seen live and complete, but not for ever: what is not
/// seen is part of the plan.
pub(super) async fn observe(
    home: &Cluster,
    known: &Known,
    charts: &ChartStore,
    system_namespace: &str,
) -> anyhow::Result<Arc<FleetView>> {
    let required = RequiredRules {
        namespaced: rbac::worker_rules(&charts.kinds()?, Access::PortForward),
        system: rbac::system_rules(),
        cluster: rbac::identity_rules(),
    };
    let fleet = Fleet::new(FleetOptions::new(system_namespace, required));
    let changes = fleet.changes();
    for worker in &known.workers {
        fleet.upsert(worker, &secret(home, worker, system_namespace).await?);
    }
    let all_seen = async {
        let mut changes = std::pin::pin!(changes);
        while !fleet.snapshot().workers.values().all(kogge_plan::WorkerView::is_current) {
            if changes.next().await.is_none() {
                break;
            }
        }
    };
    if tokio::time::timeout(DEADLINE, all_seen).await.is_err() {
        for worker in &known.workers {
            remark(&fleet, &WorkerName(worker.name_any()));
        }
    }
    Ok(fleet.snapshot())
}

/// Says what is wrong with a worker, if something is.
fn remark(fleet: &Fleet, name: &WorkerName) {
    let findings = fleet.status(name).map(|findings| findings.conditions).unwrap_or_default();
    for finding in findings.iter().filter(|finding| finding.status != Status::True) {
        println!("{name}: {}: {}", finding.type_, finding.message);
    }
}

async fn secret(home: &Cluster, worker: &WorkerCluster, system_namespace: &str) -> anyhow::Result<SecretLookup> {
    let reference = &worker.spec.kubeconfig.secret_ref;
    let secrets: Api<Secret> = Api::namespaced(home.client(), system_namespace);
    let what = format!("read Secret {system_namespace}/{}", reference.name);
    let found = home.request(&what, secrets.get_opt(&reference.name)).await?;
    Ok(match found {
        None => SecretLookup::NoSecret,
        Some(secret) => match secret.data.and_then(|mut data| data.remove(&reference.key)) {
            Some(bytes) => SecretLookup::Found(bytes.0),
            None => SecretLookup::NoKey,
        },
    })
}
