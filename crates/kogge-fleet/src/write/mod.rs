//! Guarded writes: one [`Action`](kogge_plan::Action), one object, one answer.
//!
//! What a write did is known from its answer or from a later observation, and from nothing else: a write
//! whose answer did not come is [`Outcome::Unknown`], never a success (A3).

mod apply;
mod conflict;
mod delete;
mod error;
mod field_path;
pub(crate) mod pauses;
mod target;

use std::fmt;
use std::time::Instant;

use kogge_api::labels;
use kogge_plan::{Action, ObjectKey};

pub use error::WriteError;

use crate::connection::warnings;
use crate::fleet::Worker;

use self::pauses::Attempt;
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
        /// What the API server warns of, such as pods that Pod Security will refuse.
        warnings: Vec<String>,
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
        /// Whether it took longer than the deadline, as a slow admission webhook makes it.
        timed_out: bool,
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

/// Carries out one action on one worker; what its admission was at fault for a moment ago is not tried again yet.
pub(crate) async fn execute(
    worker: &Worker,
    system_namespace: &str,
    action: &Action,
    context: WriteContext<'_>,
) -> Result<Outcome, WriteError> {
    let attempt = attempt(worker, action, context)?;
    let target = Target::new(worker, system_namespace, attempt.key.clone(), context)?;
    if let Some(came) = worker.pauses(|pauses| pauses.held(&attempt, Instant::now())) {
        return came;
    }
    let (verb, why) = match action {
        Action::Apply { why, .. } if context.dry_run => ("rehearse", why),
        Action::Apply { why, .. } => ("apply", why),
        Action::Delete { why, .. } => ("delete", why),
    };
    let write = async {
        match action {
            Action::Apply { object, precondition, .. } => apply::apply(&target, object, precondition).await,
            Action::Delete { uid, resource_version, .. } => {
                delete::delete(&target, uid, resource_version.as_deref()).await
            }
        }
    };
    let (mut came, heard) = warnings::heard(write).await;
    if let Ok(Outcome::Applied { warnings, .. }) = &mut came
        && !target.metadata_only()
    {
        *warnings = heard;
    }
    target.log(verb, why, &came);
    worker.pauses(|pauses| pauses.note(attempt, &came, Instant::now()));
    came
}

fn attempt(worker: &Worker, action: &Action, context: WriteContext<'_>) -> Result<Attempt, WriteError> {
    let (key, content) = match action {
        Action::Apply { object, .. } => {
            let annotations = object.metadata.annotations.as_ref();
            (
                ObjectKey::of(object),
                annotations.and_then(|annotations| annotations.get(labels::APPLIED_HASH).cloned()),
            )
        }
        Action::Delete { key, .. } => (Some(key.clone()), None),
    };
    let key =
        key.ok_or_else(|| WriteError::Malformed { worker: worker.name().clone(), missing: "type or name" })?;
    Ok(Attempt { key, content, dry_run: context.dry_run })
}
