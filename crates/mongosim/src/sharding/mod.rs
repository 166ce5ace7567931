//! The config servers' part of a sharded cluster, and what shards do for it.

mod add_shard;
mod balancer;
mod balancing;
mod config_server;
mod databases;
mod founding;
mod move_primary;
mod range_deleter;
mod remove_shard;
mod sessions_collection;

pub use add_shard::ShardUrl;
pub use balancer::Rounds;
pub use move_primary::{Moves, ROUTED};

/// Where the shards are listed: `{_id, host, state, draining?}`.
pub const SHARDS: &str = "config.shards";
/// Where each database's primary shard is kept: `{_id, primary}`.
pub const DATABASES: &str = "config.databases";
/// Where sharded collections are listed: `{_id, uuid, key}`.
pub const COLLECTIONS: &str = "config.collections";
/// Where each chunk's shard is kept: `{_id, uuid, min, max, shard, jumbo?}`.
pub const CHUNKS: &str = "config.chunks";
/// Where a shard keeps which ranges it gave away and has not deleted yet.
pub const RANGE_DELETIONS: &str = "config.rangeDeletions";
/// Where the cluster's identity is kept: `{_id: 1, clusterId}`.
pub const VERSION: &str = "config.version";
/// Where the balancer's mode is kept, under `_id: "balancer"`.
pub const SETTINGS: &str = "config.settings";
