//! What a router says of the sharded cluster beside its list of shards.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

/// The sharded cluster as a router tells it; what could not be read is absent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ClusterState {
    /// Whether the balancer is on.
    pub balancer_on: Option<bool>,
    /// The config servers' `featureCompatibilityVersion`, such as `7.0`, once it is reached everywhere.
    pub feature_compatibility_version: Option<String>,
    /// Whether a default write concern was set by anyone.
    pub default_write_concern: Option<bool>,
    /// Whether a default read concern was set by anyone.
    pub default_read_concern: Option<bool>,
    /// The databases by primary shard; read while a shard is being removed.
    pub databases: BTreeMap<String, BTreeSet<String>>,
    /// The chunks that are left, by draining shard.
    pub chunks: BTreeMap<String, Chunks>,
    /// The collections that have most of them, by draining shard; read while a shard is being removed.
    #[serde(default)]
    pub collections: BTreeMap<String, Vec<CollectionChunks>>,
    /// When the balancer may move chunks, if it may not always; read while a shard is being removed.
    #[serde(default)]
    pub balancer_window: Option<BalancerWindow>,
}

/// A collection with chunks on a shard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CollectionChunks {
    /// Database and collection.
    pub name: String,
    /// Its chunks on the shard.
    pub chunks: u64,
}

/// The balancer's `activeWindow`, in the time zone of the config servers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BalancerWindow {
    /// `HH:MM`.
    pub start: String,
    /// `HH:MM`.
    pub stop: String,
}

/// Chunks of sharded collections on one shard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Chunks {
    /// All of them.
    pub total: u64,
    /// Those that the balancer cannot move because they are too large.
    pub jumbo: u64,
}
