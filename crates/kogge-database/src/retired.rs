//! Components that the spec does not have any more.

use std::collections::BTreeSet;

use kogge_api::anchor::{Anchor, Turns};
use kogge_api::labels;
use kogge_engine::{Component, Database, Engine, Identity};
use kogge_plan::WorkerView;
use kogge_plan::object::{cluster_id, label};

use crate::observation::Observation;
use crate::pods::component_of;

/// The components that the spec does not have and the anchors still tell of.
pub(crate) fn retired<E: Engine>(
    identity: &Identity,
    database: &Database,
    anchor: &Anchor,
) -> BTreeSet<Component> {
    let of_members = anchor.members.keys().filter_map(|pod| component_of::<E>(identity, pod));
    let under_way = anchor.shard_removals.iter().filter(|(_, turns)| is_under_way(**turns));
    let named = anchor.seeds.keys().chain(under_way.map(|(component, _)| component));
    let all = of_members.chain(named.filter_map(|component| E::component(component)));
    all.filter(|component| !database.has(&component.key)).collect()
}

/// The components that the spec does not have and any worker holds an object of.
pub(crate) fn standing<E: Engine>(observation: &Observation<'_, E>) -> BTreeSet<Component> {
    let id = observation.identity.id.as_str();
    let found = observation.fleet.workers.values().flat_map(|view| components::<E>(view, id));
    found.filter(|component| !observation.database.has(&component.key)).collect()
}

fn is_under_way(turns: Turns) -> bool {
    turns.begun > turns.ended
}

fn components<E: Engine>(view: &WorkerView, id: &str) -> BTreeSet<Component> {
    let ours = view.objects.values().filter(|object| cluster_id(object) == Some(id));
    ours.filter_map(|object| E::component(label(object, labels::COMPONENT)?)).collect()
}
