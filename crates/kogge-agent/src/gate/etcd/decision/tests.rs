//! What the gate decides before an etcd.

use std::collections::BTreeMap;

use kogge_api::ClusterId;
use kogge_api::anchor::etcd::{Seed, StartState};
use kogge_api::gate::Disk;

use super::*;
use crate::gate::look::Start as Started;

const POD: &str = "orders-etcd-vdc1-0";
const UID: &str = "uid-1";

fn allowed() -> Start {
    Start {
        uid: UID.to_owned(),
        state: StartState::Existing,
        token: "abcdefgh-0".to_owned(),
        initial_cluster: BTreeMap::from([
            ("http://a:2380".to_owned(), "a".to_owned()),
            ("http://b:2380".to_owned(), "b".to_owned()),
        ]),
    }
}

fn anchor(member: AnchoredMember) -> Anchor<Record> {
    let seed = Seed {
        pod: "orders-etcd-vdc9-0".to_owned(),
        incarnation: 0,
        member_id: Id(1),
        cluster_id: Id(9),
        restored_from: None,
    };
    Anchor {
        cluster_id: "abcdefgh".parse().unwrap(),
        name: "orders".to_owned(),
        resource: None,
        owner_uid: "owner".to_owned(),
        epoch: 1,
        spec_hash: String::new(),
        worker_uids: BTreeMap::new(),
        record: Record { changes: 1, seed: Some(seed), members: [(POD.to_owned(), member)].into() },
    }
}

fn member(member_id: Option<u64>, initialized: bool, start: Option<Start>) -> AnchoredMember {
    AnchoredMember { member_id: member_id.map(Id), initialized, start, ..AnchoredMember::default() }
}

fn seen(contents: &Contents, used: Option<&Start>) -> Seen {
    Seen { contents: contents.clone(), used: used.cloned(), kept: Vec::new(), shortage: None }
}

fn look_at(anchor: &Anchor<Record>, seen: &Seen) -> Result<Look, Hold> {
    let cluster_id: ClusterId = "abcdefgh".parse().unwrap();
    let me = Me { cluster_id: &cluster_id, component: "etcd", pod: POD, uid: Some(UID) };
    decide(&me, Ok(anchor), seen)
}

fn look(anchor: &Anchor<Record>, contents: &Contents, used: Option<&Start>) -> Result<Look, HoldReason> {
    look_at(anchor, &seen(contents, used)).map_err(|hold| hold.reason)
}

fn started(look: &Look) -> &Started {
    match &look.next {
        Next::Start(start) => start,
        other => panic!("{other:?}"),
    }
}

fn data(member_id: u64) -> Contents {
    Contents::Data(Owner { member_id: Id(member_id), cluster_id: Id(9) })
}

#[test]
fn an_empty_disk_waits_until_the_anchor_allows_this_pod_to_start() {
    let waits = look(&anchor(member(Some(7), false, None)), &Contents::Empty, None).unwrap();
    assert_eq!((waits.report.disk(), waits.next), (Some(Disk::Empty), Next::Wait));
    let mut other = allowed();
    other.uid = "uid-2".to_owned();
    assert_eq!(
        look(&anchor(member(Some(7), false, Some(other))), &Contents::Empty, None).unwrap().next,
        Next::Wait
    );
    let starts = look(&anchor(member(Some(7), false, Some(allowed()))), &Contents::Empty, None).unwrap();
    assert_eq!(
        started(&starts).flags,
        [
            "--initial-cluster-state=existing",
            "--initial-cluster-token=abcdefgh-0",
            "--initial-cluster=a=http://a:2380,b=http://b:2380",
        ]
    );
    let mut unseeded = anchor(member(Some(7), false, Some(allowed())));
    unseeded.record.seed = None;
    assert_eq!(look(&unseeded, &Contents::Empty, None).unwrap().next, Next::Wait, "half an anchor");
}

#[test]
fn a_start_is_used_once_and_an_empty_disk_after_it_is_a_lost_one() {
    let anchor = anchor(member(Some(7), false, Some(allowed())));
    assert_eq!(look(&anchor, &Contents::Empty, Some(&allowed())), Err(HoldReason::LostDisk));
    let again = look(&anchor, &Contents::Unused, Some(&allowed())).unwrap();
    assert_eq!(again.report.disk(), Some(Disk::Unused));
    assert!(started(&again).good_once.is_some(), "a start that ended before its log is taken up again");
    for contents in [Contents::Empty, Contents::Unused] {
        let held_data = self::anchor(member(Some(7), true, None));
        assert_eq!(look(&held_data, &contents, None), Err(HoldReason::LostDisk));
    }
}

#[test]
fn a_log_starts_as_existing_and_only_under_the_id_that_the_member_has() {
    for (known, initialized) in [(Some(7), true), (Some(7), false), (None, false)] {
        let starts = look(&anchor(member(known, initialized, None)), &data(7), None).unwrap();
        assert_eq!(started(&starts).flags, ["--initial-cluster-state=existing"]);
        assert_eq!(started(&starts).good_once, None);
        assert_eq!(starts.report.disk(), Some(Disk::Data));
    }
    assert_eq!(look(&anchor(member(Some(8), true, None)), &data(7), None), Err(HoldReason::OldDisk));
    let removed = AnchoredMember { removed: Some(Id(7)), ..member(None, false, None) };
    assert_eq!(look(&anchor(removed), &data(7), None), Err(HoldReason::OldDisk));
    let fenced = AnchoredMember { fenced: Some(Id(7)), removed: Some(Id(7)), ..member(None, false, None) };
    assert_eq!(look(&anchor(fenced), &data(7), None), Err(HoldReason::OldDisk));
}

