//! Which database a FederatedCluster is.

use kogge_api::federated_cluster::Component;
use kogge_api::{ClusterId, names};
use kogge_plan::workload::Database;

/// The port that members and routers listen on.
pub const PORT: u16 = 27017;

/// What never changes of a database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The name of the FederatedCluster.
    pub name: String,
    /// Its namespace, here and on every worker.
    pub namespace: String,
    /// The clusterID.
    pub id: ClusterId,
    /// The DNS domain of the clusters that it runs in.
    pub cluster_domain: String,
}

impl Identity {
    /// `host:port` of a member.
    pub fn member_host(&self, component: Component, pod: &str) -> String {
        let service = names::service(&self.name, component);
        format!("{}:{PORT}", names::host(pod, &service, &self.namespace, &self.cluster_domain))
    }

    /// The name that the members of a replica set know it by.
    pub fn replica_set(&self, component: Component) -> String {
        names::replica_set(&self.name, component, &self.id)
    }

    /// Whether a pod of this database stands in a placement, read from its name.
    pub fn is_of(&self, pod: &str, placement: &str) -> bool {
        let workload = self.component_of(pod).map(|component| names::workload(&self.name, component, placement));
        workload.is_some_and(|w| pod.strip_prefix(&w).is_some_and(|rest| ordinal(rest).is_some()))
    }

    /// The database as the plan knows it.
    pub fn database(&self) -> Database<'_> {
        Database { name: &self.name, namespace: &self.namespace, cluster_id: &self.id }
    }

    /// The connection string for clients in any of the clusters.
    pub fn uri(&self) -> String {
        let service = names::service(&self.name, Component::Mongos);
        format!("mongodb://{service}.{}.svc.{}:{PORT}/", self.namespace, self.cluster_domain)
    }

    /// The component that a pod of this database belongs to, read from its name.
    pub fn component_of(&self, pod: &str) -> Option<Component> {
        let rest = pod.strip_prefix(&self.name)?.strip_prefix('-')?;
        let mut words = rest.split('-');
        match words.next()? {
            "shard" => format!("shard-{}", words.next()?).parse().ok(),
            word => word.parse().ok(),
        }
    }
}

/// The number behind the dash of a StatefulSet's pod.
fn ordinal(rest: &str) -> Option<u32> {
    rest.strip_prefix('-')?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pod_tells_its_component() {
        let identity = Identity {
            name: "my-db".to_owned(),
            namespace: "databases".to_owned(),
            id: "abcdefgh".parse().unwrap(),
            cluster_domain: "cluster.local".to_owned(),
        };
        assert_eq!(identity.component_of("my-db-shard-12-vdc1-0"), Some(Component::Shard(12)));
        assert_eq!(identity.component_of("my-db-config-shard-1-0"), Some(Component::Config));
        assert_eq!(identity.component_of("other-config-vdc1-0"), None);
    }
}
