//! The components of a sharded cluster, and their names.

use kogge_api::FederatedClusterSpec;
use kogge_api::federated_cluster::{Component as Kind, Role};
use kogge_engine::{Component, ComponentKey, Identity, Port, Share};
use serde_json::{Map, Value, json};

/// The port that members and routers listen on.
pub(super) const PORT: Port = Port { name: "mongodb", number: 27017 };

pub(super) fn component(kind: Kind) -> Component {
    Component {
        rank: match kind {
            Kind::Config => 0,
            Kind::Shard(_) => 1,
            Kind::Mongos => 2,
        },
        key: key(kind),
        kind: kind.chart_component(),
        index: if let Kind::Shard(index) = kind { index } else { 0 },
        is_group: kind.is_replica_set(),
    }
}

pub(super) fn key(kind: Kind) -> ComponentKey {
    ComponentKey::new(kind.to_string())
}

/// What a component of that name is; none where no sharded cluster has one.
pub(super) fn kind(component: &ComponentKey) -> Option<Kind> {
    component.as_str().parse().ok()
}

/// The component that a pod belongs to, read from what follows the database's name in the pod's.
pub(super) fn component_of_pod(rest: &str) -> Option<Kind> {
    let mut words = rest.split('-');
    match words.next()? {
        "shard" => format!("shard-{}", words.next()?).parse().ok(),
        word => word.parse().ok(),
    }
}

/// `host:port` of a member.
pub(super) fn host(identity: &Identity, kind: Kind, pod: &str) -> String {
    format!("{}:{}", identity.host(&key(kind), pod), PORT.number)
}

pub(super) fn shares(spec: &FederatedClusterSpec, kind: Kind) -> Vec<Share> {
    let placed = spec.placed_component(kind).into_iter();
    placed
        .map(|share| Share {
            component: component(kind),
            placement: share.placement.name.clone(),
            vdc: share.placement.vdc.clone(),
            replicas: share.replicas,
            resources: share.resources.cloned(),
            storage: share.storage.cloned(),
        })
        .collect()
}

/// The config servers that vote, which the routers begin with.
pub(super) fn seeds(identity: &Identity, spec: &FederatedClusterSpec) -> Vec<String> {
    let shares = spec.placed_component(Kind::Config).into_iter();
    let voting = shares.filter(|share| share.placement.role == Role::Voter);
    let config = key(Kind::Config);
    voting
        .flat_map(|share| (0..share.replicas).map(move |ordinal| (share.placement.name.as_str(), ordinal)))
        .map(|(placement, ordinal)| {
            host(identity, Kind::Config, identity.member(&config, placement, ordinal).as_str())
        })
        .collect()
}

pub(super) fn discovery(identity: &Identity, component: &Component, seeds: &[String]) -> Map<String, Value> {
    let name = |component: &ComponentKey| kogge_api::names::group(&identity.name, component, &identity.id);
    let replica_set = if component.is_group { name(&component.key) } else { String::new() };
    let more = [
        ("replicaSet", json!(replica_set)),
        ("configReplicaSet", json!(name(&key(Kind::Config)))),
        ("configSeeds", json!(seeds)),
    ];
    more.map(|(name, value)| (name.to_owned(), value)).into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pod_tells_its_component() {
        assert_eq!(component_of_pod("shard-12-vdc1-0"), Some(Kind::Shard(12)));
        assert_eq!(component_of_pod("config-shard-1-0"), Some(Kind::Config));
        assert_eq!(component_of_pod("other-config-vdc1-0"), None);
    }

    #[test]
    fn config_servers_come_first_and_routers_last() {
        let mut components: Vec<Component> = Kind::all(11).map(component).collect();
        components.reverse();
        components.sort();
        let names: Vec<&str> = components.iter().map(|component| component.key.as_str()).collect();
        assert_eq!((names[0], names[1], names[11], names[12]), ("config", "shard-0", "shard-10", "mongos"));
    }
}
