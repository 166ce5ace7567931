//! Which member the gate stands before.

use kogge_api::ClusterId;
use kogge_api::anchor::Anchor;
use kogge_api::gate::HoldReason;

/// Which member this is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Me<'a> {
    /// The database.
    pub(super) cluster_id: &'a ClusterId,
    /// The component, such as `shard-0`.
    pub(super) component: &'a str,
    /// The pod.
    pub(super) pod: &'a str,
    /// The pod's UID, where the gate is told.
    pub(super) uid: Option<&'a str>,
}

impl Me<'_> {
    /// The anchor, where it can be read and is this database's.
    pub(super) fn own<'a, R>(
        &self,
        anchor: Result<&'a Anchor<R>, &str>,
    ) -> Result<&'a Anchor<R>, (HoldReason, String)> {
        let anchor = anchor.map_err(|error| {
            let message =
                format!("nothing is known of the member: {error}; Kogge writes the anchor again when it can");
            (HoldReason::NoAnchor, message)
        })?;
        if anchor.cluster_id == *self.cluster_id {
            return Ok(anchor);
        }
        let message = format!("the anchor is of database {}, not of {}", anchor.cluster_id, self.cluster_id);
        Err((HoldReason::NoAnchor, message))
    }
}
