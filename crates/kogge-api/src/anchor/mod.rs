//! The anchor: the record, in every worker that holds a part of a database, of whose it is, how far it is,
//! and what its engine remembers of the members. It is written before what it guards.

pub mod etcd;
pub mod mongodb;

use std::collections::BTreeMap;
use std::fmt;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::{ClusterId, Owner};

/// The key of the anchor's ConfigMap under which the record stands, as JSON.
pub const DATA_KEY: &str = "anchor.json";

/// What a worker remembers of a database. `R` is what the database's engine remembers; its fields stand beside the
/// common ones.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Anchor<R> {
    /// The database's identity.
    #[serde(rename = "clusterID")]
    pub cluster_id: ClusterId,
    /// The name of its resource.
    pub name: String,
    /// Its resource; none in an anchor from before anchors named it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<Owner>,
    /// The UID of `kube-system` in the control cluster that owns it.
    #[serde(rename = "ownerUID")]
    pub owner_uid: String,
    /// Rises with every accepted change of the resource.
    pub epoch: i64,
    /// The hash of the spec that the epoch stands for.
    pub spec_hash: String,
    /// The UID of `kube-system` of the workers, by placement: a placement never moves to another cluster.
    #[serde(rename = "workerUIDs", default)]
    pub worker_uids: BTreeMap<String, String>,
    /// What its engine remembers.
    #[serde(flatten)]
    pub record: R,
}

/// What an engine remembers in the anchors.
pub trait Record:
    Clone + fmt::Debug + Default + PartialEq + Serialize + DeserializeOwned + Send + Sync + 'static
{
    /// Adds what the record of another worker knows. Nothing that was known is lost, and of two records of one member the
    /// later one holds. `database` is the database's name, with which the names of its pods begin.
    fn join(&mut self, other: &Self, database: &str) -> Result<(), SeedsDisagree>;

    /// The members that it tells of, by pod, and whether each held its group's data.
    fn members(&self) -> impl Iterator<Item = (&str, bool)>;

    /// Whether a member, by its pod, held its group's data.
    fn held_data(&self, pod: &str) -> bool;

    /// The names of components that it tells of beside those of the members.
    fn components(&self) -> impl Iterator<Item = &str>;
}

/// What two records of one database cannot both be right about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeedsDisagree {
    /// The group, by the name of its component.
    pub component: String,
    /// The seeds that were found.
    pub seeds: [String; 2],
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

impl<R: Record> Anchor<R> {
    /// Reads the anchor from a ConfigMap's data.
    pub fn from_data(data: Option<&BTreeMap<String, String>>) -> Result<Self, AnchorError> {
        let text = data.and_then(|d| d.get(DATA_KEY)).ok_or(AnchorError::Missing)?;
        Ok(serde_json::from_str(text)?)
    }

    /// The data of the anchor's ConfigMap.
    pub fn to_data(&self) -> Result<BTreeMap<String, String>, AnchorError> {
        Ok([(DATA_KEY.to_owned(), serde_json::to_string_pretty(self)?)].into())
    }

    /// Adds what `other` knows. Nothing that was known is lost: the highest epoch, and of the rest what
    /// [`Record::join`] keeps.
    pub fn join(&mut self, other: &Self) -> Result<(), SeedsDisagree> {
        self.record.join(&other.record, &self.name)?;
        if other.epoch > self.epoch {
            self.epoch = other.epoch;
            self.spec_hash.clone_from(&other.spec_hash);
        }
        for (placement, uid) in &other.worker_uids {
            self.worker_uids.entry(placement.clone()).or_insert_with(|| uid.clone());
        }
        Ok(())
    }
}
