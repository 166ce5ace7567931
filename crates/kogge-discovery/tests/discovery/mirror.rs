use k8s_openapi::api::discovery::v1::EndpointSlice;
use kogge_api::conditions::Status;
use kogge_discovery::{Destination, Mirrored, PodFact, PodPhase, Source, mirror};
use rstest::rstest;
use serde_json::json;

use crate::support::{destination, group, named, names, native, pod, source};

fn three() -> Vec<Source> {
    vec![source(1, vec![pod(1, 0)]), source(2, vec![pod(2, 0)]), source(3, vec![pod(3, 0), pod(3, 1)])]
}

fn destinations() -> Vec<Destination> {
    (1..=3).map(|vdc| destination(vdc, vec![])).collect()
}

/// The same clusters after what was mirrored was written.
fn written(mirrored: &Mirrored) -> Vec<Destination> {
    (1..=3).map(|vdc| destination(vdc, mirrored.slices[&format!("w{vdc}")].clone())).collect()
}

fn settled() -> (Mirrored, Vec<Destination>) {
    let first = mirror(&group(), &three(), &destinations());
    let written = written(&first);
    (first, written)
}

#[test]
fn a_slice_is_as_the_reference_says() {
    let starting = PodFact { ready: false, ..pod(2, 0) };
    let mirrored = mirror(&group(), &[source(1, vec![]), source(2, vec![starting])], &[destination(1, vec![])]);
    let expected = json!({
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": "ll2022-shard-0-vdc2-v4",
            "namespace": "databases",
            "labels": {
                "app.kubernetes.io/managed-by": "kogge.dev",
                "endpointslice.kubernetes.io/managed-by": "kogge.dev",
                "kogge.dev/cluster": "ll2022",
                "kogge.dev/cluster-id": "abcdefgh",
                "kogge.dev/component": "shard-0",
                "kogge.dev/group": "ll2022-shard-0-abcdefgh",
                "kogge.dev/source-vdc": "vdc2",
                "kubernetes.io/service-name": "ll2022-shard-0",
                "service.kubernetes.io/headless": "",
            },
            "annotations": {"kogge.dev/pod-uids": "{\"ll2022-shard-0-vdc2-0\":\"uid-2-0\"}"},
            "ownerReferences": [{"apiVersion": "v1", "kind": "Service", "name": "ll2022-shard-0", "uid": "service-1"}],
        },
        "addressType": "IPv4",
        "endpoints": [{
            "addresses": ["10.2.0.1"],
            "conditions": {"ready": true, "serving": false, "terminating": false},
            "hostname": "ll2022-shard-0-vdc2-0",
        }],
        "ports": [{"name": "mongodb", "port": 27017, "protocol": "TCP"}],
    });
    assert_eq!(serde_json::to_value(&mirrored.slices["w1"]).unwrap(), json!([expected]));
}

#[test]
fn g2_every_cluster_gets_the_others_pods_and_never_its_own() {
    let mirrored = mirror(&group(), &three(), &destinations());
    assert_eq!(names(&mirrored, "w1"), named(&[(2, 0, "10.2.0.1"), (3, 0, "10.3.0.1"), (3, 1, "10.3.0.2")]));
    assert_eq!(names(&mirrored, "w3"), named(&[(1, 0, "10.1.0.1"), (2, 0, "10.2.0.1")]));
    assert_eq!(mirrored.report.finding().status, Status::False);
}

#[test]
fn g2_one_address_per_name_and_family() {
    let dual = PodFact {
        ips: ["fd02::1", "10.2.0.1", "10.2.0.9", "fd02::9"].map(|ip| ip.parse().unwrap()).into(),
        ..pod(2, 0)
    };
    let mirrored = mirror(&group(), &[source(2, vec![dual])], &[destination(1, vec![])]);
    assert_eq!(names(&mirrored, "w1"), named(&[(2, 0, "10.2.0.1"), (2, 0, "fd02::1")]));
    let kinds: Vec<(&str, &str)> = mirrored.slices["w1"]
        .iter()
        .map(|slice| (slice.metadata.name.as_deref().unwrap(), slice.address_type.as_str()))
        .collect();
    assert_eq!(kinds, [("ll2022-shard-0-vdc2-v4", "IPv4"), ("ll2022-shard-0-vdc2-v6", "IPv6")]);
}

