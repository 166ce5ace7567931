//! Which database a resource is.

use kogge_api::{ClusterId, names};
use kogge_plan::ComponentKey;
use kogge_plan::workload::Database;

use crate::names::PodName;

/// What never changes of a database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The name of the resource.
    pub name: String,
    /// Its namespace, here and on every worker.
    pub namespace: String,
    /// The clusterID.
    pub id: ClusterId,
    /// The DNS domain of the clusters that it runs in.
    pub cluster_domain: String,
}

impl Identity {
    /// The host name of a component's pod, the same in every cluster.
    pub fn host(&self, component: &ComponentKey, pod: &str) -> String {
        names::host(pod, &names::service(&self.name, component), &self.namespace, &self.cluster_domain)
    }

    /// The host name of a component's Service.
    pub fn service_host(&self, component: &ComponentKey) -> String {
        format!("{}.{}.svc.{}", names::service(&self.name, component), self.namespace, self.cluster_domain)
    }

    /// The pod of a member.
    pub fn member(&self, component: &ComponentKey, placement: &str, ordinal: u32) -> PodName {
        names::member(&self.name, component, placement, ordinal).into()
    }

    /// What follows the database's name in a pod's name; none where the pod is another database's.
    pub fn rest_of<'a>(&self, pod: &'a str) -> Option<&'a str> {
        pod.strip_prefix(&self.name)?.strip_prefix('-')
    }

    /// Whether a pod of a component stands in a placement, read from its name.
    pub fn is_in(&self, component: &ComponentKey, pod: &str, placement: &str) -> bool {
        let workload = names::workload(&self.name, component, placement);
        let ordinal = pod.strip_prefix(&workload).and_then(|rest| rest.strip_prefix('-'));
        ordinal.is_some_and(|ordinal| ordinal.parse::<u32>().is_ok())
    }

    /// The database as the plan knows it.
    pub fn database(&self) -> Database<'_> {
        Database { name: &self.name, namespace: &self.namespace, cluster_id: &self.id }
    }
}
