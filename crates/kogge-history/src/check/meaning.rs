//! What the operations on one key mean to the search: which states of the key they need, and which they leave.

use std::collections::{BTreeMap, BTreeSet};

use super::revisions::Revisions;
use crate::history::{Effect, Entry, Expected, Operation};

/// What the key holds. Values are unique, so a state says who wrote it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct State(u32);

impl State {
    /// The key does not exist.
    pub(super) const ABSENT: Self = Self(0);
    /// Any value that no operation names, so that nobody can tell one from the other.
    pub(super) const UNNAMED: Self = Self(1);
    /// A value that nobody wrote; the key is never in this state.
    pub(super) const NEVER: Self = Self(2);
    const FIRST_NAMED: u32 = 3;

    /// Whether it is a value that an operation names, so that it is known who wrote it.
    pub(super) fn is_named(self) -> bool {
        self.0 >= Self::FIRST_NAMED
    }
}

/// What the state must be before an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Test {
    Any,
    Is(State),
    IsNot(State),
}

impl Test {
    pub(super) fn holds(self, state: State) -> bool {
        match self {
            Self::Any => true,
            Self::Is(needed) => state == needed,
            Self::IsNot(refused) => state != refused,
        }
    }
}

/// One operation that has something to say.
#[derive(Clone, Debug)]
pub(super) struct Step {
    /// Its place in the history.
    pub(super) entry: usize,
    pub(super) test: Test,
    /// The state that it leaves, if it changes the key.
    pub(super) to: Option<State>,
    pub(super) called: u64,
    /// When it certainly had taken effect; none: it may do so at any later moment, or never.
    pub(super) by: Option<u64>,
    /// The change with the next lower revision, which took effect before it.
    pub(super) after: Option<usize>,
}

/// All operations on one key that have something to say.
#[derive(Debug)]
pub(super) struct Meaning {
    pub(super) steps: Vec<Step>,
    /// Who wrote the values that are named, by their states.
    pub(super) writers: BTreeMap<State, usize>,
}

/// What an operation names as what the key must be, or must not be.
#[derive(Clone, Copy)]
enum Named {
    Absent,
    WrittenBy(usize),
    Nothing,
}

struct Key<'a> {
    entries: &'a [Entry],
    by_value: BTreeMap<&'a str, usize>,
    by_revision: BTreeMap<u64, usize>,
    states: BTreeMap<usize, State>,
}

impl Meaning {
    /// What the operations at these places mean, which are all of one key.
    pub(super) fn of(entries: &[Entry], places: &[usize], revisions: &Revisions) -> Self {
        let mut key =
            Key { entries, by_value: BTreeMap::new(), by_revision: BTreeMap::new(), states: BTreeMap::new() };
        for &place in places {
            let Some(value) = entries[place].written() else { continue };
            key.by_value.insert(value, place);
            if let Some(&revision) = revisions.get(&place) {
                key.by_revision.insert(revision, place);
            }
        }
        let named = places.iter().filter_map(|&place| match key.named_by(place)? {
            Named::WrittenBy(writer) => Some(writer),
            Named::Absent | Named::Nothing => None,
        });
        let named: BTreeSet<usize> = named.collect();
        key.states = named.into_iter().zip((State::FIRST_NAMED..).map(State)).collect();

        let deadlines = key.deadlines(places);
        let mut steps: Vec<Step> =
            places.iter().filter_map(|&place| key.step(place, deadlines.get(&place).copied())).collect();
        order_by_revision(&mut steps, revisions);
        Self { steps, writers: key.states.into_iter().map(|(writer, state)| (state, writer)).collect() }
    }
}

impl Key<'_> {
    /// What the outcome of an operation depends on; none if it says nothing.
    fn named_by(&self, place: usize) -> Option<Named> {
        let entry = &self.entries[place];
        if entry.effect().is_none() && !entry.is_unknown() {
            return None;
        }
        let written = |writer: Option<&usize>| writer.map_or(Named::Nothing, |writer| Named::WrittenBy(*writer));
        match (&entry.operation, entry.effect()) {
            (Operation::Get, Some(Effect::Held(Some(version)))) => {
                Some(written(self.by_value.get(version.value.as_str())))
            }
            (Operation::Get, Some(Effect::Held(None)))
            | (Operation::Delete | Operation::Swap { expected: Expected::Revision(0), .. }, _) => {
                Some(Named::Absent)
            }
            (Operation::Swap { expected: Expected::Revision(revision), .. }, _) => {
                Some(written(self.by_revision.get(revision)))
            }
            (Operation::Swap { expected: Expected::Value(value), .. }, _) => {
                Some(written(self.by_value.get(value.as_str())))
            }
            (Operation::Get | Operation::Put { .. }, _) => None,
        }
    }

    /// When operations of unknown outcome certainly had taken effect: when somebody was answered who saw what they wrote.
    fn deadlines(&self, places: &[usize]) -> BTreeMap<usize, u64> {
        let mut deadlines: BTreeMap<usize, u64> = BTreeMap::new();
        for &place in places {
            let entry = &self.entries[place];
            if !matches!(entry.effect(), Some(Effect::Held(Some(_)) | Effect::Written)) {
                continue;
            }
            if let (Some(by), Some(Named::WrittenBy(writer))) = (entry.returned, self.named_by(place))
                && self.entries[writer].is_unknown()
            {
                deadlines.entry(writer).and_modify(|known| *known = by.min(*known)).or_insert(by);
            }
        }
        deadlines
    }

    fn step(&self, place: usize, deadline: Option<u64>) -> Option<Step> {
        let entry = &self.entries[place];
        if entry.effect().is_none() && !entry.is_unknown() {
            return None;
        }
        let named = match self.named_by(place) {
            Some(Named::Absent) => State::ABSENT,
            Some(Named::WrittenBy(writer)) => self.state_of(writer),
            Some(Named::Nothing) | None => State::NEVER,
        };
        let own = Some(self.state_of(place));
        let (test, to) = match (&entry.operation, entry.effect()) {
            (Operation::Get, None) => return None,
            (Operation::Get, Some(_)) | (Operation::Delete, Some(Effect::Deleted { existed: false })) => {
                (Test::Is(named), None)
            }
            (Operation::Put { .. }, _) => (Test::Any, own),
            (Operation::Swap { .. }, Some(Effect::Differed)) => (Test::IsNot(named), None),
            (Operation::Swap { .. }, _) => (Test::Is(named), own),
            (Operation::Delete, _) => (Test::IsNot(State::ABSENT), Some(State::ABSENT)),
        };
        let by = match entry.effect() {
            Some(_) => entry.returned,
            None => deadline.map(|deadline| deadline.max(entry.called)),
        };
        Some(Step { entry: place, test, to, called: entry.called, by, after: None })
    }

    fn state_of(&self, writer: usize) -> State {
        self.states.get(&writer).copied().unwrap_or(State::UNNAMED)
    }
}

/// Changes whose revisions are known took effect in their order.
fn order_by_revision(steps: &mut [Step], revisions: &Revisions) {
    let known = steps.iter().enumerate().filter(|(_, step)| step.to.is_some());
    let mut known: Vec<(u64, usize)> =
        known.filter_map(|(place, step)| Some((*revisions.get(&step.entry)?, place))).collect();
    known.sort_unstable();
    for pair in known.windows(2) {
        if let [(_, before), (_, next)] = *pair {
            steps[next].after = Some(before);
        }
    }
}
