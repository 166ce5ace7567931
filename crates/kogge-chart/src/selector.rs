//! Selectors: the labels by which workloads and Services find their pods.

use kogge_api::{ClusterId, labels};
use serde_json::{Value, json};

/// The pods of a component, in every placement on a worker.
pub(crate) fn of_component(id: &ClusterId, component: &str) -> Value {
    json!({ labels::CLUSTER_ID: id, labels::COMPONENT: component })
}

/// The pods of a component in one placement.
pub(crate) fn of_placement(id: &ClusterId, component: &str, placement: &str) -> Value {
    json!({ labels::CLUSTER_ID: id, labels::COMPONENT: component, labels::PLACEMENT: placement })
}
