//! The checker on histories made by chance.

use std::collections::BTreeSet;

use kogge_history::check::{Limits, Verdict, check};
use kogge_history::history::{Answer, Effect, Entry, Expected, History, Operation, Outcome, Version};
use proptest::prelude::*;

use crate::brute_force;
use crate::generate::{self, Choice, SPACE};

fn verdict(entries: Vec<Entry>) -> Verdict {
    check(&History::new(entries).unwrap(), &Limits::default())
}

fn choice(keys: u8) -> impl Strategy<Value = Choice> {
    let fate = prop_oneof![1 => 0u8..4, 4 => Just(4)];
    (0..keys, 0u8..100, 0u64..=3 * SPACE, 0u64..=3 * SPACE, fate, 0usize..4)
        .prop_map(|(key, kind, lead, lag, fate, pick)| Choice { key, kind, lead, lag, fate, pick })
}

/// Any operation with any outcome: of seven such, most are no history of a register.
#[derive(Clone, Copy, Debug)]
struct Wild {
    kind: u8,
    called: u64,
    took: u64,
    /// Whose value it saw or expects; 7 is nobody's.
    saw: usize,
    outcome: u8,
    revision: u8,
}

fn wild() -> impl Strategy<Value = Wild> {
    (0u8..8, 0u64..24, 0u64..16, 0usize..8, 0u8..6, any::<u8>()).prop_map(
        |(kind, called, took, saw, outcome, revision)| Wild { kind, called, took, saw, outcome, revision },
    )
}

fn wild_entries(all: &[Wild], with_revisions: bool) -> Vec<Entry> {
    let value = |number: usize| format!("v{number}");
    // Different ones, in an order that has nothing to do with that of the times.
    let revision_of = |number: usize| {
        let own = all.get(number).map_or(0, |wild| u64::from(wild.revision));
        with_revisions.then_some(10 + own * 10 + number as u64)
    };
    let entries = all.iter().enumerate().map(|(number, wild)| {
        let saw = Version { value: value(wild.saw), revision: revision_of(wild.saw) };
        let ok = |effect| Outcome::Ok(Answer { revision: None, effect });
        let changed = |effect| Outcome::Ok(Answer { revision: revision_of(number), effect });
        let expected = match (wild.took % 3, saw.revision) {
            (0, Some(revision)) => Expected::Revision(revision),
            _ if wild.saw == 6 => Expected::Revision(0),
            _ => Expected::Value(saw.value.clone()),
        };
        let swap = Operation::Swap { expected, value: value(number) };
        let (operation, answer) = match wild.kind {
            0 | 1 => (Operation::Get, ok(Effect::Held(Some(saw)))),
            2 => (Operation::Get, ok(Effect::Held(None))),
            3 | 4 => (Operation::Put { value: value(number) }, changed(Effect::Written)),
            5 => (swap, changed(Effect::Written)),
            6 => (swap, ok(Effect::Differed)),
            _ if wild.saw.is_multiple_of(2) => (Operation::Delete, changed(Effect::Deleted { existed: true })),
            _ => (Operation::Delete, ok(Effect::Deleted { existed: false })),
        };
        let outcome = match wild.outcome {
            0 => Outcome::Failed(String::new()),
            1 | 2 => Outcome::Unknown(String::new()),
            _ => answer,
        };
        let (called, returned) = (wild.called, Some(wild.called + wild.took));
        Entry { client: format!("c{number}"), key: "k".to_owned(), operation, called, returned, outcome }
    });
    let mut entries: Vec<Entry> = entries.collect();
    compare_with_what_was_learned(&mut entries, &revision_of);
    entries
}

