use std::collections::BTreeMap;

use kogge_api::ClusterId;
use kogge_api::anchor::mongodb::AnchoredMember;
use serde_json::json;

use super::*;

const POD: &str = "ll2022-shard-0-vdc1-0";

fn id() -> ClusterId {
    "abcdefgh".parse().unwrap()
}

/// An anchor where the next unused ID is `next`, with a record of the member.
fn anchor(next: u32, record: Option<(Option<u32>, bool)>) -> Anchor<Record> {
    let members: BTreeMap<_, _> = record
        .map(|(member_id, initialized)| (POD.to_owned(), AnchoredMember { initialized, member_id }))
        .into_iter()
        .collect();
    serde_json::from_value(json!({
        "clusterID": id(),
        "name": "ll2022",
        "ownerUID": "owner",
        "epoch": 1,
        "specHash": "",
        "nextMemberId": {"shard-0": next},
        "members": members,
    }))
    .unwrap()
}

fn marker(member_id: Option<u32>, since_member_id: u32) -> Marker {
    Marker { cluster_id: id(), pod: POD.to_owned(), member_id, since_member_id, was_empty: false }
}

/// The mark of a disk that was empty, and has held no data since.
fn unused(since_member_id: u32) -> Marker {
    Marker { was_empty: true, ..marker(None, since_member_id) }
}

fn disk(contents: Contents, marker: Option<Marker>) -> Disk {
    Disk { contents, marker: Ok(marker) }
}

fn remnants() -> Contents {
    Contents::Remnants { names: ["collection-0.wt".to_owned()].into() }
}

fn verdict(anchor: &Anchor<Record>, disk: &Disk) -> Result<Start, Hold> {
    let cluster_id = id();
    decide(&Me { cluster_id: &cluster_id, component: "shard-0", pod: POD, uid: None }, Ok(anchor), disk)
}

fn decide_on(anchor: &Anchor<Record>, disk: &Disk) -> Result<Marker, HoldReason> {
    verdict(anchor, disk).map(|start| start.marker).map_err(|hold| hold.reason)
}

fn found(anchor: &Anchor<Record>, disk: &Disk) -> Option<gate::Disk> {
    verdict(anchor, disk).ok().map(|start| start.disk)
}

#[test]
fn a_new_member_starts_on_an_empty_disk_and_on_what_its_first_start_left() {
    for record in [None, Some((None, false)), Some((Some(4), false))] {
        let expected = unused(record.and_then(|(member_id, _)| member_id).unwrap_or(7));
        let anchor = anchor(7, record);
        assert_eq!(decide_on(&anchor, &disk(Contents::Empty, None)), Ok(expected.clone()));
        assert_eq!(decide_on(&anchor, &disk(remnants(), Some(expected.clone()))), Ok(expected.clone()));
        assert_eq!(decide_on(&anchor, &disk(remnants(), None)), Ok(Marker { was_empty: false, ..expected }));
    }
}

#[test]
fn what_it_reports_of_a_disk_from_the_first_start_to_data_and_back() {
    let new = anchor(3, Some((Some(2), false)));
    let empty = disk(Contents::Empty, None);
    assert_eq!(found(&new, &empty), Some(gate::Disk::Empty));
    // The server has started on it, and has no data of a replica set as far as anybody knows.
    let mark = decide_on(&new, &empty).unwrap();
    let started = disk(Contents::Data, Some(mark.clone()));
    assert_eq!(found(&new, &started), Some(gate::Disk::Unused));
    assert_eq!(found(&new, &disk(remnants(), Some(mark))), Some(gate::Disk::Unused));
    // From now on it holds the member's data, and so it stays when the member leaves and is forgotten.
    let joined = anchor(3, Some((Some(2), true)));
    assert_eq!(found(&joined, &started), Some(gate::Disk::Data));
    let kept = disk(Contents::Data, Some(decide_on(&joined, &started).unwrap()));
    for later in [&joined, &anchor(3, None), &new] {
        assert_eq!(found(later, &kept), Some(gate::Disk::Data));
    }
    let back = disk(Contents::Data, Some(decide_on(&anchor(3, None), &kept).unwrap()));
    assert_eq!(found(&anchor(3, None), &back), Some(gate::Disk::Data));
    // What was there before Kogge may be anything.
    for contents in [Contents::Data, remnants()] {
        assert_eq!(found(&anchor(3, None), &disk(contents, None)), Some(gate::Disk::Data));
    }
    assert_eq!(found(&joined, &empty), None);
}

