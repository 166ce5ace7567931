use std::collections::{BTreeMap, BTreeSet};

use kogge_discovery::{Destination, PodFact, PodPhase, Source, mirror};
use proptest::prelude::*;

use crate::support::{destination, group, pod, source};

fn any_pod(vdc: u32) -> impl Strategy<Value = PodFact> {
    let phase = prop_oneof![
        4 => Just(PodPhase::Running),
        1 => Just(PodPhase::Pending),
        1 => Just(PodPhase::Failed),
        1 => Just(PodPhase::Unknown),
    ];
    // Few addresses over all data centres, so that they are recycled and disputed.
    let ips = prop::collection::vec((0..9_u32).prop_map(|n| format!("10.0.0.{n}").parse().unwrap()), 0..3);
    (0..3_u32, ips, any::<bool>(), any::<bool>(), phase, 0..2_u32).prop_map(
        move |(ordinal, ips, ready, terminating, phase, life)| PodFact {
            uid: format!("uid-{vdc}-{ordinal}-{life}"),
            ips,
            ready,
            terminating,
            phase,
            ..pod(vdc, ordinal)
        },
    )
}

fn any_source(vdc: u32) -> impl Strategy<Value = Source> {
    (prop::collection::vec(any_pod(vdc), 0..4), any::<bool>()).prop_map(move |(pods, current)| {
        let pods: BTreeMap<String, PodFact> = pods.into_iter().map(|pod| (pod.name.clone(), pod)).collect();
        Source { current, ..source(vdc, pods.into_values().collect()) }
    })
}

fn any_sources() -> impl Strategy<Value = Vec<Source>> {
    (any_source(1), any_source(2), any_source(3)).prop_map(|(a, b, c)| vec![a, b, c])
}

fn destinations(of: impl Fn(u32) -> Vec<k8s_openapi::api::discovery::v1::EndpointSlice>) -> Vec<Destination> {
    (1..=3).map(|vdc| destination(vdc, of(vdc))).collect()
}

proptest! {
    /// Whatever was seen before and now: a current source is published by what it shows, one that is not
    /// current keeps what stands, and nobody's own pods come back to him.
    #[test]
    fn g1_g2_g4_hold_for_any_history(before in any_sources(), now in any_sources()) {
        let first = mirror(&group(), &before, &destinations(|_| vec![]));
        let written = destinations(|vdc| first.slices[&format!("w{vdc}")].clone());
        let second = mirror(&group(), &now, &written);
        prop_assert_eq!(&mirror(&group(), &now, &destinations(|vdc| second.slices[&format!("w{vdc}")].clone())), &second);
        for (worker, slices) in &second.slices {
            let own = worker.replace('w', "vdc");
            for slice in slices {
                let vdc = &slice.metadata.labels.as_ref().unwrap()["kogge.dev/source-vdc"];
                prop_assert_ne!(vdc, &own);
                let source = now.iter().find(|source| source.vdc == *vdc).unwrap();
                let hosts: BTreeSet<&str> = slice.endpoints.iter().filter_map(|e| e.hostname.as_deref()).collect();
                prop_assert_eq!(hosts.len(), slice.endpoints.len());
                if source.current {
                    for endpoint in &slice.endpoints {
                        let pod = source.pods.iter().find(|p| Some(&p.name) == endpoint.hostname.as_ref()).unwrap();
                        prop_assert_eq!(&endpoint.addresses, &vec![pod.ips[0].to_string()]);
                        prop_assert!(!pod.phase.is_terminal());
                    }
                } else {
                    prop_assert!(first.slices[worker].contains(slice), "it was frozen");
                }
            }
            for source in now.iter().filter(|source| !source.current && source.vdc != own) {
                let of = |slices: &[k8s_openapi::api::discovery::v1::EndpointSlice]| slices
                    .iter()
                    .filter(|s| s.metadata.labels.as_ref().unwrap()["kogge.dev/source-vdc"] == source.vdc)
                    .count();
                prop_assert_eq!(of(slices), of(&first.slices[worker]), "nothing of a silent source is removed");
            }
        }
    }
}