#[test]
fn two_clusters_of_one_vdc_share_a_slice_and_see_each_other() {
    let twin = Source { worker: "w2b".to_owned(), ..source(2, vec![pod(2, 7)]) };
    let to_twin = Destination { worker: "w2b".to_owned(), ..destination(2, vec![]) };
    let sources = [source(2, vec![pod(2, 0)]), twin];
    let mirrored = mirror(&group(), &sources, &[destination(1, vec![]), destination(2, vec![]), to_twin]);
    assert_eq!(names(&mirrored, "w1"), named(&[(2, 0, "10.2.0.1"), (2, 7, "10.2.0.8")]));
    assert_eq!(names(&mirrored, "w2"), named(&[(2, 7, "10.2.0.8")]));
    assert_eq!(names(&mirrored, "w2b"), named(&[(2, 0, "10.2.0.1")]));
}

#[test]
fn a05_the_same_observation_makes_the_same_slices() {
    let (first, written) = settled();
    let mut shuffled = three();
    shuffled.reverse();
    shuffled[0].pods.reverse();
    assert_eq!(mirror(&group(), &shuffled, &written), first);
}

#[rstest]
#[case::not_ready(PodFact { ready: false, ..pod(2, 0) }, true)]
#[case::starting(PodFact { ready: false, phase: PodPhase::Pending, ..pod(2, 0) }, true)]
#[case::node_lost(PodFact { ready: false, phase: PodPhase::Unknown, ..pod(2, 0) }, true)]
#[case::g4_terminating(PodFact { terminating: true, ..pod(2, 0) }, true)]
#[case::g4_ended(PodFact { phase: PodPhase::Failed, ..pod(2, 0) }, false)]
#[case::g1_without_an_address(PodFact { ips: vec![], ..pod(2, 0) }, false)]
fn g6_a_pod_has_its_name_before_it_is_ready_and_until_it_is_gone(#[case] pod: PodFact, #[case] there: bool) {
    let terminating = pod.terminating;
    let mirrored = mirror(&group(), &[source(2, vec![pod])], &[destination(1, vec![])]);
    assert_eq!(names(&mirrored, "w1").len(), usize::from(there));
    if let Some(slice) = mirrored.slices["w1"].first() {
        let conditions = slice.endpoints[0].conditions.as_ref().unwrap();
        assert_eq!((conditions.ready, conditions.terminating), (Some(true), Some(terminating)));
    }
}

#[test]
fn g1_a_recreated_pod_has_only_its_new_address() {
    let (_, written) = settled();
    let mut sources = three();
    sources[1].pods[0].ips = vec!["10.2.0.77".parse().unwrap()];
    sources[1].pods[0].uid = "uid-new".to_owned();
    let mirrored = mirror(&group(), &sources, &written);
    assert!(names(&mirrored, "w1").contains(&named(&[(2, 0, "10.2.0.77")])[0]));
    assert_eq!(names(&mirrored, "w1").len(), 3);
}

#[test]
fn g4_a_name_goes_when_its_pod_was_seen_to_be_gone() {
    let (_, written) = settled();
    let mut sources = three();
    sources[1].pods.clear();
    sources[2].pods.pop();
    let mirrored = mirror(&group(), &sources, &written);
    assert_eq!(names(&mirrored, "w1"), named(&[(3, 0, "10.3.0.1")]));
    assert_eq!(mirrored.slices["w1"].len(), 1, "an empty slice is not desired any more");
}

#[rstest]
#[case::with_an_empty_list(vec![])]
#[case::with_a_partial_list(vec![pod(3, 1)])]
#[case::with_a_new_address(vec![PodFact { ips: vec!["10.3.9.9".parse().unwrap()], ..pod(3, 0) }])]
fn g4_a_source_that_is_not_current_freezes_its_slices(#[case] pods: Vec<PodFact>) {
    let (first, written) = settled();
    let mut sources = three();
    sources[2] = Source { current: false, ..source(3, pods) };
    sources[1].pods[0].ips = vec!["10.2.0.77".parse().unwrap()];
    let mirrored = mirror(&group(), &sources, &written);
    assert_eq!(names(&mirrored, "w1"), named(&[(2, 0, "10.2.0.77"), (3, 0, "10.3.0.1"), (3, 1, "10.3.0.2")]));
    assert_eq!(mirrored.slices["w1"][1], first.slices["w1"][1], "unchanged to the byte, so nothing is written");
    let finding = mirrored.report.finding();
    assert_eq!((finding.status, finding.reason.as_str()), (Status::True, "SourceSilent"));
    assert!(finding.message.contains("vdc3"), "{}", finding.message);
}

