//! Why a history is not linearizable, in words.

use std::fmt;

use crate::history::Entry;

mod told;

use told::Told;

/// How many of the operations that were running are listed.
const MOST_LISTED: usize = 5;

/// One reason why a history is not linearizable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// The key on which it was found.
    pub key: String,
    /// When it came to light, on the clock of the history.
    pub at: u64,
    /// What is wrong.
    pub problem: Problem,
    /// When the history began: times are told from there on.
    start: u64,
}

/// What is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// No order of the operations on the key explains an answer.
    NoOrder(Box<NoOrder>),
    /// An answer shows a value with another revision than the one it has elsewhere.
    TwoRevisions {
        /// The answer.
        shown: Box<Entry>,
        /// Who wrote the value.
        writer: Box<Entry>,
        /// Its revision elsewhere.
        known: u64,
    },
    /// Two changes have one revision.
    OneRevision {
        /// One change.
        first: Box<Entry>,
        /// The other one.
        second: Box<Entry>,
        /// Their revision.
        revision: u64,
    },
    /// An answer has a lower revision than one that came before its operation was called, or a change has the same.
    RevisionFell {
        /// The answer that came before.
        earlier: Box<Entry>,
        /// The one with the lower revision.
        later: Box<Entry>,
    },
}

/// An operation for which there is no place in any order, and what stands around it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoOrder {
    /// The operation.
    pub operation: Entry,
    /// What the key can hold before it, by all that was answered until it returned.
    pub held: Vec<Held>,
    /// Who wrote what its answer shows.
    pub shown: Shown,
    /// The change that took effect before it by its revision, but cannot have by its time.
    pub after: Option<Entry>,
    /// The changes that were running when it returned, or whose outcome is unknown.
    pub running: Vec<Entry>,
}

/// What a key can hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Held {
    /// Nothing: it does not exist.
    Nothing,
    /// A value that no other operation names, written by one of unknown outcome.
    Unnamed,
    /// What this operation wrote.
    WrittenBy(Entry),
}

/// Who wrote what an answer shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shown {
    /// It shows no value.
    Nothing,
    /// This operation wrote it.
    WrittenBy(Entry),
    /// This operation would have, but certainly failed.
    Failed(Entry),
    /// No operation of the history wrote it.
    Nobody,
}

impl Conflict {
    /// A conflict that came to light with an operation.
    pub(super) fn new(entries: &[Entry], found: &Entry, problem: Problem) -> Self {
        let start = entries.first().map_or(0, |entry| entry.called);
        Self { key: found.key.clone(), at: found.returned.unwrap_or(found.called), problem, start }
    }
}

impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let told = |entry| Told { entry, start: self.start };
        match &self.problem {
            Problem::NoOrder(problem) => self.tell_no_order(f, problem),
            Problem::TwoRevisions { shown, writer, known } => {
                writeln!(f, "key {:?} shows one value with two revisions, {known} and the one here:", self.key)?;
                write!(f, "  {}\nit was written by:\n  {}", told(shown), told(writer))
            }
            Problem::OneRevision { first, second, revision } => {
                writeln!(f, "two changes have the revision {revision}:")?;
                write!(f, "  key {:?}: {}\n  key {:?}: {}", first.key, told(first), second.key, told(second))
            }
            Problem::RevisionFell { earlier, later } => {
                writeln!(
                    f,
                    "the second of these was called after the first returned, but the store's revision is no later one:"
                )?;
                write!(f, "  key {:?}: {}\n  key {:?}: {}", earlier.key, told(earlier), later.key, told(later))
            }
        }
    }
}

impl Conflict {
    fn tell_no_order(&self, f: &mut fmt::Formatter<'_>, problem: &NoOrder) -> fmt::Result {
        let told = |entry| Told { entry, start: self.start };
        writeln!(f, "no order of the operations on key {:?} has a place for this one:", self.key)?;
        write!(f, "  {}", told(&problem.operation))?;
        match &problem.shown {
            Shown::Nothing => {}
            Shown::WrittenBy(writer) => write!(f, "\nwhat it saw was written by:\n  {}", told(writer))?,
            Shown::Failed(writer) => write!(f, "\nwhat it saw would have been written by:\n  {}", told(writer))?,
            Shown::Nobody => write!(f, "\nno operation of the history wrote what it saw")?,
        }
        if let Some(before) = &problem.after {
            write!(f, "\nby its revision it comes after:\n  {}", told(before))?;
        }
        write!(f, "\nby all that was answered until it returned, the key can only be:")?;
        for held in &problem.held {
            match held {
                Held::Nothing => write!(f, "\n  absent")?,
                Held::Unnamed => write!(f, "\n  what was written by an operation of unknown outcome")?,
                Held::WrittenBy(writer) => write!(f, "\n  what was written by {}", told(writer))?,
            }
        }
        if problem.running.is_empty() {
            return write!(f, "\nno other change was running");
        }
        write!(f, "\nother changes that were running, or whose outcome is unknown, lead nowhere else:")?;
        // Those that were called last are nearest to the operation.
        for entry in problem.running.iter().rev().take(MOST_LISTED) {
            write!(f, "\n  {}", told(entry))?;
        }
        match problem.running.len().saturating_sub(MOST_LISTED) {
            0 => Ok(()),
            more => write!(f, "\n  and {more} more, called before"),
        }
    }
}