#[test]
fn a_member_that_held_data_never_starts_without_it() {
    let anchor = anchor(7, Some((Some(4), true)));
    for known in [None, Some(marker(Some(4), 0)), Some(marker(None, 0))] {
        assert_eq!(decide_on(&anchor, &disk(Contents::Empty, known.clone())), Err(HoldReason::LostDisk));
        assert_eq!(decide_on(&anchor, &disk(remnants(), known)), Err(HoldReason::DamagedDisk));
    }
}

#[test]
fn a_member_learns_its_id_when_it_starts_again() {
    let first = decide_on(&anchor(0, None), &disk(Contents::Empty, None)).unwrap();
    assert_eq!(first, unused(0));
    let again = decide_on(&anchor(3, Some((Some(1), true))), &disk(Contents::Data, Some(first))).unwrap();
    assert_eq!(again, marker(Some(1), 0));
}

#[test]
fn a_lost_disk_is_let_in_once_the_member_is_admitted_anew() {
    let lost = disk(Contents::Empty, None);
    assert_eq!(decide_on(&anchor(3, Some((Some(1), true))), &lost), Err(HoldReason::LostDisk));
    let admitted = anchor(4, Some((Some(3), false)));
    assert_eq!(decide_on(&admitted, &lost), Ok(unused(3)));
    // And the old disk is not let in beside it, before and after the new one held data.
    let old = disk(Contents::Data, Some(marker(Some(1), 0)));
    for initialized in [false, true] {
        assert_eq!(decide_on(&anchor(4, Some((Some(3), initialized))), &old), Err(HoldReason::OldDisk));
    }
}

/// An anchor that remembers that the member lost its disk as member `lost`, and what it is since.
fn anchor_after_loss(lost: u32, next: u32, record: (Option<u32>, bool)) -> Anchor<Record> {
    let mut anchor = anchor(next, Some(record));
    anchor.record.lost_disks.insert(POD.to_owned(), lost);
    anchor
}

#[test]
fn a_disk_that_was_lost_before_it_learnt_its_id_is_not_let_in_again() {
    let first = decide_on(&anchor(0, None), &disk(Contents::Empty, None)).unwrap();
    let second = decide_on(&anchor_after_loss(1, 4, (Some(3), false)), &disk(Contents::Empty, None)).unwrap();
    for initialized in [false, true] {
        let admitted = anchor_after_loss(1, 4, (Some(3), initialized));
        assert_eq!(decide_on(&admitted, &disk(Contents::Data, Some(first.clone()))), Err(HoldReason::OldDisk));
        assert_eq!(decide_on(&admitted, &disk(Contents::Data, None)), Err(HoldReason::OldDisk));
        let since = decide_on(&admitted, &disk(Contents::Data, Some(second.clone())));
        assert_eq!(since, Ok(if initialized { marker(Some(3), 3) } else { unused(3) }));
    }
    // The second disk is lost as well, whether or not it learnt its ID.
    let third = decide_on(&anchor_after_loss(3, 6, (Some(5), false)), &disk(Contents::Empty, None)).unwrap();
    let admitted = anchor_after_loss(3, 6, (Some(5), true));
    for old in [first, second, marker(Some(3), 3), marker(Some(3), 4)] {
        let answer = decide_on(&admitted, &disk(Contents::Data, Some(old.clone())));
        assert_eq!(answer, Err(HoldReason::OldDisk), "{old:?}");
    }
    assert_eq!(decide_on(&admitted, &disk(Contents::Data, Some(third))), Ok(marker(Some(5), 5)));
}

#[test]
fn a_member_whose_reservation_is_renewed_keeps_its_disk() {
    let first = decide_on(&anchor(4, None), &disk(Contents::Empty, None)).unwrap();
    // It waits as member 5 and starts again, then gets 7 because another one got 6 in between.
    let waiting = decide_on(&anchor(6, Some((Some(5), false))), &disk(Contents::Data, Some(first))).unwrap();
    for initialized in [false, true] {
        let renewed = anchor(8, Some((Some(7), initialized)));
        let answer = decide_on(&renewed, &disk(Contents::Data, Some(waiting.clone())));
        assert_eq!(answer, Ok(if initialized { marker(Some(7), 4) } else { unused(4) }));
    }
}

