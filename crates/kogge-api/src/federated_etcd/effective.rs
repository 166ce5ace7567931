//! What holds in each placement.

use super::{EtcdPlacementSpec, FederatedEtcdSpec, Quota};

/// The members in one placement.
#[derive(Clone, Copy, Debug)]
pub struct PlacedMembers<'a> {
    /// Where.
    pub placement: &'a EtcdPlacementSpec,
    /// How many.
    pub replicas: u32,
}

impl FederatedEtcdSpec {
    /// The size that a member's database may reach.
    pub fn quota(&self) -> Quota {
        self.quota_backend_bytes.unwrap_or_default()
    }

    /// The members by placement, in the order of the placements' names: their order in the list carries no meaning.
    pub fn placed(&self) -> Vec<PlacedMembers<'_>> {
        let mut placed: Vec<PlacedMembers<'_>> = self
            .placement
            .iter()
            .map(|placement| PlacedMembers {
                placement,
                replicas: placement.members_per_placement.unwrap_or(self.members_per_placement),
            })
            .collect();
        placed.sort_by(|one, other| one.placement.name.cmp(&other.placement.name));
        placed
    }
}