#[test]
fn g4_a_frozen_slice_loses_what_the_api_server_and_the_writer_added() {
    let (first, mut written) = settled();
    for slice in &mut written[0].slices {
        slice.metadata.uid = Some("u".to_owned());
        slice.metadata.resource_version = Some("9".to_owned());
        slice.metadata.annotations.as_mut().unwrap().insert("kogge.dev/applied-hash".into(), "h".into());
    }
    let silent: Vec<Source> = three().into_iter().map(|source| Source { current: false, ..source }).collect();
    assert_eq!(mirror(&group(), &silent, &written).slices["w1"], first.slices["w1"]);
}

#[test]
fn g4_a_vdc_that_nobody_speaks_of_keeps_its_names() {
    let (first, written) = settled();
    let mirrored = mirror(&group(), &three()[..2], &written);
    assert_eq!(mirrored.slices, first.slices);
}

#[test]
fn no_slice_is_made_before_a_sources_first_complete_list() {
    let sources = [Source { current: false, ..source(2, vec![pod(2, 0)]) }];
    assert_eq!(names(&mirror(&group(), &sources, &[destination(1, vec![])]), "w1"), []);
}

#[test]
fn a_destination_that_is_not_current_holds_up_nobody_else() {
    let mut destinations = destinations();
    destinations[0].current = false;
    destinations[1].service_uid = None;
    let mirrored = mirror(&group(), &three(), &destinations);
    assert_eq!(mirrored.slices.keys().collect::<Vec<_>>(), ["w3"]);
    let finding = mirrored.report.finding();
    assert_eq!(finding.reason, "DestinationSilent");
    assert!(finding.message.contains("w1") && finding.message.contains("w2"), "{}", finding.message);
}

#[test]
fn a_slice_of_a_clusters_own_pods_is_not_desired() {
    let (first, _) = settled();
    let bogus: Vec<EndpointSlice> = first.slices["w1"].iter().take(1).cloned().collect();
    let mirrored = mirror(&group(), &three(), &[destination(2, bogus)]);
    assert!(!names(&mirrored, "w2").iter().any(|(name, _)| name.contains("vdc2")));
}

#[test]
fn the_slices_that_kubernetes_makes_are_never_taken_for_ours() {
    let mirrored = mirror(&group(), &[source(1, vec![pod(1, 0)])], &[destination(1, vec![native(&[pod(1, 0)])])]);
    assert_eq!(mirrored.slices["w1"], vec![]);
}

#[test]
fn a_slice_of_another_manager_is_not_taken_over() {
    let (first, _) = settled();
    let mut theirs = first.slices["w1"][0].clone();
    let labels = theirs.metadata.labels.as_mut().unwrap();
    labels.insert("endpointslice.kubernetes.io/managed-by".to_owned(), "somebody".to_owned());
    let silent = [Source { current: false, ..source(2, vec![]) }];
    assert_eq!(mirror(&group(), &silent, &[destination(1, vec![theirs])]).slices["w1"], vec![]);
}

#[test]
fn g1_a_recycled_address_belongs_to_the_pod_that_stays() {
    let leaving = PodFact { terminating: true, ips: pod(2, 1).ips, ..pod(2, 0) };
    let mirrored = mirror(&group(), &[source(2, vec![leaving, pod(2, 1)])], &[destination(1, vec![])]);
    assert_eq!(names(&mirrored, "w1"), named(&[(2, 1, "10.2.0.2")]));
    let ended = PodFact { phase: PodPhase::Succeeded, ips: pod(2, 1).ips, ..pod(2, 0) };
    let mirrored = mirror(&group(), &[source(2, vec![ended, pod(2, 1)])], &[destination(1, vec![])]);
    assert_eq!(names(&mirrored, "w1"), named(&[(2, 1, "10.2.0.2")]));
    assert!(mirrored.report.disputed.is_empty());
}

#[rstest]
#[case::both_stay(false)]
#[case::both_leave(true)]
fn g5_an_address_that_two_pods_claim_is_nobodys(#[case] terminating: bool) {
    let owner = PodFact { terminating, ..pod(2, 0) };
    let thief = PodFact { terminating, ips: pod(2, 0).ips, ..pod(3, 0) };
    let sources = [source(2, vec![owner]), source(3, vec![thief, pod(3, 1)])];
    let mirrored = mirror(&group(), &sources, &[destination(1, vec![])]);
    assert_eq!(names(&mirrored, "w1"), named(&[(3, 1, "10.3.0.2")]));
    let finding = mirrored.report.finding();
    assert_eq!(finding.reason, "AddressDisputed");
    assert!(finding.message.contains("ll2022-shard-0-vdc2-0, ll2022-shard-0-vdc3-0"), "{}", finding.message);
}
