//! The config servers' part of a sharded cluster.

mod add_shard;
mod config_server;
mod databases;
mod founding;
mod move_primary;
mod remove_shard;

pub use add_shard::ShardUrl;
pub use move_primary::{Moves, ROUTED};

/// Where the shards are listed: `{_id, host, state, draining?}`.
pub const SHARDS: &str = "config.shards";
/// Where each database's primary shard is kept: `{_id, primary}`.
pub const DATABASES: &str = "config.databases";
/// Where the cluster's identity is kept: `{_id: 1, clusterId}`.
pub const VERSION: &str = "config.version";
/// Where the balancer's mode is kept, under `_id: "balancer"`.
pub const SETTINGS: &str = "config.settings";
