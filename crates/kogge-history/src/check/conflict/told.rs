//! An operation as one line of words.

use std::fmt;

use crate::history::{Effect, Entry, Expected, Operation, Outcome, Version};

/// Tells an operation, with times from the start of the history on.
pub(super) struct Told<'a> {
    pub(super) entry: &'a Entry,
    pub(super) start: u64,
}

impl fmt::Display for Told<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Entry { client, operation, called, returned, outcome, .. } = self.entry;
        write!(f, "client {client}: ")?;
        match operation {
            Operation::Get => write!(f, "get")?,
            Operation::Put { value } => write!(f, "put {value:?}")?,
            Operation::Swap { expected: Expected::Value(from), value } => {
                write!(f, "swap {from:?} for {value:?}")?;
            }
            Operation::Swap { expected: Expected::Revision(0), value } => write!(f, "create with {value:?}")?,
            Operation::Swap { expected: Expected::Revision(revision), value } => {
                write!(f, "swap what has revision {revision} for {value:?}")?;
            }
            Operation::Delete => write!(f, "delete")?,
        }
        write!(f, ", ")?;
        match outcome {
            Outcome::Ok(answer) => {
                tell_effect(f, &answer.effect)?;
                if let Some(revision) = answer.revision {
                    write!(f, " at revision {revision}")?;
                }
            }
            Outcome::Failed(error) => write!(f, "certainly failed: {error}")?,
            Outcome::Unknown(error) => write!(f, "outcome unknown: {error}")?,
        }
        write!(f, " ({} s to ", Seconds(called.saturating_sub(self.start)))?;
        match returned {
            Some(returned) => write!(f, "{} s)", Seconds(returned.saturating_sub(self.start))),
            None => write!(f, "the end)"),
        }
    }
}

fn tell_effect(f: &mut fmt::Formatter<'_>, effect: &Effect) -> fmt::Result {
    match effect {
        Effect::Held(None) => write!(f, "answered that the key is absent"),
        Effect::Held(Some(Version { value, revision: None })) => write!(f, "answered {value:?}"),
        Effect::Held(Some(Version { value, revision: Some(revision) })) => {
            write!(f, "answered {value:?}, written at revision {revision},")
        }
        Effect::Written => write!(f, "written"),
        Effect::Differed => write!(f, "not written, for the comparison was not true"),
        Effect::Deleted { existed: true } => write!(f, "deleted"),
        Effect::Deleted { existed: false } => write!(f, "answered that the key was absent"),
    }
}

/// Nanoseconds, told to the microsecond.
struct Seconds(u64);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:06}", self.0 / 1_000_000_000, self.0 % 1_000_000_000 / 1_000)
    }
}
