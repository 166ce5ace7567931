//! A FederatedCluster in the words that all kinds of databases share.

use kogge_api::FederatedCluster;
use kogge_api::federated_cluster::{Component as Kind, PlacementSpec, Role};
use kogge_engine::{Database, PlacementFacts};

use super::components::component;

pub(super) fn database(resource: &FederatedCluster) -> Database {
    let spec = &resource.spec;
    let recorded = resource.status.as_ref().and_then(|status| status.cluster_id.clone());
    Database {
        kind: "FederatedCluster".to_owned(),
        metadata: resource.metadata.clone(),
        cluster_id: recorded.or_else(|| spec.cluster_id.clone()),
        chart: spec.global.chart.clone(),
        chart_version: spec.global.chart_version.clone(),
        image: spec.global.image.clone(),
        values: spec.values.clone(),
        placements: spec.placement.iter().map(placement).collect(),
        components: Kind::all(spec.shard.shard_count).map(component).collect(),
        rollout: spec.rollout.clone(),
        deletion: spec.deletion.clone(),
        security: spec.security.clone(),
        status: resource.status.clone(),
    }
}

fn placement(placement: &PlacementSpec) -> PlacementFacts {
    PlacementFacts {
        name: placement.name.clone(),
        vdc: placement.vdc.clone(),
        worker_cluster: placement.worker_cluster.clone(),
        may_lead: placement.role == Role::Voter && placement.priority != Some(0),
        values: placement.values.clone(),
    }
}
