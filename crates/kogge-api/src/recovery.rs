//! What a person says about vdcs that are lost for good, as the annotation [`crate::labels::RECOVER`] holds it.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// The value of the annotation, as JSON:
/// `{"lost":["vdc2","vdc3"],"fenced":true}`, later `{"readmit":["vdc2"]}`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RecoveryRequest {
    /// Vdcs, or placements, whose members are lost.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub lost: BTreeSet<String>,
    /// Nothing of them runs any more, or ever reaches the other members again: somebody made sure of that.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub fenced: bool,
    /// The groups, by their components, such as `shard-0`; all where it is empty.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub groups: BTreeSet<String>,
    /// Vdcs, or placements, whose members may join again once their volumes are empty.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub readmit: BTreeSet<String>,
}
