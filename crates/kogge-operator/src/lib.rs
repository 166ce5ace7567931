//! The operator: controllers, leadership, health, metrics.

mod context;
pub mod control;
pub mod database;
mod engines;
pub mod http;
pub mod leader;
pub mod metrics;
pub mod mint;
mod own_objects;
mod reachability;
mod recent;
mod renders;
mod run;
pub mod settings;
mod undecodable;
mod watch;
pub mod worker_cluster;

pub use context::Context;
pub use run::run;
