//! The operator: controllers, leadership, health, metrics.

mod certificate;
mod context;
pub mod control;
pub mod federated_cluster;
pub mod http;
pub mod leader;
pub mod metrics;
mod mint;
mod own_objects;
mod reachability;
mod recent;
mod renders;
#[cfg(test)]
mod rotation_tests;
mod run;
pub mod settings;
mod watch;
pub mod worker_cluster;

pub use context::{Context, Engines};
pub use run::run;
