//! The search ends, and says so.

use kogge_history::check::{Exceeded, Limits, Undecided, Verdict, check};
use kogge_history::history::{Entry, History, Operation};

use crate::generate;
use crate::story::{Story, put};

/// Puts that all overlap, of which each is seen afterwards, by an operation that sees too much.
fn crowd(puts: u64) -> Vec<Entry> {
    let mut story = Story::default();
    for number in 0..puts {
        story = story.put(&format!("c{number}"), &format!("{number}"), number..1_000);
        story = story.get(&format!("d{number}"), &format!("{number}"), 2_000..3_000 + number);
    }
    story.entries()
}

fn verdict(entries: Vec<Entry>, limits: &Limits) -> Verdict {
    check(&History::new(entries).unwrap(), limits)
}

fn exceeded(verdict: &Verdict) -> Exceeded {
    match verdict {
        Verdict::Undecided(keys) => match keys.as_slice() {
            [Undecided { key, exceeded }] if key == "k" => *exceeded,
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_search_that_would_take_too_long_is_undecided() {
    let limits = Limits { steps: 1_000, ..Limits::default() };
    assert_eq!(exceeded(&verdict(crowd(20), &limits)), Exceeded::Steps(1_000));
    let limits = Limits { configurations: 1_000, ..Limits::default() };
    assert_eq!(exceeded(&verdict(crowd(20), &limits)), Exceeded::Configurations(1_000));
    assert_eq!(exceeded(&verdict(crowd(129), &Limits::default())), Exceeded::Running(128));
    assert!(matches!(verdict(crowd(5), &Limits::default()), Verdict::NotLinearizable(_)));
}

#[test]
fn a_key_that_is_undecided_hides_no_conflict_on_another() {
    let mut entries = crowd(20);
    let read = Story::default().put("a", "1", 10..20).get_absent("b", 30..40).entries();
    entries.extend(read.into_iter().map(|entry| Entry { key: "other".to_owned(), ..entry }));
    let verdict = verdict(entries, &Limits { steps: 1_000, ..Limits::default() });
    assert!(matches!(&verdict, Verdict::NotLinearizable(conflicts) if conflicts.len() == 1), "{verdict}");
}

#[test]
fn unknown_outcomes_cost_little() {
    let mut story = Story::default();
    // 400 operations of unknown outcome of all kinds, which any later answer may depend on.
    for number in 0..100 {
        let (at, client) = (number * 100, format!("c{number}"));
        let value = |what: &str| format!("{what}{number}");
        story = story.put(&client, &value("p"), at..at + 10).get(&client, &value("p"), at + 11..at + 12);
        let swap = crate::story::swap(&value("p"), &value("u"));
        for unknown in [put(&value("v")), swap, put(&value("w")), Operation::Delete] {
            story = story.unknown(&client, unknown, at + 20..at + 30);
        }
        // Each of these needs one of them.
        story = story.differed("d", &value("p"), &value("e"), at + 40..at + 50);
    }
    let limits = Limits { steps: 200_000, configurations: 1_000 };
    assert_eq!(verdict(story.entries(), &limits), Verdict::Linearizable);
}

#[test]
fn long_histories_are_decided() {
    for with_revisions in [true, false] {
        let mut entries = generate::entries(&generate::choices(1, 20_000, 5, 50, 20), with_revisions);
        let unknown = entries.iter().filter(|entry| entry.is_unknown()).count();
        assert!(unknown > 200, "{unknown}");
        assert_eq!(verdict(entries.clone(), &Limits::default()), Verdict::Linearizable);
        // A stale read is found at the end of it as well.
        let stale = Story::default().put("x", "x.1", 10..20).put("x", "x.2", 30..40).get("y", "x.1", 50..60);
        entries.extend(stale.entries().into_iter().map(|entry| Entry { key: "k0".to_owned(), ..entry }));
        assert!(matches!(verdict(entries, &Limits::default()), Verdict::NotLinearizable(_)));
    }
}
