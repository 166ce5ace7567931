//! What is to be done, as data: ordered, serialisable, with the reason in words.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Object, ObjectKey, WorkerName};

/// One write to one worker.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "action")]
pub enum Action {
    /// Server-side apply of an object.
    Apply {
        /// The worker.
        worker: WorkerName,
        /// The whole of what Kogge wants to own of it.
        object: Box<Object>,
        /// What must hold for the write to be accepted (A7).
        precondition: ApplyPrecondition,
        /// Why, in words.
        why: String,
    },
    /// Deletion of an object.
    Delete {
        /// The worker.
        worker: WorkerName,
        /// The object.
        key: ObjectKey,
        /// The UID that was observed; another object of that name is left alone.
        uid: String,
        /// The resourceVersion that was observed, where the decision rests on the object's content.
        resource_version: Option<String>,
        /// Why, in words.
        why: String,
    },
}

/// What must hold for an apply to be accepted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ApplyPrecondition {
    /// No object of that name exists: the executor reads it live first, and refuses a stranger's.
    Absent,
    /// The object is the very one that was observed.
    Observed {
        /// Its UID.
        uid: String,
        /// Its resourceVersion.
        resource_version: String,
    },
}

impl Action {
    /// The worker that it writes to.
    pub fn worker(&self) -> &WorkerName {
        match self {
            Self::Apply { worker, .. } | Self::Delete { worker, .. } => worker,
        }
    }
}

/// Without the object, which may be a Secret (A12).
impl fmt::Debug for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Action({self})")
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Apply { worker, object, precondition, why } => {
                let verb = if *precondition == ApplyPrecondition::Absent { "create" } else { "update" };
                match ObjectKey::of(object) {
                    Some(key) => write!(f, "{worker}: {verb} {key}: {why}"),
                    None => write!(f, "{worker}: {verb} an unnamed object: {why}"),
                }
            }
            Self::Delete { worker, key, why, .. } => write!(f, "{worker}: delete {key}: {why}"),
        }
    }
}
