//! The anchor: the record, in every worker that holds a part of a database, of whose it is, how far it is,
//! and what has been initialised. It is written before what it guards.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::ClusterId;

/// The key of the anchor's ConfigMap under which the record stands, as JSON.
pub const DATA_KEY: &str = "anchor.json";

/// What a worker remembers of a database.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Anchor {
    /// The database's identity.
    #[serde(rename = "clusterID")]
    pub cluster_id: ClusterId,
    /// The name of its FederatedCluster.
    pub name: String,
    /// The UID of `kube-system` in the control cluster that owns it.
    #[serde(rename = "ownerUID")]
    pub owner_uid: String,
    /// Rises with every accepted change of the FederatedCluster.
    pub epoch: i64,
    /// The hash of the spec that the epoch stands for.
    pub spec_hash: String,
    /// The UID of `kube-system` of the workers, by placement: a placement never moves to another cluster.
    #[serde(rename = "workerUIDs", default)]
    pub worker_uids: BTreeMap<String, String>,
    /// The next unused member ID, by replica set (by component name); IDs are never used twice.
    #[serde(default)]
    pub next_member_id: BTreeMap<String, u32>,
    /// The one member that may be initiated, by replica set (by component name).
    #[serde(default)]
    pub seeds: BTreeMap<String, String>,
    /// What is known of each member, by pod name.
    #[serde(default)]
    pub members: BTreeMap<String, AnchoredMember>,
    /// Members that were declared lost when their set had lost its majority, by pod name, with the ID that they
    /// had then: their data may hold what nobody else has. They come back only empty, under another ID.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub fenced: BTreeMap<String, u32>,
    /// Members that lost their disk and were admitted anew, by pod name, with the ID that they had until then: what
    /// a disk from that time holds is less than what they acknowledged since.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub lost_disks: BTreeMap<String, u32>,
    /// How often a shard of a name was removed, by component name. What was recorded of it before the last time
    /// speaks of a shard that is gone.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub shard_removals: BTreeMap<String, Turns>,
    /// How often Kogge stopped the balancer, and how often it runs again as before.
    #[serde(default, skip_serializing_if = "Turns::is_none")]
    pub balancer_pauses: Turns,
}

/// How often something that takes time was begun, and how often it came to its end. Both only rise, so that of
/// two records the higher one is the later.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Turns {
    /// How often it was begun.
    pub begun: u32,
    /// How often it ended.
    pub ended: u32,
}

impl Turns {
    /// Whether it was never begun.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// What two records together say.
    #[must_use]
    pub fn join(self, other: Self) -> Self {
        Self { begun: self.begun.max(other.begun), ended: self.ended.max(other.ended) }
    }
}

/// What a worker remembers of a member.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AnchoredMember {
    /// Whether the member has ever been part of its replica set: its disk must not be empty any more.
    pub initialized: bool,
    /// Its `_id` in the replica set's configuration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub member_id: Option<u32>,
}

/// An anchor that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum AnchorError {
    /// The ConfigMap lacks the record.
    #[error("the anchor has no key {DATA_KEY}; restore the ConfigMap from the copy in another worker")]
    Missing,
    /// The record is no anchor.
    #[error("the anchor's {DATA_KEY} cannot be read: {0}; restore the ConfigMap from the copy in another worker")]
    Malformed(#[from] serde_json::Error),
}

impl Anchor {
    /// Reads the anchor from a ConfigMap's data.
    pub fn from_data(data: Option<&BTreeMap<String, String>>) -> Result<Self, AnchorError> {
        let text = data.and_then(|d| d.get(DATA_KEY)).ok_or(AnchorError::Missing)?;
        Ok(serde_json::from_str(text)?)
    }

    /// The data of the anchor's ConfigMap.
    pub fn to_data(&self) -> Result<BTreeMap<String, String>, AnchorError> {
        Ok([(DATA_KEY.to_owned(), serde_json::to_string_pretty(self)?)].into())
    }
}
