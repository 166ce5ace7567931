//! Short histories, written as they are told.

use std::ops::Range;

use kogge_history::check::{Conflict, Limits, NoOrder, Problem, Verdict, check};
use kogge_history::history::{Answer, Effect, Entry, Expected, History, Operation, Outcome, Version};

/// In nanoseconds.
pub(crate) const MILLISECOND: u64 = 1_000_000;

/// What clients did to the key `k`, with the milliseconds of calls and returns.
#[derive(Default)]
pub(crate) struct Story(Vec<Entry>);

impl Story {
    pub(crate) fn put(self, client: &str, value: &str, at: Range<u64>) -> Self {
        self.ok(client, put(value), Effect::Written, at)
    }

    pub(crate) fn get(self, client: &str, value: &str, at: Range<u64>) -> Self {
        let version = Version { value: value.to_owned(), revision: None };
        self.ok(client, Operation::Get, Effect::Held(Some(version)), at)
    }

    pub(crate) fn get_absent(self, client: &str, at: Range<u64>) -> Self {
        self.ok(client, Operation::Get, Effect::Held(None), at)
    }

    pub(crate) fn swap(self, client: &str, from: &str, to: &str, at: Range<u64>) -> Self {
        self.ok(client, swap(from, to), Effect::Written, at)
    }

    /// A swap whose comparison was not true.
    pub(crate) fn differed(self, client: &str, from: &str, to: &str, at: Range<u64>) -> Self {
        self.ok(client, swap(from, to), Effect::Differed, at)
    }

    pub(crate) fn create(self, client: &str, value: &str, at: Range<u64>) -> Self {
        let operation = Operation::Swap { expected: Expected::Revision(0), value: value.to_owned() };
        self.ok(client, operation, Effect::Written, at)
    }

    pub(crate) fn delete(self, client: &str, existed: bool, at: Range<u64>) -> Self {
        self.ok(client, Operation::Delete, Effect::Deleted { existed }, at)
    }

    pub(crate) fn unknown(self, client: &str, operation: Operation, at: Range<u64>) -> Self {
        self.outcome(client, operation, Outcome::Unknown("timed out".to_owned()), at)
    }

    pub(crate) fn failed(self, client: &str, operation: Operation, at: Range<u64>) -> Self {
        self.outcome(client, operation, Outcome::Failed("refused".to_owned()), at)
    }

    fn ok(self, client: &str, operation: Operation, effect: Effect, at: Range<u64>) -> Self {
        self.outcome(client, operation, Outcome::Ok(Answer { revision: None, effect }), at)
    }

    fn outcome(mut self, client: &str, operation: Operation, outcome: Outcome, at: Range<u64>) -> Self {
        let (client, key) = (client.to_owned(), "k".to_owned());
        let (called, returned) = (at.start * MILLISECOND, Some(at.end * MILLISECOND));
        self.0.push(Entry { client, key, operation, called, returned, outcome });
        self
    }

    /// The last operation was on another key.
    pub(crate) fn on(mut self, key: &str) -> Self {
        key.clone_into(&mut self.0.last_mut().unwrap().key);
        self
    }

    /// The last operation was answered at this revision.
    pub(crate) fn at_revision(mut self, at: u64) -> Self {
        match &mut self.0.last_mut().unwrap().outcome {
            Outcome::Ok(answer) => answer.revision = Some(at),
            other => panic!("{other:?} has no revision"),
        }
        self
    }

    /// The last operation showed a value that was written at this revision.
    pub(crate) fn of_revision(mut self, at: u64) -> Self {
        match &mut self.0.last_mut().unwrap().outcome {
            Outcome::Ok(Answer { effect: Effect::Held(Some(version)), .. }) => version.revision = Some(at),
            other => panic!("{other:?} shows no value"),
        }
        self
    }

    /// The last operation compared with this revision.
    pub(crate) fn comparing_revision(mut self, revision: u64) -> Self {
        match &mut self.0.last_mut().unwrap().operation {
            Operation::Swap { expected, .. } => *expected = Expected::Revision(revision),
            other => panic!("{other:?} compares nothing"),
        }
        self
    }

    pub(crate) fn entries(self) -> Vec<Entry> {
        self.0
    }

    pub(crate) fn verdict(self) -> Verdict {
        check(&History::new(self.0).unwrap(), &Limits::default())
    }

    pub(crate) fn linearizable(self) {
        assert_eq!(self.verdict(), Verdict::Linearizable);
    }

    /// The reasons why it is not linearizable.
    pub(crate) fn conflicts(self) -> Vec<Conflict> {
        match self.verdict() {
            Verdict::NotLinearizable(conflicts) => conflicts,
            other => panic!("{other:?}"),
        }
    }

    /// Around which operation no order works, and in what words.
    pub(crate) fn no_order(self) -> (NoOrder, String) {
        let conflicts = self.conflicts();
        match conflicts.as_slice() {
            [conflict @ Conflict { problem: Problem::NoOrder(problem), .. }] => {
                (NoOrder::clone(problem), conflict.to_string())
            }
            other => panic!("{other:?}"),
        }
    }

    /// Whose operation has no place in any order.
    pub(crate) fn blames(self) -> String {
        self.no_order().0.operation.client
    }
}

pub(crate) fn put(value: &str) -> Operation {
    Operation::Put { value: value.to_owned() }
}

pub(crate) fn swap(from: &str, to: &str) -> Operation {
    Operation::Swap { expected: Expected::Value(from.to_owned()), value: to.to_owned() }
}
