//! What etcd's revisions add.

use kogge_history::check::{Conflict, Problem};

use crate::story::{Story, put};

fn story() -> Story {
    Story::default()
}

#[test]
fn a_swap_by_revision() {
    let one = || story().put("a", "1", 10..20).at_revision(5);
    one().swap("b", "", "2", 30..40).comparing_revision(5).get("c", "2", 50..60).linearizable();
    one().differed("b", "", "2", 30..40).comparing_revision(0).linearizable();
    assert_eq!(one().differed("b", "", "2", 30..40).comparing_revision(5).blames(), "b");
    let other = one().put("a", "2", 30..40).at_revision(7);
    assert_eq!(other.swap("b", "", "3", 50..60).comparing_revision(5).at_revision(8).blames(), "b");
    // The revision of a write of unknown outcome is learned from who saw it.
    let seen = || one().unknown("b", put("2"), 30..40).get("c", "2", 50..60).of_revision(6);
    seen().swap("d", "", "3", 70..80).comparing_revision(6).at_revision(8).linearizable();
    assert_eq!(seen().swap("d", "", "3", 70..80).comparing_revision(5).at_revision(8).blames(), "d");
}

#[test]
fn revisions_order_what_overlaps() {
    let two = |first: u64| {
        let story = story().put("a", "1", 10..50).at_revision(first);
        story.put("b", "2", 20..60).at_revision(7)
    };
    two(5).get("c", "2", 70..80).linearizable();
    assert_eq!(two(5).get("c", "1", 70..80).blames(), "c");
    two(9).get("c", "1", 70..80).linearizable();
    let deleted = || two(5).delete("c", true, 20..60).at_revision(6);
    deleted().get("d", "2", 70..80).linearizable();
    assert_eq!(deleted().get_absent("d", 70..80).blames(), "d");
}

#[test]
fn a_write_with_a_lower_revision_than_one_before_it() {
    let fell = story().put("a", "1", 10..20).at_revision(7).put("b", "2", 30..40).at_revision(5);
    let conflicts = fell.conflicts();
    let words: Vec<String> = conflicts.iter().map(ToString::to_string).collect();
    let [
        Conflict { problem: Problem::NoOrder(order), .. },
        Conflict { problem: Problem::RevisionFell { .. }, .. },
    ] = &conflicts[..]
    else {
        panic!("{words:#?}");
    };
    assert!(order.operation.client == "a" && order.after.as_ref().is_some_and(|after| after.client == "b"));
    assert!(words[0].contains("by its revision it comes after:\n  client b: put \"2\""), "{words:#?}");
}

#[test]
fn the_revision_never_falls_over_all_keys() {
    let two = |second: u64| {
        let story = story().put("a", "1", 10..20).at_revision(7).on("first");
        story.get_absent("b", 30..40).at_revision(second).on("second")
    };
    two(7).linearizable();
    two(9).linearizable();
    let conflicts = two(6).conflicts();
    let [Conflict { problem: Problem::RevisionFell { earlier, later }, .. }] = &conflicts[..] else {
        panic!("{conflicts:?}");
    };
    assert_eq!((earlier.client.as_str(), later.client.as_str()), ("a", "b"));
    // A change has a later revision than what was read before.
    let read = story().get_absent("a", 10..20).at_revision(7).on("first");
    let conflicts = read.put("b", "1", 30..40).at_revision(7).on("second").conflicts();
    assert!(matches!(&conflicts[..], [Conflict { problem: Problem::RevisionFell { .. }, .. }]), "{conflicts:?}");
    // What overlaps may be in any order.
    let overlap = story().put("a", "1", 10..20).at_revision(7).on("first");
    overlap.get_absent("b", 15..40).at_revision(6).on("second").linearizable();
}

#[test]
fn a_change_has_a_revision_of_its_own() {
    let shared = story().put("a", "1", 10..20).at_revision(7).on("first");
    let conflicts = shared.put("b", "2", 15..25).at_revision(7).on("second").conflicts();
    assert!(matches!(&conflicts[..], [Conflict { problem: Problem::OneRevision { revision: 7, .. }, .. }]));
    let shown = story().put("a", "1", 10..20).at_revision(7).get("b", "1", 30..40).of_revision(8);
    let conflicts = shown.conflicts();
    assert!(matches!(&conflicts[..], [Conflict { problem: Problem::TwoRevisions { known: 7, .. }, .. }]));
}
