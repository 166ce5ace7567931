use std::net::IpAddr;

use kogge_discovery::{Destination, PodFact, mirror, resolves_everywhere};
use rstest::rstest;

use crate::support::{destination, group, native, pod, source};

/// vdc1 has the pod and publishes it itself; vdc2 and vdc3 have it mirrored.
fn clusters() -> Vec<Destination> {
    let sources = [source(1, vec![pod(1, 0)]), source(2, vec![pod(2, 0)]), source(3, vec![])];
    let mirrored = mirror(&group(), &sources, &[1, 2, 3].map(|vdc| destination(vdc, vec![])));
    [1, 2, 3]
        .map(|vdc| {
            let mut slices = mirrored.slices[&format!("w{vdc}")].clone();
            slices.extend((vdc == 1).then(|| native(&[pod(1, 0)])));
            destination(vdc, slices)
        })
        .into()
}

fn stale(pod: &PodFact, clusters: &[Destination]) -> Vec<String> {
    resolves_everywhere(pod, clusters).stale.into_iter().collect()
}

#[test]
fn a_name_resolves_everywhere_once_every_cluster_shows_its_address() {
    assert!(resolves_everywhere(&pod(1, 0), &clusters()).is_everywhere());
}

#[test]
fn a_new_address_is_stale_where_it_is_not_shown_yet() {
    let moved: IpAddr = "10.1.0.99".parse().unwrap();
    let recreated = PodFact { ips: vec![moved], ..pod(1, 0) };
    let mut clusters = clusters();
    assert_eq!(stale(&recreated, &clusters), ["w1", "w2", "w3"]);
    clusters[0].slices = vec![native(std::slice::from_ref(&recreated))];
    assert_eq!(stale(&recreated, &clusters), ["w2", "w3"]);
}

#[test]
fn g2_a_second_address_is_stale() {
    let mut clusters = clusters();
    let other = PodFact { ips: vec!["10.1.0.99".parse().unwrap()], ..pod(1, 0) };
    clusters[0].slices.push(native(&[other]));
    assert_eq!(stale(&pod(1, 0), &clusters), ["w1"]);
}

#[rstest]
#[case::without_an_address(PodFact { ips: vec![], ..pod(1, 0) })]
#[case::of_another_name(pod(1, 5))]
fn a_pod_that_is_not_published_is_stale_everywhere(#[case] pod: PodFact) {
    assert_eq!(stale(&pod, &clusters()), ["w1", "w2", "w3"]);
}

#[test]
fn a03_a_cluster_that_was_not_seen_is_unknown() {
    let mut clusters = clusters();
    clusters[2].current = false;
    let resolution = resolves_everywhere(&pod(1, 0), &clusters);
    assert!(!resolution.is_everywhere() && resolution.is_everywhere_seen());
    assert!(resolution.unknown.contains("w3"));
}
