//! The workers, observed as the operator observes them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use k8s_openapi::api::core::v1::Secret;
use kogge_api::conditions::Status;
use kogge_api::worker_cluster::Access;
use kogge_api::{WorkerCluster, rbac};
use kogge_chart_store::ChartStore;
use kogge_fleet::{Fleet, FleetOptions, RequiredRules, SecretLookup};
use kogge_plan::{FleetView, WorkerName, WorkerView};
use kube::{Api, Client, ResourceExt as _};

use crate::cluster::Cluster;

/// How long to wait until every worker was seen as a whole.
const DEADLINE: Duration = Duration::from_secs(10);

/// The workers, to be looked at and not to be written to.
pub(super) struct Workers {
    fleet: Fleet,
}

/// What was seen of the workers.
pub(super) struct Seen {
    /// The snapshot.
    pub(super) fleet: Arc<FleetView>,
    /// Workers that were not seen live and complete, and why.
    pub(super) missing: BTreeMap<WorkerName, String>,
}

impl Workers {
    /// Begins to connect to every worker.
    pub(super) async fn connect(
        home: &Cluster,
        workers: &[WorkerCluster],
        charts: &ChartStore,
        system_namespace: &str,
        control_uid: &str,
    ) -> anyhow::Result<Self> {
        let required = RequiredRules {
            namespaced: rbac::worker_rules(&charts.kinds()?, Access::PortForward),
            system: rbac::system_rules(),
            cluster: rbac::identity_rules(),
        };
        let fleet = Fleet::new(FleetOptions::new(system_namespace, required).within(control_uid));
        for worker in workers {
            fleet.upsert(worker, &secret(home, worker, system_namespace).await?);
        }
        Ok(Self { fleet })
    }

    /// Waits until every worker was seen live and complete, but not for ever: what is not seen is part of the
    /// plan.
    pub(super) async fn observe(&self) -> Seen {
        let mut changes = std::pin::pin!(self.fleet.changes());
        let all_seen = async {
            while !self.fleet.snapshot().workers.values().all(WorkerView::is_current) {
                if changes.next().await.is_none() {
                    break;
                }
            }
        };
        // Whoever is missing then is named.
        let _all_in_time = tokio::time::timeout(DEADLINE, all_seen).await;
        let fleet = self.fleet.snapshot();
        let unseen = fleet.workers.iter().filter(|(_, view)| !view.is_current());
        let missing = unseen.map(|(name, _)| (name.clone(), self.why(name))).collect();
        Seen { fleet, missing }
    }

    /// A worker's client, and the number of its connection; none where it is not connected.
    pub(super) fn client(&self, name: &WorkerName) -> Option<(Client, u64)> {
        self.fleet.client(name).ok()
    }

    fn why(&self, name: &WorkerName) -> String {
        let findings = self.fleet.status(name).map(|findings| findings.conditions).unwrap_or_default();
        findings
            .into_iter()
            .find(|finding| finding.status != Status::True)
            .map_or_else(|| "it was not wholly listed".to_owned(), |finding| finding.message)
    }
}

async fn secret(home: &Cluster, worker: &WorkerCluster, system_namespace: &str) -> anyhow::Result<SecretLookup> {
    let reference = &worker.spec.kubeconfig.secret_ref;
    let secrets: Api<Secret> = Api::namespaced(home.client(), system_namespace);
    let what =
        format!("read Secret {system_namespace}/{}, the kubeconfig of {}", reference.name, worker.name_any());
    let found = home.request(&what, secrets.get_opt(&reference.name)).await?;
    Ok(match found {
        None => SecretLookup::NoSecret,
        Some(secret) => match secret.data.and_then(|mut data| data.remove(&reference.key)) {
            Some(bytes) => SecretLookup::Found(bytes.0),
            None => SecretLookup::NoKey,
        },
    })
}
