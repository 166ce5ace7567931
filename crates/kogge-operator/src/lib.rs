//! The operator: controllers, leadership, health, metrics.

pub mod control;
pub mod federated_cluster;
pub mod http;
pub mod leader;
pub mod metrics;
pub mod settings;