/// Every mark with every anchor that a member goes through. A disk with data is let in (`+`), is one from before
/// (`-`), or is newer than the anchor (`?`).
#[test]
fn whose_disk_it_is_by_its_mark_and_the_anchor() {
    let record = |next, member_id, initialized| anchor(next, Some((member_id, initialized)));
    let fenced = |mut anchor: Anchor<Record>| {
        anchor.record.fenced.insert(POD.to_owned(), 2);
        anchor
    };
    let anchors = [
        ("not initialized, no ID yet", record(2, None, false)),
        ("reserved as 2", record(3, Some(2), false)),
        ("initialized as 2", record(3, Some(2), true)),
        ("its reservation renewed, or renumbered, to 5", record(6, Some(5), false)),
        ("initialized as 5 after that", record(6, Some(5), true)),
        ("readmitted as 5 after its disk was lost", anchor_after_loss(2, 6, (Some(5), false))),
        ("initialized as 5 after that", anchor_after_loss(2, 6, (Some(5), true))),
        ("its reservation renewed to 7 after that", anchor_after_loss(2, 8, (Some(7), false))),
        ("initialized as 7 after that", anchor_after_loss(2, 8, (Some(7), true))),
        ("its disk lost again, and readmitted as 7", anchor_after_loss(5, 8, (Some(7), false))),
        ("initialized as 7 after that", anchor_after_loss(5, 8, (Some(7), true))),
        ("given up as 2", fenced(record(3, Some(2), true))),
        ("let in again as 5 after it was given up", fenced(record(6, Some(5), true))),
        ("left, and its record is gone", anchor(8, None)),
    ];
    let disks = [
        ("without a mark", None, "+++++--------+"),
        ("made before it had an ID, never started again", Some(marker(None, 1)), "+++++--------+"),
        ("made while 2 was reserved, never started again", Some(marker(None, 2)), "+++++--------+"),
        ("of member 2", Some(marker(Some(2), 1)), "?++----------+"),
        ("of member 2, made and marked by an earlier gate", Some(marker(Some(2), 3)), "?++----------+"),
        ("made while 5 was reserved, never started again", Some(marker(None, 5)), "???++++++--?++"),
        ("of member 5", Some(marker(Some(5), 5)), "???++++----?++"),
        ("of member 5, made before it had an ID", Some(marker(Some(5), 1)), "???++++----?++"),
        ("made while 7 was reserved, never started again", Some(marker(None, 7)), "???????++++??+"),
        ("of member 7", Some(marker(Some(7), 7)), "???????++++??+"),
    ];
    for (what, mark, expected) in disks {
        let answers =
            anchors.iter().map(|(_, anchor)| match decide_on(anchor, &disk(Contents::Data, mark.clone())) {
                Ok(marked) => {
                    let record = anchor.record.members.get(POD).filter(|record| record.initialized);
                    assert_eq!(marked.member_id, record.and_then(|record| record.member_id), "{what}");
                    '+'
                }
                Err(HoldReason::OldDisk) => '-',
                Err(HoldReason::NoAnchor) => '?',
                Err(other) => panic!("{other} of a disk {what}"),
            });
        let answers: String = answers.collect();
        let differs: Vec<&str> = anchors
            .iter()
            .zip(answers.chars().zip(expected.chars()))
            .filter(|(_, (is, shall))| is != shall)
            .map(|((anchor, _), _)| *anchor)
            .collect();
        assert_eq!(answers, expected, "a disk {what}, and the member is {differs:?}");
    }
}

#[test]
fn a_member_that_left_comes_back_with_its_volume_and_restarts() {
    let kept = disk(Contents::Data, Some(marker(Some(4), 0)));
    let back = decide_on(&anchor(7, None), &kept).unwrap();
    assert_eq!(back, marker(None, 5));
    let admitted = anchor(8, Some((Some(7), true)));
    assert_eq!(decide_on(&admitted, &disk(Contents::Data, Some(back))), Ok(marker(Some(7), 5)));
}

#[test]
fn data_from_before_there_was_a_gate_is_let_in_and_marked() {
    let unmarked = disk(Contents::Data, None);
    assert_eq!(decide_on(&anchor(3, Some((Some(1), true))), &unmarked), Ok(marker(Some(1), 0)));
}

#[test]
fn the_disk_of_another_member_or_database_is_refused() {
    let mut other_pod = marker(Some(1), 0);
    other_pod.pod = "ll2022-shard-0-vdc2-0".to_owned();
    let mut other_database = marker(Some(1), 0);
    other_database.cluster_id = "zzzzzzzz".parse().unwrap();
    for other in [other_pod, other_database] {
        for record in [None, Some((Some(1), false)), Some((Some(1), true))] {
            let refused = decide_on(&anchor(3, record), &disk(Contents::Data, Some(other.clone())));
            assert_eq!(refused, Err(HoldReason::ForeignDisk));
        }
    }
    let torn = Disk { contents: Contents::Data, marker: Err("not JSON".to_owned()) };
    assert_eq!(decide_on(&anchor(3, Some((Some(1), true))), &torn), Err(HoldReason::DamagedDisk));
}

