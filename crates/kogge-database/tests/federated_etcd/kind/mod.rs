//! FederatedEtcd in the world: etcd's servers, and what a database begins with.

mod servers;
#[path = "../../../../kogge-etcd/tests/planner/support/mod.rs"]
#[allow(dead_code, unused_imports, reason = "the planner's own tests use the rest of its simulated servers")]
mod simulated;

use kogge_api::FederatedEtcdSpec;
use kogge_api::anchor::etcd::Record;
use kogge_etcd::{Action, Etcd, Step};
use serde_json::{Value, json};

use crate::world::World;
pub(crate) use servers::Servers;

pub(crate) type Kind = Etcd;

/// The container of a member's server.
pub(crate) const SERVER: &str = "etcd";

/// What a user asks for at first.
pub(crate) fn spec(placement: &Value) -> Value {
    json!({"chart": "etcd", "chartVersion": "1.0.0", "version": "3.5.32", "placement": placement})
}

pub(crate) fn set_chart_version(spec: &mut FederatedEtcdSpec, version: &str) {
    spec.chart_version = Some(version.to_owned());
}

/// The version that all members agreed on, as the status tells it.
pub(crate) fn agreed_version(world: &World) -> Option<String> {
    world.status().data_version
}

/// The leader, as the status tells it.
pub(crate) fn told_leader(world: &World) -> Option<String> {
    world.status().leaders
}

/// No step begins a group: the gate of the seed does.
pub(crate) fn founded(_: &Step) -> Option<&str> {
    None
}

/// The pod that a step makes the other members look for by its name.
pub(crate) fn admitted(step: &Step) -> Option<&str> {
    match &step.action {
        Action::AddLearner { pod, .. } => Some(pod.as_str()),
        _ => None,
    }
}

/// Whether a worker remembers that the group begins on that pod.
pub(crate) fn names_seed(record: &Record, pod: &str) -> bool {
    record.seed.as_ref().is_some_and(|seed| seed.pod == pod)
}
