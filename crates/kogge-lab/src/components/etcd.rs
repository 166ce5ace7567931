//! etcd, without fsync: the lab's data may be lost with the machine.

use super::flags as render;
use crate::context::ClusterContext;

pub(super) fn url(port: u16) -> String {
    format!("http://127.0.0.1:{port}")
}

pub(super) fn flags(cluster: &ClusterContext) -> Vec<String> {
    let endpoints = cluster.endpoints();
    let client = url(endpoints.etcd_port);
    let peer = url(endpoints.etcd_peer_port);
    let mut flags = render([
        ("data-dir", cluster.inside("etcd")),
        ("listen-client-urls", client.clone()),
        ("advertise-client-urls", client),
        ("listen-peer-urls", peer.clone()),
        ("initial-advertise-peer-urls", peer.clone()),
        ("initial-cluster", format!("default={peer}")),
        ("log-level", "warn".to_owned()),
    ]);
    flags.push("--unsafe-no-fsync".to_owned());
    flags
}
