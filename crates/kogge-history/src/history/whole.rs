//! A history in which everything fits together.

use std::collections::{BTreeMap, BTreeSet};

use thiserror::Error;

use super::entry::{Effect, Entry, Expected, Operation, Outcome};

/// Operations with their outcomes, of which the checker can rely on what [`InvalidHistory`] lists.
///
/// Every key must not exist before the first operation, and nobody but the clients of the history may write it.
#[derive(Clone, Debug, Default)]
pub struct History {
    entries: Vec<Entry>,
}

/// What is wrong with a history, other than what the store is to blame for.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum InvalidHistory {
    /// An answer that no store gives to such an operation.
    #[error(
        "client {client} got an answer on key {key:?} that does not belong to its operation (called at {called} ns)"
    )]
    Answer {
        /// Who got it.
        client: String,
        /// On which key.
        key: String,
        /// When it was called.
        called: u64,
    },
    /// An operation that was answered, but at no moment after its call.
    #[error(
        "an operation of client {client} on key {key:?} has no return after its call (called at {called} ns): \
         take both times from one monotonic clock"
    )]
    Times {
        /// Who called.
        client: String,
        /// On which key.
        key: String,
        /// When it was called.
        called: u64,
    },
    /// A value that two operations may have written to one key.
    #[error(
        "clients {first} and {second} both wrote {value:?} to key {key:?}: \
         give every client a name of its own in every run, and let it begin its values with that name"
    )]
    Value {
        /// The key.
        key: String,
        /// What both wrote.
        value: String,
        /// One writer.
        first: String,
        /// The other one.
        second: String,
    },
    /// A swap that compares with a revision that nobody can have learned.
    #[error(
        "client {client} compared key {key:?} with revision {revision}, which no answer on this key names: \
         a client compares with what it learned"
    )]
    Revision {
        /// Who compared.
        client: String,
        /// The key.
        key: String,
        /// With what.
        revision: u64,
    },
}

impl History {
    /// Takes the operations in any order.
    pub fn new(mut entries: Vec<Entry>) -> Result<Self, InvalidHistory> {
        entries.sort_by_key(|entry| entry.called);
        for entry in &entries {
            let of = || (entry.client.clone(), entry.key.clone(), entry.called);
            if entry.effect().is_some_and(|effect| !effect.answers(&entry.operation)) {
                let (client, key, called) = of();
                return Err(InvalidHistory::Answer { client, key, called });
            }
            let returned = entry.returned.or(entry.effect().is_none().then_some(entry.called));
            if returned.is_none_or(|returned| returned < entry.called) {
                let (client, key, called) = of();
                return Err(InvalidHistory::Times { client, key, called });
            }
        }
        values_are_unique(&entries)?;
        revisions_were_learned(&entries)?;
        Ok(Self { entries })
    }

    /// The operations, in the order of their calls.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The places of each key's operations among the entries.
    pub fn by_key(&self) -> BTreeMap<&str, Vec<usize>> {
        let mut by_key: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (place, entry) in self.entries.iter().enumerate() {
            by_key.entry(&entry.key).or_default().push(place);
        }
        by_key
    }
}

fn values_are_unique(entries: &[Entry]) -> Result<(), InvalidHistory> {
    let mut writers: BTreeMap<(&str, &str), &str> = BTreeMap::new();
    for entry in entries {
        let Some(value) = entry.written() else { continue };
        if let Some(first) = writers.insert((&entry.key, value), &entry.client) {
            return Err(InvalidHistory::Value {
                key: entry.key.clone(),
                value: value.to_owned(),
                first: first.to_owned(),
                second: entry.client.clone(),
            });
        }
    }
    Ok(())
}

fn revisions_were_learned(entries: &[Entry]) -> Result<(), InvalidHistory> {
    let learned: BTreeSet<(&str, u64)> = entries.iter().filter_map(learned).collect();
    for entry in entries {
        let Operation::Swap { expected: Expected::Revision(revision), .. } = entry.operation else { continue };
        if revision != 0 && !learned.contains(&(entry.key.as_str(), revision)) {
            return Err(InvalidHistory::Revision {
                client: entry.client.clone(),
                key: entry.key.clone(),
                revision,
            });
        }
    }
    Ok(())
}

/// The revision of a value that an answer names.
fn learned(entry: &Entry) -> Option<(&str, u64)> {
    let Outcome::Ok(answer) = &entry.outcome else { return None };
    let revision = match &answer.effect {
        Effect::Held(version) => version.as_ref()?.revision,
        Effect::Written => answer.revision,
        Effect::Differed | Effect::Deleted { .. } => None,
    };
    Some((&entry.key, revision?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::{Answer, Version};

    fn entry(client: &str, operation: Operation, effect: Effect) -> Entry {
        Entry {
            client: client.to_owned(),
            key: "k".to_owned(),
            operation,
            called: 10,
            returned: Some(20),
            outcome: Outcome::Ok(Answer { revision: None, effect }),
        }
    }

    fn put(client: &str, value: &str) -> Entry {
        entry(client, Operation::Put { value: value.to_owned() }, Effect::Written)
    }

    #[test]
    fn an_answer_belongs_to_its_operation() {
        let history = History::new(vec![entry("a", Operation::Get, Effect::Written)]);
        assert!(matches!(history, Err(InvalidHistory::Answer { .. })), "{history:?}");
    }

    #[test]
    fn what_was_answered_returned_after_its_call() {
        for returned in [Some(9), None] {
            let history = History::new(vec![Entry { returned, ..put("a", "a.1") }]);
            assert!(matches!(history, Err(InvalidHistory::Times { .. })), "{history:?}");
        }
        let running = Entry { returned: None, outcome: Outcome::Unknown(String::new()), ..put("a", "a.1") };
        assert!(History::new(vec![running]).is_ok());
    }

    #[test]
    fn a_value_is_written_once_to_a_key() {
        let unknown = Entry { outcome: Outcome::Unknown(String::new()), ..put("b", "a.1") };
        let failed = Entry { outcome: Outcome::Failed(String::new()), ..put("b", "a.1") };
        let elsewhere = Entry { key: "other".to_owned(), ..put("b", "a.1") };
        let twice = History::new(vec![put("a", "a.1"), unknown]);
        assert!(matches!(twice, Err(InvalidHistory::Value { .. })), "{twice:?}");
        assert!(History::new(vec![put("a", "a.1"), failed, elsewhere]).is_ok());
    }

    #[test]
    fn a_revision_was_learned_before_it_is_compared_with() {
        let expected = Expected::Revision(7);
        let swap = entry("a", Operation::Swap { expected, value: "a.2".to_owned() }, Effect::Differed);
        let guessed = History::new(vec![swap.clone()]);
        assert!(matches!(guessed, Err(InvalidHistory::Revision { revision: 7, .. })), "{guessed:?}");
        let version = Version { value: "a.1".to_owned(), revision: Some(7) };
        let get = entry("b", Operation::Get, Effect::Held(Some(version)));
        assert!(History::new(vec![get, swap]).is_ok());
    }
}
