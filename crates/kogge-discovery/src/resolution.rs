//! Whether a member's name resolves to its present address in every cluster: a condition of the next restart.

use std::collections::BTreeSet;

use crate::facts::{Destination, PodFact};
use crate::slice::Family;

/// Where a member's name resolves to its present address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resolution {
    /// Workers that show another address, several, or none.
    pub stale: BTreeSet<String>,
    /// Workers that were not seen live and complete.
    pub unknown: BTreeSet<String>,
}

impl Resolution {
    /// Whether it does everywhere, as observed.
    pub fn is_everywhere(&self) -> bool {
        self.stale.is_empty() && self.unknown.is_empty()
    }

    /// Whether it does wherever that can be seen.
    pub fn is_everywhere_seen(&self) -> bool {
        self.stale.is_empty()
    }
}

/// Where the name of a pod resolves to its address, from the slices that were observed.
pub fn resolves_everywhere(pod: &PodFact, destinations: &[Destination]) -> Resolution {
    let expected: BTreeSet<String> =
        Family::ALL.iter().filter_map(|family| pod.address(*family)).map(|address| address.to_string()).collect();
    let mut resolution = Resolution::default();
    for destination in destinations {
        if !destination.current {
            resolution.unknown.insert(destination.worker.clone());
        } else if expected.is_empty() || published(pod, destination, &expected) != expected {
            resolution.stale.insert(destination.worker.clone());
        }
    }
    resolution
}

/// The addresses that a destination answers with, of the families that the pod has.
fn published(pod: &PodFact, destination: &Destination, expected: &BTreeSet<String>) -> BTreeSet<String> {
    let families: BTreeSet<&str> =
        expected.iter().map(|address| if address.contains(':') { "IPv6" } else { "IPv4" }).collect();
    destination
        .slices
        .iter()
        .filter(|slice| families.contains(slice.address_type.as_str()))
        .flat_map(|slice| &slice.endpoints)
        .filter(|endpoint| endpoint.hostname.as_deref().is_some_and(|name| name.eq_ignore_ascii_case(&pod.name)))
        .flat_map(|endpoint| endpoint.addresses.iter().cloned())
        .collect()
}
