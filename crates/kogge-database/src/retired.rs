//! Components that the spec does not have any more.

use std::collections::BTreeSet;

use kogge_api::labels;
use kogge_engine::{Component, Database, Engine, Identity, Record as _};
use kogge_plan::object::label;
use kogge_plan::{WorkerView, workload};

use crate::observation::Observation;
use crate::pods::component_of;

/// The components that the spec does not have and the anchors still tell of.
pub(crate) fn retired<E: Engine>(
    identity: &Identity,
    database: &Database,
    record: &E::Record,
) -> BTreeSet<Component> {
    let of_members = record.members().filter_map(|(pod, _)| component_of::<E>(identity, pod));
    let all = of_members.chain(record.components().filter_map(E::component));
    all.filter(|component| !database.has(&component.key)).collect()
}

/// The components that the spec does not have and any worker holds an object of.
pub(crate) fn standing<E: Engine>(observation: &Observation<'_, E>) -> BTreeSet<Component> {
    let database = observation.identity.database();
    let found = observation.fleet.workers.values().flat_map(|view| components::<E>(view, database));
    found.filter(|component| !observation.database.has(&component.key)).collect()
}

fn components<E: Engine>(view: &WorkerView, database: workload::Database<'_>) -> BTreeSet<Component> {
    database.objects(view).filter_map(|(_, object)| E::component(label(object, labels::COMPONENT)?)).collect()
}
