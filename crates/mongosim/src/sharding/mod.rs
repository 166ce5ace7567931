//! The config servers' part of a sharded cluster.

mod add_shard;
mod balancer;
mod config_server;
mod remove_shard;

/// Where the shards are listed: `{_id, host, state, draining?}`.
pub const SHARDS: &str = "config.shards";
/// Where each database's primary shard is kept: `{_id, primary}`.
pub const DATABASES: &str = "config.databases";
