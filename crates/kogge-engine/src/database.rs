//! A database as its resource declares it, whatever its kind.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kogge_api::federated_cluster::{DeletionSpec, RolloutSpec, SecuritySpec};
use kogge_api::{ClusterId, DatabaseStatus, Owner};
use kogge_plan::ComponentKey;
use kogge_plan::placement::RequestedPlacement;
use serde_json::{Map, Value};

use crate::component::Component;

/// A database as its resource declares it: what all kinds have in common.
#[derive(Clone, Debug, PartialEq)]
pub struct Database {
    /// Its resource's kind.
    pub kind: String,
    /// Its resource's metadata.
    pub metadata: ObjectMeta,
    /// The clusterID: the one that the status recorded, whatever the spec says now; else that of the spec; none until it
    /// has one.
    pub cluster_id: Option<ClusterId>,
    /// The chart's name.
    pub chart: String,
    /// The chart's version; none for the one that is pinned, or else the newest.
    pub chart_version: Option<String>,
    /// The servers' image; none for the chart's.
    pub image: Option<String>,
    /// Chart values.
    pub values: Map<String, Value>,
    /// Its placements.
    pub placements: Vec<PlacementFacts>,
    /// Its components, in the order in which changes reach them.
    pub components: Vec<Component>,
    /// How changes reach the members.
    pub rollout: RolloutSpec,
    /// What happens when the resource is deleted.
    pub deletion: DeletionSpec,
    /// Who the members, the operator and clients are to each other.
    pub security: SecuritySpec,
    /// What was last told of it.
    pub status: Option<DatabaseStatus>,
}

/// A placement of a spec.
#[derive(Clone, Debug, PartialEq)]
pub struct PlacementFacts {
    /// Its name.
    pub name: String,
    /// Its data centre.
    pub vdc: String,
    /// The WorkerCluster, where its data centre has several.
    pub worker_cluster: Option<String>,
    /// Whether a member in it may lead.
    pub may_lead: bool,
    /// Its own chart values.
    pub values: Map<String, Value>,
}

impl Database {
    /// Its resource's name.
    pub fn name(&self) -> &str {
        self.metadata.name.as_deref().unwrap_or_default()
    }

    /// Its resource's namespace, here and on every worker.
    pub fn namespace(&self) -> &str {
        self.metadata.namespace.as_deref().unwrap_or_default()
    }

    /// Its resource, as the records of the database name it.
    pub fn owner(&self) -> Owner {
        Owner {
            kind: self.kind.clone(),
            namespace: self.namespace().to_owned(),
            name: self.name().to_owned(),
            uid: self.metadata.uid.clone(),
        }
    }

    /// The value of an annotation.
    pub fn annotation(&self, name: &str) -> Option<&str> {
        self.metadata.annotations.as_ref()?.get(name).map(String::as_str)
    }

    /// Its placement of that name.
    pub fn placement(&self, name: &str) -> Option<&PlacementFacts> {
        self.placements.iter().find(|placement| placement.name == name)
    }

    /// Its placements, to find their workers.
    pub fn requested(&self) -> impl Iterator<Item = RequestedPlacement<'_>> {
        self.placements.iter().map(|placement| RequestedPlacement {
            name: &placement.name,
            vdc: &placement.vdc,
            worker_cluster: placement.worker_cluster.as_deref(),
        })
    }

    /// Its components that are groups.
    pub fn groups(&self) -> impl Iterator<Item = &Component> {
        self.components.iter().filter(|component| component.is_group)
    }

    /// Whether its spec has a component.
    pub fn has(&self, component: &ComponentKey) -> bool {
        self.components.iter().any(|wanted| wanted.key == *component)
    }
}
