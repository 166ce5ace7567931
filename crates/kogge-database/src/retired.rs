//! Shards that the spec does not have any more.

use std::collections::BTreeSet;

use kogge_api::FederatedClusterSpec;
use kogge_api::anchor::{Anchor, Turns};
use kogge_api::federated_cluster::Component;
use kogge_api::labels;
use kogge_plan::WorkerView;
use kogge_plan::object::{cluster_id, label};

use crate::identity::Identity;
use crate::observation::Observation;

/// The shards that the spec does not have and the anchors still tell of.
pub(crate) fn retired(identity: &Identity, spec: &FederatedClusterSpec, anchor: &Anchor) -> BTreeSet<Component> {
    let of_members = anchor.members.keys().filter_map(|pod| identity.component_of(pod));
    let of_seeds = anchor.seeds.keys().filter_map(|component| component.parse().ok());
    let under_way = anchor.shard_removals.iter().filter(|(_, turns)| is_under_way(**turns));
    of_members
        .chain(of_seeds)
        .chain(under_way.filter_map(|(component, _)| component.parse().ok()))
        .filter(|component| is_retired(spec, *component))
        .collect()
}

/// The shards that the spec does not have and any worker holds an object of.
pub(crate) fn standing(observation: &Observation<'_>) -> BTreeSet<Component> {
    let (spec, id) = (&observation.cluster.spec, observation.identity.id.as_str());
    let views = observation.fleet.workers.values();
    views.flat_map(|view| components(view, id)).filter(|component| is_retired(spec, *component)).collect()
}

fn is_under_way(turns: Turns) -> bool {
    turns.begun > turns.ended
}

/// Whether a component is a shard that the spec does not have.
pub(crate) fn is_retired(spec: &FederatedClusterSpec, component: Component) -> bool {
    matches!(component, Component::Shard(index) if index >= spec.shard.shard_count)
}

fn components(view: &WorkerView, id: &str) -> BTreeSet<Component> {
    let ours = view.objects.values().filter(|object| cluster_id(object) == Some(id));
    ours.filter_map(|object| label(object, labels::COMPONENT)?.parse().ok()).collect()
}
