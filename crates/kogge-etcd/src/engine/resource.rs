//! A FederatedEtcd in the words that all kinds of databases share.

use kogge_api::federated_etcd::{EtcdPlacementSpec, EtcdRole};
use kogge_api::{FederatedEtcd, FederatedEtcdStatus};
use kogge_engine::{Database, DatabaseStatus, PlacementFacts};

use super::components::component;

pub(super) fn database(resource: &FederatedEtcd) -> Database {
    let spec = &resource.spec;
    Database {
        metadata: resource.metadata.clone(),
        cluster_id: spec.cluster_id.clone(),
        chart: spec.chart.clone(),
        chart_version: spec.chart_version.clone(),
        image: spec.image.clone(),
        values: spec.values.clone(),
        placements: spec.placement.iter().map(placement).collect(),
        components: vec![component()],
        rollout: spec.rollout.clone(),
        deletion: spec.deletion.clone(),
        security: spec.security.clone(),
        status: resource.status.clone().map(told),
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

fn told(status: FederatedEtcdStatus) -> DatabaseStatus {
    let FederatedEtcdStatus {
        observed_generation,
        available,
        cluster_id,
        epoch,
        spec_hash,
        chart_version,
        cluster_version,
        summary,
        where_,
        leader,
        waiting_for,
        connection,
        groups,
        placement,
        rollout,
        security,
        deletion,
        conditions,
    } = status;
    DatabaseStatus {
        observed_generation,
        available,
        cluster_id,
        epoch,
        spec_hash,
        chart_version,
        data_version: cluster_version,
        summary,
        where_,
        leaders: leader,
        waiting_for,
        connection,
        groups,
        routers: None,
        placement,
        rollout,
        security,
        deletion,
        conditions,
    }
}

pub(super) fn status(status: DatabaseStatus) -> FederatedEtcdStatus {
    let DatabaseStatus {
        observed_generation,
        available,
        cluster_id,
        epoch,
        spec_hash,
        chart_version,
        data_version,
        summary,
        where_,
        leaders,
        waiting_for,
        connection,
        groups,
        routers: _,
        placement,
        rollout,
        security,
        deletion,
        conditions,
    } = status;
    FederatedEtcdStatus {
        observed_generation,
        available,
        cluster_id,
        epoch,
        spec_hash,
        chart_version,
        cluster_version: data_version,
        summary,
        where_,
        leader: leaders,
        waiting_for,
        connection,
        groups,
        placement,
        rollout,
        security,
        deletion,
        conditions,
    }
}
