//! What one look at a member's disk and anchor comes to.

use kogge_api::gate::{Hold, HoldReason, Report};

/// A look after which the server may start, now or later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Look {
    /// What was seen.
    pub(super) report: Report,
    /// What the server's flags are, beside those that the chart gives it; none where the anchor does not say yet how it
    /// starts.
    pub(super) server_flags: Option<Vec<String>>,
    /// The start that these flags make, where it is good for one time only: it is noted before it is used.
    pub(super) good_once: Option<String>,
}

/// The gate could not do its work.
pub(super) fn failed(message: String) -> Hold {
    Hold { reason: HoldReason::Failed, message }
}
