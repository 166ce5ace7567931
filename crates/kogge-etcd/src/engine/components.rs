//! The one component of an etcd cluster, and its names.

use kogge_api::FederatedEtcdSpec;
use kogge_api::federated_cluster::TlsMode;
use kogge_api::federated_etcd::COMPONENT;
use kogge_engine::{Component, Identity, PodName, Port, Share};

use crate::names::Url;

/// The port for clients: gRPC, `/version`, `/metrics`. It answers only once the server's own publish was applied.
pub const CLIENT: Port = Port { name: "client", number: 2379 };
/// The port for the other members: `/members`, `/version`. It answers from the start.
pub const PEER: Port = Port { name: "peer", number: 2380 };

pub(super) fn component() -> Component {
    Component { rank: 0, key: COMPONENT.into(), kind: COMPONENT, index: 0, is_group: true }
}

pub(super) fn scheme(tls: bool) -> &'static str {
    if tls { "https" } else { "http" }
}

/// Whether the ports speak TLS.
pub(super) fn has_tls(spec: &FederatedEtcdSpec) -> bool {
    spec.security.tls.mode != TlsMode::Disabled
}

/// The URL of a member's port, the same in every data centre.
pub(super) fn url(identity: &Identity, pod: &PodName, port: Port, tls: bool) -> Url {
    let host = identity.host(&component().key, pod.as_str());
    Url::new(format!("{}://{host}:{}", scheme(tls), port.number))
}

pub(super) fn shares(spec: &FederatedEtcdSpec, component: &Component) -> Vec<Share> {
    let placed = spec.placed().into_iter();
    placed
        .map(|placed| Share {
            component: component.clone(),
            placement: placed.placement.name.clone(),
            vdc: placed.placement.vdc.clone(),
            replicas: placed.replicas,
            resources: spec.resources.clone(),
            storage: Some(spec.storage.clone()),
        })
        .collect()
}
