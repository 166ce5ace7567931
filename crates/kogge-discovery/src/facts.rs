//! What discovery is told: the group, its pods in every cluster, and where its names must resolve.

use std::net::IpAddr;

use k8s_openapi::api::discovery::v1::EndpointSlice;
use kogge_api::ClusterId;

/// A group of members and the headless Service that they have their names by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// The FederatedCluster's name.
    pub cluster: String,
    /// The database's identity.
    pub cluster_id: ClusterId,
    /// The component's name, such as `shard-0`.
    pub component: String,
    /// The name of the group, unique over all databases.
    pub name: String,
    /// The namespace, the same in every cluster.
    pub namespace: String,
    /// The Service's name, the same in every cluster.
    pub service: String,
    /// The ports that the members listen on.
    pub ports: Vec<Port>,
}

/// A port that members listen on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Port {
    /// Its name, from which SRV records are made.
    pub name: String,
    /// Its number.
    pub number: u16,
}

/// The pods of the group in one cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The WorkerCluster.
    pub worker: String,
    /// Its data centre.
    pub vdc: String,
    /// Whether it was seen live and complete: only then a missing pod is gone (G4).
    pub current: bool,
    /// The pods.
    pub pods: Vec<PodFact>,
}

/// A pod, as last observed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodFact {
    /// Its name, which is its host name as well.
    pub name: String,
    /// Its UID.
    pub uid: String,
    /// Its addresses; the first of each family is the one that it is known by (G2).
    pub ips: Vec<IpAddr>,
    /// Whether its readiness probe succeeds.
    pub ready: bool,
    /// Whether it was told to go.
    pub terminating: bool,
    /// Its phase.
    pub phase: PodPhase,
}

/// The phase of a pod.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PodPhase {
    /// It is being started.
    Pending,
    /// It runs.
    Running,
    /// It has ended well.
    Succeeded,
    /// It has ended badly.
    Failed,
    /// Its node has not told.
    #[default]
    Unknown,
}

impl PodPhase {
    /// Whether none of its containers will ever run again.
    pub fn is_terminal(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed)
    }
}

impl From<&str> for PodPhase {
    fn from(phase: &str) -> Self {
        match phase {
            "Pending" => Self::Pending,
            "Running" => Self::Running,
            "Succeeded" => Self::Succeeded,
            "Failed" => Self::Failed,
            _ => Self::Unknown,
        }
    }
}

/// A cluster in which the names must resolve.
#[derive(Clone, Debug, PartialEq)]
pub struct Destination {
    /// The WorkerCluster.
    pub worker: String,
    /// Whether it was seen live and complete.
    pub current: bool,
    /// The UID of the Service there; none where it does not stand yet.
    pub service_uid: Option<String>,
    /// All slices of the Service there, those that Kubernetes makes among them.
    pub slices: Vec<EndpointSlice>,
}