#[test]
fn a_member_that_was_given_up_comes_back_only_empty() {
    let mut anchor = anchor(7, None);
    anchor.record.fenced.insert(POD.to_owned(), 3);
    for old in [None, Some(marker(None, 0)), Some(marker(Some(3), 0)), Some(marker(Some(1), 3))] {
        assert_eq!(decide_on(&anchor, &disk(Contents::Data, old.clone())), Err(HoldReason::OldDisk), "{old:?}");
    }
    let back = decide_on(&anchor, &disk(Contents::Empty, None)).unwrap();
    assert_eq!(back, unused(7));
    for record in [None, Some((Some(7), false)), Some((Some(7), true))] {
        let mut later = self::anchor(8, record);
        later.record.fenced.insert(POD.to_owned(), 3);
        assert!(decide_on(&later, &disk(Contents::Data, Some(back.clone()))).is_ok());
    }
}

#[test]
fn an_anchor_that_is_missing_of_another_database_or_older_than_the_disk_holds() {
    let cluster_id = id();
    let me = Me { cluster_id: &cluster_id, component: "shard-0", pod: POD, uid: None };
    for contents in [Contents::Empty, remnants(), Contents::Data] {
        let Err(hold) = decide(&me, Err("no such file"), &disk(contents.clone(), None)) else {
            panic!("let in");
        };
        assert!(hold.reason == HoldReason::NoAnchor && hold.message.contains("no such file"), "{hold}");
        let mut other = anchor(3, None);
        other.cluster_id = "zzzzzzzz".parse().unwrap();
        assert_eq!(decide_on(&other, &disk(contents, None)), Err(HoldReason::NoAnchor));
    }
    let newer = disk(Contents::Data, Some(marker(Some(5), 5)));
    assert_eq!(decide_on(&anchor(3, Some((Some(1), true))), &newer), Err(HoldReason::NoAnchor));
    assert_eq!(decide_on(&anchor(4, None), &newer), Err(HoldReason::NoAnchor));
}

/// Every disk with every anchor: what must hold of the answer, whatever the rules are.
#[test]
fn whatever_comes_together_the_answer_is_safe() {
    let ids = [None, Some(1), Some(3)];
    let records: Vec<_> = ids
        .into_iter()
        .flat_map(|id| [false, true].map(|initialized| Some((id, initialized))))
        .chain([None])
        .collect();
    let markers: Vec<_> = ids
        .into_iter()
        .flat_map(|id| [0, 2, 4].map(|since| Some(marker(id, since))))
        .chain([Some(unused(0)), Some(unused(4))])
        .chain([None, Some(Marker { pod: "other".to_owned(), ..marker(Some(1), 0) })])
        .collect();
    let mut seen = 0;
    for record in &records {
        for (fenced, lost) in ids.into_iter().flat_map(|fenced| ids.map(|lost| (fenced, lost))) {
            let mut anchor = anchor(4, *record);
            anchor.record.lost_disks.extend(lost.map(|lost| (POD.to_owned(), lost)));
            anchor.record.fenced.extend(fenced.map(|lost| (POD.to_owned(), lost)));
            for contents in [Contents::Empty, remnants(), Contents::Data] {
                for known in &markers {
                    seen += 1;
                    let Ok(marked) = decide_on(&anchor, &disk(contents.clone(), known.clone())) else { continue };
                    let case = format!("{record:?} {fenced:?} {lost:?} {contents:?} {known:?}");
                    let initialized = record.is_some_and(|(_, initialized)| initialized);
                    assert!(contents == Contents::Data || !initialized, "{case}");
                    let reported = found(&anchor, &disk(contents.clone(), known.clone())).unwrap();
                    assert_eq!(reported == gate::Disk::Empty, contents == Contents::Empty, "{case}");
                    let has_been_empty = known.as_ref().is_some_and(|known| known.was_empty);
                    assert!(reported != gate::Disk::Unused || has_been_empty && !initialized, "{case}");
                    if contents == Contents::Data {
                        assert!(known.as_ref().is_none_or(|known| known.pod == POD), "{case}");
                        assert!(fenced.or(lost).is_none() || known.is_some(), "{case}");
                    }
                    let held_data_as =
                        record.and_then(|(member_id, initialized)| member_id.filter(|_| initialized));
                    let learnt = held_data_as.filter(|id| *id >= marked.since_member_id);
                    assert_eq!(marked.member_id, learnt, "{case}");
                    // Once the server has written its data, it starts again and the mark stays.
                    assert_eq!(
                        decide_on(&anchor, &disk(Contents::Data, Some(marked.clone()))),
                        Ok(marked),
                        "{case}"
                    );
                }
            }
        }
    }
    assert_eq!(seen, 7 * 9 * 3 * 13);
}
