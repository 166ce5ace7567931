//! What stands around the point where no order works.

use super::conflict::{Conflict, Held, NoOrder, Problem, Shown};
use super::meaning::{Meaning, State, Test};
use super::search::Stuck;
use crate::history::{Effect, Entry, Expected, Operation, Outcome};

/// What stands around the operation for which there is no place.
pub(super) fn explain(entries: &[Entry], meaning: &Meaning, stuck: &Stuck) -> Conflict {
    let step = &meaning.steps[stuck.step];
    let operation = &entries[step.entry];
    let written_by = |state: &State| meaning.writers.get(state).map(|writer| entries[*writer].clone());
    let mut held = Vec::new();
    for state in &stuck.held {
        match written_by(state) {
            Some(writer) => held.push(Held::WrittenBy(writer)),
            None if *state == State::ABSENT => held.push(Held::Nothing),
            None => held.extend(last_unnamed(entries, meaning, stuck)),
        }
    }
    let shown = match step.test {
        Test::Is(State::NEVER) => failed_writer(entries, operation).map_or(Shown::Nobody, Shown::Failed),
        Test::Is(state) => written_by(&state).map_or(Shown::Nothing, Shown::WrittenBy),
        Test::Any | Test::IsNot(_) => Shown::Nothing,
    };
    let is_late = |before: &usize| {
        stuck.running.contains(before) || step.by.is_some_and(|by| meaning.steps[*before].called > by)
    };
    let after = step.after.filter(is_late).map(|before| entries[meaning.steps[before].entry].clone());
    let running = stuck.running.iter().map(|place| entries[meaning.steps[*place].entry].clone());
    let problem = NoOrder { operation: operation.clone(), held, shown, after, running: running.collect() };
    Conflict::new(entries, operation, Problem::NoOrder(Box::new(problem)))
}

/// Who may have written the value that no operation names: any that was answered and not surely overwritten before.
fn last_unnamed(entries: &[Entry], meaning: &Meaning, stuck: &Stuck) -> Vec<Held> {
    let now = meaning.steps[stuck.step].by.unwrap_or(u64::MAX);
    let changes = meaning.steps.iter().filter_map(|step| Some((step, step.to?, step.by?)));
    let over = changes.clone().filter(|(_, _, by)| *by < now);
    let last_call = over.map(|(step, ..)| step.called).max().unwrap_or_default();
    let last = changes.filter(|(step, to, by)| *to == State::UNNAMED && step.called <= now && *by >= last_call);
    let mut held: Vec<Held> = last.map(|(step, ..)| Held::WrittenBy(entries[step.entry].clone())).collect();
    if held.is_empty() {
        held.push(Held::Unnamed);
    }
    held
}

/// The operation that would have written what another one saw, but failed.
fn failed_writer(entries: &[Entry], saw: &Entry) -> Option<Entry> {
    let value = value_shown(saw)?;
    let of_key = entries.iter().filter(|entry| entry.key == saw.key);
    let mut failed = of_key.filter(|entry| matches!(entry.outcome, Outcome::Failed(_)));
    failed.find(|entry| entry.operation.value() == Some(value)).cloned()
}

/// The value that an answer shows.
fn value_shown(entry: &Entry) -> Option<&str> {
    match (&entry.operation, entry.effect()?) {
        (_, Effect::Held(version)) => version.as_ref().map(|version| version.value.as_str()),
        (Operation::Swap { expected: Expected::Value(value), .. }, Effect::Written) => Some(value),
        _ => None,
    }
}
