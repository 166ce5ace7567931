//! Whether a resource may act on the database that it names: asked before anything else, of every resource, also of one
//! that is being deleted.

use std::collections::BTreeSet;

use kogge_api::{Owner, OwnerRecord};
use kogge_engine::Engine;

use super::known::{Known, Start};
use super::look::{Again, Look, Read, Then, Write};
use super::pace::{BLOCKED, blocked, is_protected};
use crate::problem::Problem;
use crate::rivals::{id_of_another, name_of_another};

/// What a resource may do.
pub(super) enum Title {
    /// Nobody knows before this was read.
    Read(Read),
    /// It acts on its own database.
    Own,
    /// Nothing: what it names is another's. Its end removes nothing but itself.
    Refused(Problem),
}

pub(super) fn look<E: Engine>(known: &Known<'_, E>) -> Title {
    let start = known.start;
    let database = start.database;
    let is_deleted = database.metadata.deletion_timestamp.is_some();
    if let Some(id) = &database.cluster_id {
        let Some(record) = &known.control.owner else { return Title::Read(Read::Owner(id.clone())) };
        if let Some(problem) = id_of_another(database, start.rivals, record) {
            return Title::Refused(problem);
        }
    }
    // The names of a database that is on record are looked at where its spec is accepted.
    if !is_deleted
        && !is_recorded(known)
        && let Some(problem) = name_of_another(database, start.rivals, &BTreeSet::new())
    {
        return Title::Refused(problem);
    }
    Title::Own
}

/// Ends the pass of a resource whose title was refused: one that is being deleted goes at once, and alone.
pub(super) fn refused<'a, E: Engine>(start: Start<'a, E>, problem: &Problem) -> Look<'a, E> {
    if start.database.metadata.deletion_timestamp.is_none() {
        return blocked(start, problem, BLOCKED);
    }
    if is_protected(start) {
        return Look::Write(Box::new(Write::Release), Then::End(Again::OnChange));
    }
    Look::Done(Again::OnChange)
}

/// Whether the spec lacks the clusterID that the database has: whoever replaces a resource by its manifest takes it away.
pub(super) fn is_unidentified<E: Engine>(start: Start<'_, E>) -> bool {
    start.database.cluster_id.is_some() && E::cluster_id(start.spec).is_none()
}

/// Whether anything is kept of the database, or was accepted.
fn is_recorded<E: Engine>(known: &Known<'_, E>) -> bool {
    let accepted = known.start.database.status.as_ref().is_some_and(|status| status.epoch.is_some());
    accepted || known.control.owner.as_ref().is_some_and(|record| *record != OwnerRecord::Absent)
}

/// Whether the record names this resource, and this very object.
pub(super) fn is_up_to_date(record: Option<&OwnerRecord>, me: &Owner) -> bool {
    matches!(record, Some(OwnerRecord::Named(owner)) if owner == me)
}
