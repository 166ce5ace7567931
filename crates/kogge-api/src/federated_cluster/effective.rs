//! What the spec amounts to: defaults and overrides brought together.

use super::{Component, FederatedClusterSpec, PlacementSpec, ResourcesSpec, StorageSpec};

/// The share of one component in one placement.
#[derive(Clone, Debug, PartialEq)]
pub struct PlacedComponent<'a> {
    /// The component.
    pub component: Component,
    /// The placement.
    pub placement: &'a PlacementSpec,
    /// Its pods: members or routers.
    pub replicas: u32,
    /// CPU and memory of a pod.
    pub resources: Option<&'a ResourcesSpec>,
    /// The volume of a member; routers have none.
    pub storage: Option<&'a StorageSpec>,
}

impl FederatedClusterSpec {
    /// Every share of every component, components in the order in which changes reach them, placements by
    /// name: the order of `spec.placement` carries no meaning.
    pub fn placed_components(&self) -> Vec<PlacedComponent<'_>> {
        Component::all(self.shard.shard_count).flat_map(|component| self.placed_component(component)).collect()
    }

    /// Every share of one component, placements by name; it may be a shard that the spec does not have any more.
    pub fn placed_component(&self, component: Component) -> Vec<PlacedComponent<'_>> {
        let mut placements: Vec<&PlacementSpec> = self.placement.iter().collect();
        placements.sort_by(|a, b| a.name.cmp(&b.name));
        placements.into_iter().map(|placement| self.placed(component, placement)).collect()
    }

    fn placed<'a>(&'a self, component: Component, placement: &'a PlacementSpec) -> PlacedComponent<'a> {
        let (replicas, resources, storage) = match component {
            Component::Mongos => (
                placement.mongos.as_ref().and_then(|o| o.replicas).unwrap_or(self.mongos.replicas_per_placement),
                self.mongos.resources.as_ref(),
                None,
            ),
            Component::Config => (
                placement
                    .config
                    .as_ref()
                    .and_then(|o| o.members_per_placement)
                    .unwrap_or(self.config.members_per_placement),
                self.config.resources.as_ref(),
                Some(&self.config.storage),
            ),
            Component::Shard(_) => (
                placement
                    .shard
                    .as_ref()
                    .and_then(|o| o.members_per_placement)
                    .unwrap_or(self.shard.members_per_placement),
                self.shard.resources.as_ref(),
                Some(&self.shard.storage),
            ),
        };
        PlacedComponent { component, placement, replicas, resources, storage }
    }
}
