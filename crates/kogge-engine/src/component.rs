//! The components of a database, and their shares.

use kogge_api::federated_cluster::{ResourcesSpec, StorageSpec};
use kogge_plan::ComponentKey;
use kogge_plan::workload::ShareKey;

/// A component of a database: the pods that are made from the same templates. Components compare in the order in which a
/// rollout reaches them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Component {
    /// Its place in a rollout: the lowest is changed first and torn down last.
    pub rank: u32,
    /// Its name, such as `shard-0`.
    pub key: ComponentKey,
    /// The name by which charts list its templates, such as `shard`.
    pub kind: &'static str,
    /// Its number among its kind; 0 where there is one only.
    pub index: u16,
    /// Whether its pods are the members of a group. Others are all alike: routers.
    pub is_group: bool,
}

/// The part of a component that stands in one placement.
#[derive(Clone, Debug, PartialEq)]
pub struct Share {
    /// The component.
    pub component: Component,
    /// The placement.
    pub placement: String,
    /// The placement's data centre.
    pub vdc: String,
    /// The pods that the spec asks for.
    pub replicas: u32,
    /// CPU and memory of a pod.
    pub resources: Option<ResourcesSpec>,
    /// The volume of a pod; none where it has none.
    pub storage: Option<StorageSpec>,
}

impl Share {
    /// What tells it from the others.
    pub fn key(&self) -> ShareKey {
        ShareKey { component: self.component.key.clone(), placement: self.placement.clone() }
    }
}

/// A port that pods listen on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Port {
    /// Its name, from which SRV records are made.
    pub name: &'static str,
    /// Its number.
    pub number: u16,
}
