//! When a pass comes again, and how it ends where it cannot go on.

use std::time::Duration;

use kogge_api::FINALIZER;
use kogge_engine::Engine;

use super::known::Start;
use super::look::{Again, Look, Then, Write};
use crate::problem::Problem;
use crate::report;

/// How soon to look again after something was done.
pub(super) const BUSY: Again = Again::After(Duration::from_millis(500));
/// How soon to look again after a write in the control cluster that the next pass must see.
pub(super) const WRITTEN: Again = Again::After(Duration::from_millis(50));
/// How often to look again where you must act; what you change is seen at once, but for a foreign object on a worker.
pub(super) const BLOCKED: Again = Again::After(Duration::from_secs(5));

/// Whether the resource carries Kogge's finalizer.
pub(super) fn is_protected<E: Engine>(start: Start<'_, E>) -> bool {
    start.database.metadata.finalizers.iter().flatten().any(|finalizer| finalizer == FINALIZER)
}

/// The pass ends here, because of this: the status says so.
pub(super) fn blocked<'a, E: Engine>(start: Start<'a, E>, problem: &Problem, again: Again) -> Look<'a, E> {
    let status = report::blocked(start.database, problem, start.now);
    match Write::status(start.database, status) {
        Some(write) => Look::Write(Box::new(write), Then::End(again)),
        None => Look::Done(again),
    }
}
