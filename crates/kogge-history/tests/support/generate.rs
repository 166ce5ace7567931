//! Histories of a real register: operations take effect one after another at moments of their own, and overlap at random.

use std::collections::BTreeMap;

use kogge_history::history::{Answer, Effect, Entry, Expected, Operation, Outcome, Version};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

/// The time between the moments at which two operations take effect.
pub(crate) const SPACE: u64 = 10;
const START: u64 = 1_000_000;

/// What is chosen for one operation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Choice {
    pub(crate) key: u8,
    /// Below 40 a get, below 65 a put, below 95 a swap, else a delete.
    pub(crate) kind: u8,
    /// How long before its moment it was called, and how long after it it returned.
    pub(crate) lead: u64,
    pub(crate) lag: u64,
    /// 0: it failed; 1: nobody knows, and it had no effect; 2: nobody knows, and it had one, in time; 3: late; else it was
    /// answered.
    pub(crate) fate: u8,
    /// Which of the versions that were seen a swap expects.
    pub(crate) pick: usize,
}

/// Random choices. Of 1,000 operations, so many as `unknown` fail or remain unknown.
pub(crate) fn choices(seed: u64, count: usize, keys: u8, overlap: u64, unknown: u32) -> Vec<Choice> {
    let mut random = StdRng::seed_from_u64(seed);
    let mut choose = || Choice {
        key: random.random_range(0..keys),
        kind: random.random_range(0..100),
        lead: random.random_range(0..=overlap),
        lag: random.random_range(0..=overlap),
        fate: if random.random_ratio(unknown, 1_000) { random.random_range(0..4) } else { 4 },
        pick: random.random_range(0..3),
    };
    (0..count).map(|_| choose()).collect()
}

#[derive(Default)]
struct Key {
    holds: Option<Version>,
    /// What answers showed, the last one first; none: that it was absent.
    seen: Vec<Option<Version>>,
}

/// What clients saw of a register that was asked so. It is linearizable.
pub(crate) fn entries(choices: &[Choice], with_revisions: bool) -> Vec<Entry> {
    let mut keys: BTreeMap<u8, Key> = BTreeMap::new();
    let mut revision = 0;
    let mut entries = Vec::new();
    for (number, choice) in choices.iter().enumerate() {
        let key = keys.entry(choice.key).or_default();
        let operation = operation(choice, key, number, with_revisions);
        let has_effect = !matches!(choice.fate, 0 | 1);
        let effect = effect(&operation, key.holds.as_ref());
        if has_effect && effect.changes() {
            revision += 1 + choice.lag % 2;
            let revision = with_revisions.then_some(revision);
            key.holds = match &operation {
                Operation::Delete => None,
                other => other.value().map(|value| Version { value: value.to_owned(), revision }),
            };
        }
        let moment = START + SPACE * number as u64;
        let outcome = match choice.fate {
            0 => Outcome::Failed("refused".to_owned()),
            1..=3 => Outcome::Unknown("no answer".to_owned()),
            _ => {
                if !matches!(effect, Effect::Differed) {
                    key.seen.insert(0, key.holds.clone());
                    key.seen.truncate(4);
                }
                Outcome::Ok(Answer { revision: with_revisions.then_some(revision), effect })
            }
        };
        // What takes effect late was given up long before.
        let late = if choice.fate == 3 { 50 * SPACE } else { 0 };
        let called = moment - choice.lead - late;
        entries.push(Entry {
            client: format!("c{number}"),
            key: format!("k{}", choice.key),
            operation,
            called,
            returned: Some(if late == 0 { moment + choice.lag } else { called + choice.lag }),
            outcome,
        });
    }
    entries
}

fn operation(choice: &Choice, key: &Key, number: usize, with_revisions: bool) -> Operation {
    let value = format!("v{number}");
    match choice.kind {
        0..40 => Operation::Get,
        40..65 => Operation::Put { value },
        65..95 => match key.seen.get(choice.pick) {
            Some(Some(Version { revision: Some(revision), .. }))
                if with_revisions && choice.lead.is_multiple_of(2) =>
            {
                Operation::Swap { expected: Expected::Revision(*revision), value }
            }
            Some(Some(seen)) => Operation::Swap { expected: Expected::Value(seen.value.clone()), value },
            Some(None) | None => Operation::Swap { expected: Expected::Revision(0), value },
        },
        _ => Operation::Delete,
    }
}

/// What a register says that holds this.
fn effect(operation: &Operation, holds: Option<&Version>) -> Effect {
    match operation {
        Operation::Get => Effect::Held(holds.cloned()),
        Operation::Put { .. } => Effect::Written,
        Operation::Swap { expected, .. } => {
            let is_expected = match expected {
                Expected::Value(value) => holds.is_some_and(|version| version.value == *value),
                Expected::Revision(0) => holds.is_none(),
                Expected::Revision(revision) => holds.is_some_and(|version| version.revision == Some(*revision)),
            };
            if is_expected { Effect::Written } else { Effect::Differed }
        }
        Operation::Delete => Effect::Deleted { existed: holds.is_some() },
    }
}
