//! What a store may do, and what it must not.

use kogge_history::check::{Held, Shown};
use kogge_history::history::Operation;

use crate::story::{MILLISECOND, Story, put, swap};

fn story() -> Story {
    Story::default()
}

#[test]
fn one_after_another() {
    let all = story().get_absent("a", 0..5).put("a", "1", 10..20).get("b", "1", 30..40);
    let all = all.swap("a", "1", "2", 50..60).differed("b", "1", "3", 70..80).get("b", "2", 90..100);
    let all = all.delete("a", true, 110..120).delete("a", false, 130..140).get_absent("b", 150..160);
    all.create("a", "4", 170..180).get("b", "4", 190..200).linearizable();
}

#[test]
fn what_overlaps_may_be_in_any_order() {
    let two = || story().put("a", "1", 10..50).put("b", "2", 20..60);
    two().get("c", "1", 70..80).linearizable();
    two().get("c", "2", 70..80).linearizable();
    two().get("c", "1", 30..35).get("d", "2", 40..45).linearizable();
    two().get("c", "2", 30..35).get("d", "1", 40..45).linearizable();
    assert_eq!(two().get("c", "1", 70..80).get("d", "2", 90..95).blames(), "d");
}

#[test]
fn a_return_and_a_call_at_one_moment_overlap() {
    story().put("a", "1", 10..20).get_absent("b", 20..30).linearizable();
    assert_eq!(story().put("a", "1", 10..20).get_absent("b", 21..30).blames(), "b");
}

#[test]
fn a_stale_read() {
    let stale = story().put("a", "1", 10..20).put("b", "2", 30..40).get("c", "1", 50..60);
    let (problem, words) = stale.no_order();
    assert_eq!(problem.operation.client, "c");
    assert!(matches!(&problem.shown, Shown::WrittenBy(writer) if writer.client == "a"), "{problem:?}");
    assert!(matches!(&problem.held[..], [Held::WrittenBy(writer)] if writer.client == "b"), "{problem:?}");
    assert_eq!(
        words,
        "no order of the operations on key \"k\" has a place for this one:\n  \
         client c: get, answered \"1\" (0.040000 s to 0.050000 s)\n\
         what it saw was written by:\n  \
         client a: put \"1\", written (0.000000 s to 0.010000 s)\n\
         by all that was answered until it returned, the key can only be:\n  \
         what was written by client b: put \"2\", written (0.020000 s to 0.030000 s)\n\
         no other change was running"
    );
}

#[test]
fn a_lost_update() {
    let one = || story().put("a", "1", 10..20);
    // Both read 1 and replaced it, of which the second is lost.
    assert_eq!(one().swap("b", "1", "2", 30..40).swap("c", "1", "3", 50..60).blames(), "c");
    one().swap("b", "1", "2", 30..60).differed("c", "1", "3", 40..50).linearizable();
    let both = one().swap("b", "1", "2", 30..60).swap("c", "1", "3", 40..50);
    let (problem, _) = both.no_order();
    assert_eq!(problem.operation.client, "b");
    // An acknowledged put that is gone.
    assert_eq!(one().put("b", "2", 30..40).swap("c", "1", "3", 50..60).blames(), "c");
    assert_eq!(one().create("b", "2", 30..40).blames(), "b");
}

#[test]
fn what_is_unknown_may_have_happened_or_not() {
    let one = || story().put("a", "1", 10..20).unknown("b", put("2"), 30..40);
    one().get("c", "1", 50..60).linearizable();
    one().get("c", "2", 50..60).linearizable();
    // It was seen, so it is there.
    assert_eq!(one().get("c", "2", 50..60).get("d", "1", 70..80).blames(), "d");
    // It cannot have been seen before it was called.
    let early = story().unknown("b", put("2"), 30..40).get("c", "2", 10..20);
    let (problem, _) = early.no_order();
    assert!(matches!(&problem.shown, Shown::WrittenBy(writer) if writer.client == "b"), "{problem:?}");
}

#[test]
fn what_is_unknown_may_take_effect_late_but_once() {
    let late = || story().unknown("a", put("1"), 10..20).put("b", "2", 30..40).get("c", "2", 50..60);
    late().get("c", "1", 70..80).linearizable();
    assert_eq!(late().get("c", "1", 70..80).get("c", "2", 90..95).blames(), "c");
    let again = late().get("c", "1", 70..80).put("d", "3", 90..95).get("c", "3", 100..110);
    assert_eq!(again.get("e", "1", 120..130).blames(), "e");
}

