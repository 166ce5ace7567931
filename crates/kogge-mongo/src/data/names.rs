//! Names that are all strings on the wire and must never be mixed up here.

use std::fmt;

use kogge_engine::name;
use serde::{Deserialize, Serialize};

pub use kogge_engine::{Placement, PodName, Vdc};

name! {
    /// A replica set's name with the cluster's identity in it: `ll2022-shard-0-7f3k2m9q`.
    SetName
}
name! {
    /// `name:port` as a replica set's config lists it.
    Host
}

/// A member's `_id` in a replica set's config: 0–255, never used twice within one set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MemberId(pub u32);

impl MemberId {
    /// One past the highest `_id` that MongoDB accepts.
    pub const END: u32 = 256;
}

impl fmt::Display for MemberId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