/// A client compares with revisions that an answer named only.
fn compare_with_what_was_learned(entries: &mut [Entry], revision_of: &dyn Fn(usize) -> Option<u64>) {
    let learned = entries.iter().filter_map(|entry| match &entry.outcome {
        Outcome::Ok(Answer { effect: Effect::Held(Some(version)), .. }) => version.revision,
        Outcome::Ok(Answer { effect: Effect::Written, revision }) => *revision,
        _ => None,
    });
    let learned: BTreeSet<u64> = learned.collect();
    for entry in entries {
        if let Operation::Swap { expected, .. } = &mut entry.operation
            && let Expected::Revision(revision) = *expected
            && revision != 0
            && !learned.contains(&revision)
        {
            let whose = (0..8).find(|number| revision_of(*number) == Some(revision)).unwrap();
            *expected = Expected::Value(format!("v{whose}"));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_a_register_did_is_linearizable(
        choices in prop::collection::vec(choice(2), 0..120),
        with_revisions: bool,
    ) {
        prop_assert_eq!(verdict(generate::entries(&choices, with_revisions)), Verdict::Linearizable);
    }

    #[test]
    fn the_part_before_any_moment_is_linearizable_as_well(
        choices in prop::collection::vec(choice(1), 0..60),
        moment in 0u64..70,
    ) {
        let mut entries = generate::entries(&choices, true);
        let moment = entries.first().map_or(0, |first| first.called) + moment * SPACE;
        entries.retain(|entry| entry.called <= moment);
        for entry in entries.iter_mut().filter(|entry| entry.returned.is_some_and(|returned| returned > moment)) {
            entry.returned = None;
            entry.outcome = Outcome::Unknown(String::new());
        }
        // A swap may compare with a revision whose answer came later only where times are made up, as here.
        if let Ok(history) = History::new(entries) {
            prop_assert_eq!(check(&history, &Limits::default()), Verdict::Linearizable);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn small_histories_are_judged_as_by_trying_every_order(
        all in prop::collection::vec(wild(), 1..8),
        with_revisions: bool,
    ) {
        let entries = wild_entries(&all, with_revisions);
        let expected = brute_force::has_order(&entries);
        let found = verdict(entries.clone());
        prop_assert_eq!(expected, found == Verdict::Linearizable, "{}\n{:#?}", found, entries);
    }

    #[test]
    fn small_histories_of_a_register_with_one_other_answer_are_judged_as_by_trying_every_order(
        choices in prop::collection::vec(choice(1), 2..9),
        changed: prop::sample::Index,
        to: prop::sample::Index,
    ) {
        let mut entries = generate::entries(&choices, false);
        change(&mut entries, changed.index(choices.len()), to.index(choices.len() + 1));
        let expected = brute_force::has_order(&entries);
        let found = verdict(entries.clone());
        prop_assert_eq!(expected, found == Verdict::Linearizable, "{}\n{:#?}", found, entries);
    }
}

/// Changes an answer: a get saw another value, or none; a swap went the other way; a delete found the contrary.
fn change(entries: &mut [Entry], place: usize, to: usize) -> bool {
    let value = entries.get(to).and_then(|other| other.operation.value().map(str::to_owned));
    let Outcome::Ok(Answer { effect, .. }) = &mut entries[place].outcome else { return false };
    let changed = match effect {
        Effect::Held(_) => Effect::Held(value.map(|value| Version { value, revision: None })),
        Effect::Written if matches!(entries[place].operation, Operation::Swap { .. }) => Effect::Differed,
        Effect::Written => return false,
        Effect::Differed => Effect::Written,
        Effect::Deleted { existed } => Effect::Deleted { existed: !*existed },
    };
    let differs = changed != *effect;
    *effect = changed;
    differs
}

#[test]
fn the_small_histories_are_of_both_kinds() {
    use proptest::strategy::ValueTree as _;
    use proptest::test_runner::TestRunner;

    let mut runner = TestRunner::deterministic();
    let mut with_order = 0;
    for _ in 0..1_000 {
        let all = prop::collection::vec(wild(), 1..8).new_tree(&mut runner).unwrap().current();
        with_order += u32::from(brute_force::has_order(&wild_entries(&all, true)));
    }
    assert!((200..800).contains(&with_order), "{with_order} of 1,000 have an order");
}

#[test]
fn another_answer_is_mostly_found() {
    let (mut changed, mut found) = (0, 0);
    for seed in 0..500 {
        let choices = generate::choices(seed, 100, 1, 2 * SPACE, 50);
        let mut entries = generate::entries(&choices, false);
        if change(&mut entries, 50 + seed as usize % 20, seed as usize % 100) {
            changed += 1;
            found += u32::from(matches!(verdict(entries), Verdict::NotLinearizable(_)));
        }
    }
    assert!(changed > 200 && found * 10 > changed * 7, "{found} of {changed} were found");
}

#[test]
fn a_value_that_was_surely_overwritten_is_always_found() {
    let (mut changed, mut found) = (0, 0);
    for seed in 0..200 {
        let choices = generate::choices(seed, 100, 1, 2 * SPACE, 50);
        let mut entries = generate::entries(&choices, false);
        let Some(old) = entries.iter().find(|entry| entry.effect() == Some(&Effect::Written)).cloned() else {
            continue;
        };
        let next = entries
            .iter()
            .find(|entry| entry.effect() == Some(&Effect::Written) && Some(entry.called) > old.returned);
        let Some(next) = next.and_then(|next| next.returned) else { continue };
        let late = entries.iter_mut().find(|entry| entry.called > next && entry.operation == Operation::Get);
        let Some(Entry { outcome: Outcome::Ok(Answer { effect: Effect::Held(held), .. }), .. }) = late else {
            continue;
        };
        *held = old.operation.value().map(|value| Version { value: value.to_owned(), revision: None });
        changed += 1;
        found += u32::from(matches!(verdict(entries), Verdict::NotLinearizable(_)));
    }
    assert!(changed > 100 && found == changed, "{found} of {changed} were found");
}
