//! The controller of FederatedClusters: observe → validate → plan → apply → report.

pub mod engine;
pub mod identity;
pub mod revisions;
pub mod secrets;