#[test]
fn another_clusters_disk_and_what_is_no_disk_of_etcd_are_refused() {
    let foreign = Contents::Data(Owner { member_id: Id(7), cluster_id: Id(4) });
    assert_eq!(look(&anchor(member(Some(7), true, None)), &foreign, None), Err(HoldReason::ForeignDisk));
    let damaged = Contents::Damaged("backup.tar".to_owned());
    assert_eq!(look(&anchor(member(None, false, None)), &damaged, None), Err(HoldReason::DamagedDisk));
}

/// The seed of cluster 9, as member 7, that is restored from the data of member 5 of cluster 4 on this pod's disk.
fn restoring(initialized: bool, start: Option<Start>) -> Anchor<Record> {
    let mut anchor = anchor(AnchoredMember { removed: Some(Id(5)), ..member(Some(7), initialized, start) });
    let seed = anchor.record.seed.as_mut().unwrap();
    (seed.pod, seed.incarnation, seed.member_id) = (POD.to_owned(), 1, Id(7));
    seed.restored_from = Some(Id(4));
    anchor
}

fn begins() -> Start {
    let own = [("http://a:2380".to_owned(), POD.to_owned())];
    Start { state: StartState::New, token: "abcdefgh-1".to_owned(), initial_cluster: own.into(), ..allowed() }
}

fn former(member_id: u64) -> Contents {
    Contents::Data(Owner { member_id: Id(member_id), cluster_id: Id(4) })
}

#[test]
fn a_survivors_disk_is_restored_once_the_anchor_allows_that_in_this_pod() {
    let waits = look(&restoring(false, None), &former(5), None).unwrap();
    assert_eq!((waits.report.disk(), &waits.next), (Some(Disk::Data), &Next::Wait));
    let elsewhere = Start { uid: "uid-2".to_owned(), ..begins() };
    assert_eq!(look(&restoring(false, Some(elsewhere)), &former(5), None).unwrap().next, Next::Wait);
    let restores = look(&restoring(false, Some(begins())), &former(5), None).unwrap();
    assert_eq!(restores.report, waits.report, "a change of the report costs a start");
    let expected = Restore {
        from: Id(4),
        into: Owner { member_id: Id(7), cluster_id: Id(9) },
        name: POD.to_owned(),
        peer_url: "http://a:2380".to_owned(),
        token: "abcdefgh-1".to_owned(),
    };
    assert_eq!(restores.next, Next::Restore(Box::new(expected)));
    let joins = Start { initial_cluster: allowed().initial_cluster, ..begins() };
    for wrong in [joins, Start { state: StartState::Existing, ..begins() }] {
        assert_eq!(look(&restoring(false, Some(wrong)), &former(5), None), Err(HoldReason::NoAnchor));
    }
}

#[test]
fn what_was_restored_starts_once_and_is_not_restored_again() {
    let anchor = restoring(false, Some(begins()));
    let starts = look(&anchor, &data(7), None).unwrap();
    let noted: Start = serde_json::from_str(started(&starts).good_once.as_ref().unwrap()).unwrap();
    assert_eq!((noted, started(&starts).flags.len()), (begins(), 1));
    assert!(look(&anchor, &data(7), Some(&begins())).is_ok(), "its container is started again");
    // The former data are brought back by hand.
    assert_eq!(look(&anchor, &former(5), Some(&begins())), Err(HoldReason::OldDisk));
    assert_eq!(look(&restoring(true, None), &former(5), None), Err(HoldReason::OldDisk));
    assert_eq!(started(&look(&restoring(true, None), &data(7), None).unwrap()).good_once, None);
}

#[test]
fn no_other_disk_is_restored() {
    let anchor = restoring(false, Some(begins()));
    assert_eq!(look(&anchor, &former(6), None), Err(HoldReason::ForeignDisk), "another member's");
    for contents in [Contents::Empty, Contents::Unused] {
        assert_eq!(look(&anchor, &contents, None), Err(HoldReason::LostDisk), "nothing begins empty");
    }
    let mut other_pod = restoring(false, Some(begins()));
    other_pod.record.seed.as_mut().unwrap().pod = "orders-etcd-vdc2-0".to_owned();
    assert_eq!(
        look(&other_pod, &former(5), None),
        Err(HoldReason::OldDisk),
        "it was not the one that was approved"
    );
    let mut lost_since = restoring(false, Some(allowed()));
    lost_since.record.members.get_mut(POD).unwrap().member_id = Some(Id(8));
    assert!(
        !started(&look(&lost_since, &Contents::Empty, None).unwrap()).flags.is_empty(),
        "it joins as any member"
    );
}

#[test]
fn a_volume_without_room_holds_a_restore_and_nothing_else() {
    let full = |contents: &Contents| Seen {
        shortage: Some(Shortage { free: 12, needed: 700 }),
        kept: vec!["data.cluster-4".to_owned()],
        ..seen(contents, None)
    };
    let hold = look_at(&restoring(false, Some(begins())), &full(&former(5))).unwrap_err();
    assert!(hold.reason == HoldReason::Failed && hold.message.contains("700 MiB are needed"), "{hold}");
    let starts = look_at(&restoring(true, None), &full(&data(7))).unwrap();
    assert!(starts.report.to_string().contains("data.cluster-4"), "{}", starts.report);
}
