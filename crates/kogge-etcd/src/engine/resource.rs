//! A FederatedEtcd in the words that all kinds of databases share.

use kogge_api::FederatedEtcd;
use kogge_api::federated_etcd::{EtcdPlacementSpec, EtcdRole};
use kogge_engine::{Database, PlacementFacts};

use super::components::component;

pub(super) fn database(resource: &FederatedEtcd) -> Database {
    let spec = &resource.spec;
    let recorded = resource.status.as_ref().and_then(|status| status.cluster_id.clone());
    Database {
        kind: "FederatedEtcd".to_owned(),
        metadata: resource.metadata.clone(),
        cluster_id: recorded.or_else(|| spec.cluster_id.clone()),
        chart: spec.chart.clone(),
        chart_version: spec.chart_version.clone(),
        image: spec.image.clone(),
        values: spec.values.clone(),
        placements: spec.placement.iter().map(placement).collect(),
        components: vec![component()],
        rollout: spec.rollout.clone(),
        deletion: spec.deletion.clone(),
        security: spec.security.clone(),
        status: resource.status.clone(),
    }
}

fn placement(placement: &EtcdPlacementSpec) -> PlacementFacts {
    PlacementFacts {
        name: placement.name.clone(),
        vdc: placement.vdc.clone(),
        worker_cluster: placement.worker_cluster.clone(),
        may_lead: placement.role == EtcdRole::Voter,
        values: placement.values.clone(),
    }
}
