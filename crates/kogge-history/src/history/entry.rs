//! One operation of a client.

use serde::{Deserialize, Serialize};

/// What a client asks of one key. Every value is written at most once to a key, so a value says who wrote it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Operation {
    /// Reads the key, linearizably.
    Get,
    /// Writes the key, whatever it holds.
    Put {
        /// What is written.
        value: String,
    },
    /// Writes the key if it is as expected: a transaction of etcd with one comparison and one put.
    Swap {
        /// What the key must be.
        expected: Expected,
        /// What is written then.
        value: String,
    },
    /// Deletes the key, whatever it holds.
    Delete,
}

/// What a swap compares the key with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Expected {
    /// It exists and holds this value.
    Value(String),
    /// It was last written at this revision; 0, as in etcd: it does not exist.
    Revision(u64),
}

/// What a key holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    /// The value.
    pub value: String,
    /// The revision at which it was written (etcd's `mod_revision`), if the store has such.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<u64>,
}

/// What came of an operation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Outcome {
    /// It took effect between its call and its return, with this answer.
    Ok(Answer),
    /// It certainly had no effect and never will have; the error says why.
    Failed(String),
    /// It may have taken effect, may still do so at any later moment, or never; the error says why.
    Unknown(String),
}

/// A store's answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// The store's revision (etcd's `header.revision`), if it has one: that of the operation itself where it changed
    /// the key, else the one at which it was carried out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<u64>,
    /// What the answer says.
    pub effect: Effect,
}

/// What an answer says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Effect {
    /// To a get: what the key held, if it existed.
    Held(Option<Version>),
    /// To a put, or to a swap whose comparison was true: it was written.
    Written,
    /// To a swap whose comparison was not true: nothing was written.
    Differed,
    /// To a delete.
    Deleted {
        /// Whether the key existed until then.
        existed: bool,
    },
}

/// One operation of a client, from its call to its return. All times are nanoseconds of one monotonic clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Who called.
    pub client: String,
    /// The key.
    pub key: String,
    /// What was asked.
    pub operation: Operation,
    /// A moment before it was sent.
    pub called: u64,
    /// A moment after its answer came, or at which the client gave it up; none if it was still running in the end.
    pub returned: Option<u64>,
    /// What came of it.
    pub outcome: Outcome,
}

impl Operation {
    /// The value that it writes.
    pub fn value(&self) -> Option<&str> {
        match self {
            Self::Put { value } | Self::Swap { value, .. } => Some(value),
            Self::Get | Self::Delete => None,
        }
    }
}

impl Effect {
    /// Whether an operation can be answered so.
    pub fn answers(&self, operation: &Operation) -> bool {
        match self {
            Self::Held(_) => matches!(operation, Operation::Get),
            Self::Written => matches!(operation, Operation::Put { .. } | Operation::Swap { .. }),
            Self::Differed => matches!(operation, Operation::Swap { .. }),
            Self::Deleted { .. } => matches!(operation, Operation::Delete),
        }
    }

    /// Whether the key was changed.
    pub fn changes(&self) -> bool {
        matches!(self, Self::Written | Self::Deleted { existed: true })
    }
}

impl Entry {
    /// What the answer says, if there is one.
    pub fn effect(&self) -> Option<&Effect> {
        match &self.outcome {
            Outcome::Ok(answer) => Some(&answer.effect),
            Outcome::Failed(_) | Outcome::Unknown(_) => None,
        }
    }

    /// Whether it may have had an effect although no answer says so.
    pub fn is_unknown(&self) -> bool {
        matches!(self.outcome, Outcome::Unknown(_))
    }

    /// The value that it wrote, or may have written.
    pub fn written(&self) -> Option<&str> {
        let may_have = self.is_unknown() || self.effect() == Some(&Effect::Written);
        self.operation.value().filter(|_| may_have)
    }
}
