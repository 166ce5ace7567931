//! Defaults, which the API server writes into a stored object.

use std::time::Duration;

pub(super) fn chart() -> String {
    "bytedoc".to_owned()
}

pub(super) fn one() -> u32 {
    1
}

pub(super) fn one_shard() -> u16 {
    1
}

pub(super) fn two() -> u32 {
    2
}

pub(super) fn no_soak() -> kube_core::Duration {
    Duration::ZERO.into()
}

/// Seven days: a deletion on a Friday evening is still undone on Monday.
pub(super) fn cool_off() -> kube_core::Duration {
    Duration::from_hours(168).into()
}
