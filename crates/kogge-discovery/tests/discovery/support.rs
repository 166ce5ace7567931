//! A group over three clusters, as short as a table needs it.

use k8s_openapi::api::discovery::v1::EndpointSlice;
use kogge_discovery::{Destination, Group, Mirrored, PodFact, PodPhase, Port, Source};
use serde_json::json;

pub(crate) fn group() -> Group {
    Group {
        cluster: "ll2022".to_owned(),
        cluster_id: "abcdefgh".parse().unwrap(),
        component: "shard-0".to_owned(),
        name: "ll2022-shard-0-abcdefgh".to_owned(),
        namespace: "databases".to_owned(),
        service: "ll2022-shard-0".to_owned(),
        ports: vec![Port { name: "mongodb".to_owned(), number: 27017 }],
    }
}

pub(crate) fn pod_name(vdc: u32, ordinal: u32) -> String {
    format!("ll2022-shard-0-vdc{vdc}-{ordinal}")
}

pub(crate) fn pod(vdc: u32, ordinal: u32) -> PodFact {
    PodFact {
        name: pod_name(vdc, ordinal),
        uid: format!("uid-{vdc}-{ordinal}"),
        ips: vec![format!("10.{vdc}.0.{}", ordinal + 1).parse().unwrap()],
        ready: true,
        terminating: false,
        phase: PodPhase::Running,
    }
}

pub(crate) fn source(vdc: u32, pods: Vec<PodFact>) -> Source {
    Source { worker: format!("w{vdc}"), vdc: format!("vdc{vdc}"), current: true, pods }
}

pub(crate) fn destination(vdc: u32, slices: Vec<EndpointSlice>) -> Destination {
    Destination { worker: format!("w{vdc}"), current: true, service_uid: Some(format!("service-{vdc}")), slices }
}

/// A slice as kube-controller-manager makes it for a cluster's own pods.
pub(crate) fn native(pods: &[PodFact]) -> EndpointSlice {
    let endpoints: Vec<_> = pods
        .iter()
        .map(|pod| json!({"addresses": [pod.ips[0]], "hostname": pod.name, "conditions": {"ready": true}}))
        .collect();
    serde_json::from_value(json!({
        "metadata": {"name": "ll2022-shard-0-x7k2p", "labels": {
            "kubernetes.io/service-name": "ll2022-shard-0",
            "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io"}},
        "addressType": "IPv4", "endpoints": endpoints,
    }))
    .unwrap()
}

/// Each host name of a destination's slices with its addresses, in order.
pub(crate) fn names(mirrored: &Mirrored, worker: &str) -> Vec<(String, String)> {
    mirrored.slices[worker]
        .iter()
        .flat_map(|slice| &slice.endpoints)
        .map(|endpoint| (endpoint.hostname.clone().unwrap(), endpoint.addresses.join("+")))
        .collect()
}

pub(crate) fn named(pairs: &[(u32, u32, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(vdc, ordinal, ip)| (pod_name(*vdc, *ordinal), (*ip).to_owned())).collect()
}
