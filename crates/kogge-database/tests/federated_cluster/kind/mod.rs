//! FederatedCluster in the world: MongoDB's servers, and what a database begins with.

mod routers;
mod servers;

use kogge_api::FederatedClusterSpec;
use kogge_api::anchor::mongodb::Record;
use kogge_mongo::{Action, MongoDb, Step};
use serde_json::{Value, json};

pub(crate) use servers::Servers;

pub(crate) type Kind = MongoDb;

pub(crate) const CONFIG: &str = "ll2022-config-abcdefgh";
pub(crate) const SHARD: &str = "ll2022-shard-0-abcdefgh";

/// The container of a member's server.
pub(crate) const SERVER: &str = "mongod";

/// What a user asks for at first.
pub(crate) fn spec(placement: &Value) -> Value {
    json!({
        "global": {"chart": "bytedoc", "chartVersion": "1.0.0"},
        "mongos": {"replicasPerPlacement": 1},
        "placement": placement,
    })
}

pub(crate) fn set_chart_version(spec: &mut FederatedClusterSpec, version: &str) {
    spec.global.chart_version = Some(version.to_owned());
}

/// The pod that a step begins a group on.
pub(crate) fn founded(step: &Step) -> Option<&str> {
    match &step.action {
        Action::Initiate { seed, .. } => Some(seed.as_str()),
        _ => None,
    }
}

/// The pod that a step makes the other members look for by its name.
pub(crate) fn admitted(step: &Step) -> Option<&str> {
    match &step.action {
        Action::Initiate { member, .. } | Action::AddMember { member, .. } => {
            member.host.as_str().split('.').next()
        }
        _ => None,
    }
}

/// Whether a worker remembers that a group begins on that pod.
pub(crate) fn names_seed(record: &Record, pod: &str) -> bool {
    record.seeds.values().any(|recorded| recorded == pod)
}
