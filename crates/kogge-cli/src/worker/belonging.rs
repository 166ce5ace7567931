//! Whose a worker is: a cluster is no worker of itself, and belongs to one control cluster.

use std::fmt::Debug;

use anyhow::Context as _;
use k8s_openapi::api::core::v1::ServiceAccount;
use k8s_openapi::api::rbac::v1::ClusterRoleBinding;
use kogge_api::WorkerCluster;
use kogge_api::labels::CONTROL_UID;
use kogge_api::rbac::WORKER;
use kube::api::{ListParams, ObjectMeta};
use kube::{Api, Resource, ResourceExt as _};
use serde::de::DeserializeOwned;

use crate::cluster::Cluster;

/// A control cluster and what shall be its worker.
pub(super) struct Belonging<'a> {
    pub(super) home: &'a Cluster,
    pub(super) worker: &'a Cluster,
    pub(super) system_namespace: &'a str,
    /// The UIDs of their `kube-system`.
    pub(super) control_uid: &'a str,
    pub(super) worker_uid: &'a str,
}

impl Belonging<'_> {
    /// Why the worker is not to be joined; none where it may be. Nothing is written.
    pub(super) async fn refusal(&self) -> anyhow::Result<Option<String>> {
        if let Some(refusal) = of_control_cluster(self.control_uid, self.worker_uid) {
            return Ok(Some(refusal));
        }
        let accounts: Api<ServiceAccount> = Api::namespaced(self.worker.client(), self.system_namespace);
        let bindings: Api<ClusterRoleBinding> = Api::all(self.worker.client());
        let account = format!("ServiceAccount {}/{WORKER}", self.system_namespace);
        let made = [
            (account, made_for(self.worker, &accounts).await?),
            (format!("ClusterRoleBinding {WORKER}"), made_for(self.worker, &bindings).await?),
        ];
        for (object, made_for) in made {
            let registered = made_for == MadeFor::Unknown && self.is_registered().await?;
            if let Some(whose) = made_for.another(self.control_uid, registered) {
                return Ok(Some(self.shared(&object, &whose)));
            }
        }
        Ok(None)
    }

    fn shared(&self, object: &str, whose: &str) -> String {
        let Self { worker, system_namespace, .. } = self;
        format!(
            "{}: {object} is there already and {whose}; a worker belongs to one control cluster, so nothing was changed. \
             Use another cluster. If no control cluster uses this one any more: kubectl delete clusterrolebinding {WORKER} \
             && kubectl delete -n {system_namespace} serviceaccount {WORKER}",
            worker.name
        )
    }

    /// Whether the control cluster knows the worker.
    async fn is_registered(&self) -> anyhow::Result<bool> {
        let clusters: Api<WorkerCluster> = Api::all(self.home.client());
        let clusters = self
            .home
            .request("list WorkerClusters", clusters.list(&ListParams::default()))
            .await
            .context("Kogge may not be installed yet (kubectl apply -k config)")?;
        let is_it = |cluster: &WorkerCluster| {
            cluster.status.as_ref().is_some_and(|status| status.uid.as_deref() == Some(self.worker_uid))
        };
        Ok(clusters.items.iter().any(is_it))
    }
}

/// The control cluster's own objects would be taken for what a worker holds too much, and deleted.
fn of_control_cluster(control_uid: &str, worker_uid: &str) -> Option<String> {
    (control_uid == worker_uid).then(|| {
        format!(
            "the cluster behind this kubeconfig is the control cluster itself (kube-system has UID {worker_uid}); use \
             another cluster as the worker, or check --worker-kubeconfig and --worker-context"
        )
    })
}

/// For whom a join made an object of that name.
#[derive(Clone, Debug, PartialEq, Eq)]
enum MadeFor {
    /// There is none.
    Nobody,
    /// It was made before objects said so, or by somebody else.
    Unknown,
    /// By its annotation.
    ControlCluster(String),
}

impl MadeFor {
    /// Whose it is, where it is another control cluster's. `registered` tells whether this one has joined the worker
    /// before: then what does not say whose it is, is its own.
    fn another(&self, control_uid: &str, registered: bool) -> Option<String> {
        match self {
            Self::Nobody => None,
            Self::ControlCluster(uid) => {
                (uid != control_uid).then(|| format!("was made for the control cluster with UID {uid}"))
            }
            Self::Unknown => (!registered).then(|| {
                "does not say for which control cluster it was made, and no WorkerCluster here is this cluster"
                    .to_owned()
            }),
        }
    }
}

async fn made_for<K>(worker: &Cluster, api: &Api<K>) -> anyhow::Result<MadeFor>
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned,
{
    let what = format!("read {} {WORKER}", K::kind(&()));
    let found = worker.request(&what, api.get_metadata_opt(WORKER)).await?;
    Ok(match found {
        None => MadeFor::Nobody,
        Some(object) => match object.annotations().get(CONTROL_UID) {
            None => MadeFor::Unknown,
            Some(uid) => MadeFor::ControlCluster(uid.clone()),
        },
    })
}

/// Notes on an object for which control cluster it was made.
pub(super) fn mark(metadata: &mut ObjectMeta, control_uid: &str) {
    metadata.annotations.get_or_insert_default().insert(CONTROL_UID.to_owned(), control_uid.to_owned());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn field_01_the_control_cluster_is_no_worker() {
        let refusal = of_control_cluster("uid-1", "uid-1").unwrap();
        assert!(
            refusal.contains("is the control cluster itself") && refusal.contains("--worker-kubeconfig"),
            "{refusal}"
        );
        assert_eq!(of_control_cluster("uid-1", "uid-2"), None);
    }

    #[test]
    fn field_08_a_worker_of_another_control_cluster_is_refused() {
        let ours = MadeFor::ControlCluster("uid-1".to_owned());
        assert_eq!(ours.another("uid-1", false), None);
        let whose = ours.another("uid-2", true).unwrap();
        assert!(whose.contains("control cluster with UID uid-1"), "{whose}");
        assert_eq!(MadeFor::Nobody.another("uid-1", false), None);
        assert_eq!(MadeFor::Unknown.another("uid-1", true), None, "it was joined by an earlier version");
        assert!(MadeFor::Unknown.another("uid-1", false).is_some());
    }
}
