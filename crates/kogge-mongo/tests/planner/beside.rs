//! Cases that are kept beside the planner: by names, by discovery, by the teardown's record.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kogge_api::FederatedClusterSpec;
use kogge_api::anchor::mongodb::{AnchoredMember, Record};
use kogge_api::hysteresis::{ANSWERS_TO_RECOVER, Answered, Hysteresis};
use kogge_api::status::DeletionStatus;
use kogge_discovery::{Destination, Group, PodFact, PodPhase, Port, Source, mirror};
use kogge_engine::{Engine as _, GoalInput, Identity};
use kogge_mongo::{Goal, MemberId, MongoDb};
use kogge_plan::teardown::{DeletionState, deletion_record, deletion_state};

fn wanted(placements: &[&str], record: &Record) -> Goal {
    let identity = Identity {
        name: "ll2022".to_owned(),
        namespace: "databases".to_owned(),
        id: "abcdefgh".parse().unwrap(),
        cluster_domain: "cluster.local".to_owned(),
    };
    let placements: Vec<_> =
        placements.iter().map(|name| serde_json::json!({"name": name, "vdc": name})).collect();
    let spec: FederatedClusterSpec = serde_json::from_value(serde_json::json!({"placement": placements})).unwrap();
    MongoDb::goal(&GoalInput::unobserved(&identity, &spec, record))
}

#[test]
fn case_33_a_placement_that_comes_back_has_its_index_and_its_names_again_and_no_id_twice() {
    let member = |id| AnchoredMember { initialized: true, member_id: Some(id) };
    let pods = ["ll2022-shard-0-vdc1-0", "ll2022-shard-0-vdc2-0"];
    let mut record = Record {
        members: pods.iter().zip([0, 1]).map(|(pod, id)| ((*pod).to_owned(), member(id))).collect(),
        next_member_id: BTreeMap::from([("shard-0".to_owned(), 2)]),
        ..Record::default()
    };

    let before = wanted(&["vdc1", "vdc2"], &record);
    let without = wanted(&["vdc1"], &record);
    assert_eq!(without.sets[1].leaving[0].pod.as_str(), pods[1]);
    record.members.remove(pods[1]);
    let again = wanted(&["vdc2", "vdc1"], &record);
    for (was, is) in before.sets[1].ordered_members().into_iter().zip(again.sets[1].ordered_members()) {
        assert_eq!((&was.pod, &was.host, &was.placement), (&is.pod, &is.host, &is.placement));
    }
    let returned = again.sets[1].members.iter().find(|m| m.pod.as_str() == pods[1]).unwrap();
    assert_eq!(returned.anchor.member_id, None);
    assert_eq!(again.sets[1].next_member_id, 2);
    assert_eq!(again.sets[1].ordered_members()[0].anchor.member_id, Some(MemberId(0)));
}

#[test]
fn case_36_a_flapping_api_has_recovered_after_five_healthy_probes() {
    let mut api = Hysteresis::default();
    api.fall_silent();
    for _ in 1..ANSWERS_TO_RECOVER {
        assert_eq!(api.answer(), Answered::Recovering);
    }
    api.miss();
    for _ in 1..5 {
        assert_eq!(api.answer(), Answered::Recovering);
        assert!(api.is_silent());
    }
    assert_eq!(api.answer(), Answered::Recovered);
}

#[test]
fn case_46_no_owner_reference_crosses_clusters() {
    let group = Group {
        cluster: "ll2022".to_owned(),
        cluster_id: "abcdefgh".parse().unwrap(),
        component: "shard-0".to_owned(),
        name: "ll2022-shard-0-abcdefgh".to_owned(),
        namespace: "databases".to_owned(),
        service: "ll2022-shard-0".to_owned(),
        ports: vec![Port { name: "mongodb".to_owned(), number: 27017 }],
    };
    let pod = |vdc: u8| PodFact {
        name: format!("ll2022-shard-0-vdc{vdc}-0"),
        uid: format!("pod-of-{vdc}"),
        ips: vec![[10, vdc, 0, 1].into()],
        ready: true,
        terminating: false,
        phase: PodPhase::Running,
    };
    let source = |vdc: u8| Source {
        worker: format!("w{vdc}"),
        vdc: format!("vdc{vdc}"),
        current: true,
        pods: vec![pod(vdc)],
    };
    let destination = |vdc: u8| Destination {
        worker: format!("w{vdc}"),
        current: true,
        service_uid: Some(format!("service-of-w{vdc}")),
        slices: Vec::new(),
    };
    let vdcs = [1, 2, 3];
    let mirrored = mirror(&group, &vdcs.map(source), &vdcs.map(destination));
    assert_eq!(mirrored.slices.len(), 3);
    for (worker, slices) in &mirrored.slices {
        assert_eq!(slices.len(), 2, "one for each other data centre");
        let owners = slices.iter().flat_map(|slice| slice.metadata.owner_references.iter().flatten());
        for owner in owners {
            assert_eq!((owner.kind.as_str(), &owner.uid), ("Service", &format!("service-of-{worker}")));
        }
    }
}

#[test]
fn case_47_nothing_shortens_the_cool_off() {
    let at = |seconds: i64| Timestamp::from_second(seconds).unwrap();
    let hour = Duration::from_hours(1);
    let asked = Time(at(1_000));
    // What decides is the record alone: neither the spec, nor an error, nor a placement's silence enters.
    let record: DeletionStatus = deletion_record(&asked, None, hour);
    assert_eq!(record.executes_at, Time(at(4_600)));
    let due = |now, recorded, cool_off| deletion_state(at(now), &asked, recorded, cool_off) == DeletionState::Due;
    assert!(!due(9_999, None, Duration::ZERO), "what is not recorded yet is not due");
    assert!(!due(4_599, Some(&record), Duration::ZERO), "a spec that changed meanwhile shortens nothing");
    assert!(due(4_600, Some(&record), hour));
    let of_another = DeletionStatus { requested_at: Time(at(1)), ..record.clone() };
    assert!(!due(9_999, Some(&of_another), hour), "a record of another deletion counts for nothing");
}
