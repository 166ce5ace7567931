//! How the sets and their members stand.

use std::collections::BTreeSet;

use kogge_engine::Health;
use serde::{Deserialize, Serialize};

use crate::data::goal::SetRole;
use crate::data::names::{Placement, PodName, Vdc};
use crate::data::replset::{ConfigStamp, MemberState};
use crate::data::sharded_cluster::{Chunks, CollectionChunks};

/// How one set stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SetStatus {
    /// What it is for.
    pub role: SetRole,
    /// It was initiated.
    pub initialized: bool,
    /// A router lists it; absent for config servers and while no router answers.
    pub added_as_shard: Option<bool>,
    /// In one word.
    pub health: Health,
    /// Its primary, by the members' own words.
    pub primary: Option<PodName>,
    /// What is still to leave it, where it is a shard that is being removed.
    pub draining: Option<Draining>,
    /// Voters in the present config.
    pub voters: usize,
    /// Voters that are healthy.
    pub healthy_voters: usize,
    /// The position of the newest config that a member holds.
    pub config: Option<ConfigStamp>,
    /// Wanted members that are ready.
    pub ready: usize,
    /// Wanted members.
    pub size: usize,
    /// The loss of one more vdc or member would cost the majority.
    pub quorum_at_risk: bool,
    /// Its members, by name.
    pub members: Vec<MemberStatus>,
}

/// What is still to leave a shard.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Draining {
    /// Databases that live on it.
    pub databases: BTreeSet<String>,
    /// Its chunks of sharded collections.
    pub chunks: Chunks,
    /// The collections that have most of them.
    pub collections: Vec<CollectionChunks>,
}

/// How one wanted member stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MemberStatus {
    /// Its pod.
    pub pod: PodName,
    /// Its placement.
    pub placement: Placement,
    /// Its vdc.
    pub vdc: Vdc,
    /// Its replication state, by itself or else by its peers; absent while nobody knows.
    pub state: Option<MemberState>,
    /// The present config lists it.
    pub listed: bool,
    /// Its votes in the present config.
    pub votes: u32,
    /// Its priority in the present config.
    pub priority: f64,
    /// How far it is behind the primary, in milliseconds; absent while unknown.
    pub lag_ms: Option<i64>,
    /// It has what the goal says, freshly observed.
    pub ready: bool,
    /// Why it is not ready, as a sentence.
    pub reason: Option<String>,
    /// Who says what of it, where its own word, its peers' and its worker's differ.
    pub disagreement: Option<String>,
}
