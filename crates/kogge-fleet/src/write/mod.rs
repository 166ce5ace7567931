//! Guarded writes: one [`Action`](kogge_plan::Action), one object, one answer.
//!
//! What a write did is known from its answer or from a later observation, and from nothing else: a write
//! whose answer did not come is [`Outcome::Unknown`], never a success (A3).

mod apply;
mod conflict;
mod delete;
mod error;
mod field_path;
mod forced;
mod target;

use std::fmt;

use kogge_plan::{Action, ObjectKey};

pub use error::WriteError;

use crate::fleet::Worker;

use self::target::Target;

/// Whether this process is the one writer, by its own monotonic clock, at this very moment (A7).
///
/// It is asked directly before each request that writes, so it must be cheap and must not block.
pub trait Fence: Send + Sync {
    /// Whether the lease is held and not about to run out.
    fn is_leader(&self) -> bool;
}

/// What every write of a pass has in common.
#[derive(Clone, Copy)]
pub struct WriteContext<'a> {
    /// Asked directly before each write.
    pub fence: &'a dyn Fence,
    /// The UID of the worker that the plan was made for; another cluster behind the same name is refused.
    pub worker_uid: &'a str,
    /// Whether the API server only checks the write, with everything that could refuse it, and makes none.
    pub dry_run: bool,
}

/// What a write did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The object is as it was asked for, but for the conflicts.
    Applied {
        /// The resourceVersion after the write.
        resource_version: String,
        /// Fields that belong to someone else and were left to them (A10).
        conflicts: Vec<FieldConflict>,
    },
    /// The deletion is accepted; finalizers may still hold the object.
    Deleted,
    /// The object is not there any more, or another one of its name is.
    Gone,
    /// The object is not what was observed: observe again, and plan again.
    Stale {
        /// The API server's words.
        message: String,
    },
    /// The answer did not come: only observation can tell what happened.
    Unknown {
        /// Why there is no answer.
        message: String,
    },
}

/// A field that someone else owns.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FieldConflict {
    /// The field, such as `.spec.ports[name="client"].port`.
    pub field: String,
    /// Who owns it.
    pub manager: String,
}

impl fmt::Display for FieldConflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is owned by {:?}", self.field, self.manager)
    }
}

/// Carries out one action on one worker.
pub(crate) async fn execute(
    worker: &Worker,
    system_namespace: &str,
    action: &Action,
    context: WriteContext<'_>,
) -> Result<Outcome, WriteError> {
    match action {
        Action::Apply { worker: _, object, precondition, why } => {
            let key = ObjectKey::of(object)
                .ok_or_else(|| WriteError::Malformed { worker: worker.name().clone(), missing: "type or name" })?;
            let target = Target::new(worker, system_namespace, key, context)?;
            let result = apply::apply(&target, object, precondition).await;
            target.log(if context.dry_run { "rehearse" } else { "apply" }, why, &result);
            result
        }
        Action::Delete { worker: _, key, uid, resource_version, why } => {
            let target = Target::new(worker, system_namespace, key.clone(), context)?;
            let result = delete::delete(&target, uid, resource_version.as_deref()).await;
            target.log("delete", why, &result);
            result
        }
    }
}