#[test]
fn what_followed_from_the_unknown_proves_it() {
    // c saw what b made of a's write, so a's write took effect before.
    let chain = || story().unknown("a", put("1"), 10..20).unknown("b", swap("1", "2"), 30..40);
    chain().get("c", "2", 50..60).linearizable();
    assert_eq!(chain().get("c", "2", 50..60).get("d", "1", 70..80).blames(), "d");
    chain().get_absent("c", 50..60).get("d", "1", 70..80).get("e", "2", 90..95).linearizable();
}

#[test]
fn what_failed_for_certain_had_no_effect() {
    let failed = || story().put("a", "1", 10..20).failed("b", put("2"), 30..40);
    failed().get("c", "1", 50..60).linearizable();
    let (problem, words) = failed().get("c", "2", 50..60).no_order();
    assert!(matches!(&problem.shown, Shown::Failed(writer) if writer.client == "b"), "{problem:?}");
    assert!(
        words.contains("would have been written by:\n  client b: put \"2\", certainly failed: refused"),
        "{words}"
    );
    let (problem, words) = story().put("a", "1", 10..20).get("c", "9", 50..60).no_order();
    assert_eq!(problem.shown, Shown::Nobody);
    assert!(words.contains("no operation of the history wrote what it saw"), "{words}");
}

#[test]
fn two_leaders_that_serve_at_a_time() {
    // Each side of a cut answers by itself.
    let before = story().put("a", "1", 10..20);
    let both = before.put("a", "2", 30..40).get("b", "1", 50..60).put("c", "3", 61..65).get("a", "2", 70..80);
    assert_eq!(both.blames(), "b");
    // Reads go to and fro between them.
    let both = || story().unknown("a", put("1"), 10..20).unknown("b", put("2"), 10..20);
    both().get("c", "1", 30..40).get("d", "2", 50..60).linearizable();
    assert_eq!(both().get("c", "1", 30..40).get("d", "2", 50..60).get("c", "1", 70..80).blames(), "c");
}

#[test]
fn an_unknown_delete() {
    let deleted = || story().put("a", "1", 10..20).unknown("b", Operation::Delete, 30..40);
    deleted().get("c", "1", 50..60).get_absent("d", 70..80).linearizable();
    deleted().create("c", "2", 50..60).get("d", "2", 70..80).linearizable();
    deleted().delete("c", false, 50..60).linearizable();
    // One delete deletes once.
    let twice = deleted().create("c", "2", 50..60).get_absent("d", 70..80);
    assert_eq!(twice.blames(), "d");
}

#[test]
fn what_nobody_saw_may_explain_what_was_not_found() {
    let one = || story().put("a", "1", 10..20).get("a", "1", 21..22);
    // The comparison was not true, so somebody wrote in between, or deleted.
    assert_eq!(one().differed("c", "1", "3", 50..60).blames(), "c");
    for unseen in [put("2"), swap("1", "2"), Operation::Delete] {
        one().unknown("b", unseen, 30..40).differed("c", "1", "3", 50..60).linearizable();
    }
    assert_eq!(one().unknown("b", swap("9", "2"), 30..40).differed("c", "1", "3", 50..60).blames(), "c");
    // Each of them explains it once.
    let twice = |one: Story| one.swap("d", "1", "4", 70..80).differed("e", "4", "5", 90..95).get("f", "4", 96..99);
    let unseen = || one().unknown("b", put("2"), 30..40);
    assert_eq!(twice(unseen()).blames(), "f");
    // What did not exist was deleted, so somebody wrote it.
    assert_eq!(story().delete("c", true, 50..60).blames(), "c");
    story().unknown("b", put("2"), 30..40).delete("c", true, 50..60).linearizable();
    let once = story().unknown("b", put("2"), 30..40).delete("c", true, 50..60).delete("d", true, 70..80);
    assert_eq!(once.blames(), "d");
}

#[test]
fn every_key_is_checked_by_itself() {
    let two = story().put("a", "1", 10..20).get_absent("b", 30..40).on("other");
    two.linearizable();
    let two = story().put("a", "1", 10..20).on("other").put("a", "1", 10..20).get_absent("b", 30..40);
    let conflicts = two.get("c", "1", 30..40).on("other").conflicts();
    assert!(
        conflicts.len() == 1 && conflicts[0].key == "k" && conflicts[0].at == 40 * MILLISECOND,
        "{conflicts:?}"
    );
}

#[test]
fn what_was_running_is_listed() {
    let story = story().put("a", "1", 10..20).get("b", "1", 21..22).unknown("c", put("2"), 30..40);
    let (problem, words) = story.get("d", "9", 50..60).no_order();
    assert!(matches!(&problem.held[..], [Held::WrittenBy(writer)] if writer.client == "a"), "{problem:?}");
    assert_eq!(problem.running.len(), 1);
    assert!(words.contains("lead nowhere else:\n  client c: put \"2\", outcome unknown: timed out"), "{words}");
}
