//! What is printed of a history and its verdict.

use std::collections::BTreeSet;
use std::fmt;

use crate::check::Verdict;
use crate::history::{History, Outcome};

/// A history in numbers, with its verdict.
#[derive(Clone, Debug)]
pub struct Summary<'a> {
    /// All operations.
    pub operations: usize,
    /// Those that were answered.
    pub answered: usize,
    /// Those that certainly failed.
    pub failed: usize,
    /// Those of unknown outcome.
    pub unknown: usize,
    /// How many clients there are.
    pub clients: usize,
    /// How many keys there are.
    pub keys: usize,
    /// The verdict.
    pub verdict: &'a Verdict,
}

impl<'a> Summary<'a> {
    /// Counts.
    pub fn of(history: &History, verdict: &'a Verdict) -> Self {
        let entries = history.entries();
        let count = |is: fn(&Outcome) -> bool| entries.iter().filter(|entry| is(&entry.outcome)).count();
        let clients: BTreeSet<&str> = entries.iter().map(|entry| entry.client.as_str()).collect();
        Self {
            operations: entries.len(),
            answered: count(|outcome| matches!(outcome, Outcome::Ok(_))),
            failed: count(|outcome| matches!(outcome, Outcome::Failed(_))),
            unknown: count(|outcome| matches!(outcome, Outcome::Unknown(_))),
            clients: clients.len(),
            keys: history.by_key().len(),
            verdict,
        }
    }
}

impl fmt::Display for Summary<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { operations, answered, failed, unknown, clients, keys, verdict } = self;
        writeln!(
            f,
            "operations: {operations}, answered: {answered}, failed: {failed}, unknown: {unknown}, \
             clients: {clients}, keys: {keys}"
        )?;
        write!(f, "verdict: {verdict}")
    }
}
