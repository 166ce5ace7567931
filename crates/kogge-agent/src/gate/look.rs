//! What one look at a member's disk and anchor comes to.

use kogge_api::gate::{Hold, HoldReason, Report};

use super::etcd::Restore;

/// A look after which the server may start, now or later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Look {
    /// What was seen.
    pub(super) report: Report,
    /// What comes next.
    pub(super) next: Next,
}

/// What comes next, once it is reported what was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// The anchor does not say yet how the server starts.
    Wait,
    /// What is on the disk is restored as a new cluster first.
    Restore(Box<Restore>),
    /// The server starts.
    Start(Start),
}

/// How the server starts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Start {
    /// Flags beside those that the chart gives it.
    pub(super) flags: Vec<String>,
    /// The start as the anchor has it, where it is good for one time only: it is noted before it is used.
    pub(super) good_once: Option<String>,
}

/// The gate could not do its work.
pub(super) fn failed(message: String) -> Hold {
    Hold { reason: HoldReason::Failed, message }
}
