//! The plan: what to do now, what is waited for, what a person must know, and how things stand.

use std::collections::BTreeMap;
use std::fmt;

use kogge_engine::Health;
use serde::{Deserialize, Serialize};

use crate::data::finding::Finding;
use crate::data::goal::SetRole;
use crate::data::names::{PodName, SetName};
use crate::data::set_status::SetStatus;
use crate::data::step::Step;
use crate::data::topology::Millis;

/// What follows from a goal and an observation.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// Steps that may be taken now: per set any number of anchor records, and at most one that
    /// changes a server or a pod.
    pub steps: Vec<Step>,
    /// What must come about by itself, or by a person, before more can be done.
    pub waiting: Vec<Waiting>,
    /// What a person must know; nothing is done about it.
    pub findings: Vec<Finding>,
    /// Steps that are taken only when a person approves them.
    pub approvals: Vec<Approval>,
    /// How each set stands.
    pub sets: BTreeMap<SetName, SetStatus>,
    /// The feature compatibility version as a router tells it; absent while none does.
    pub feature_compatibility_version: Option<String>,
}

impl Plan {
    /// Nothing to do and nothing to wait for.
    pub fn settled(&self) -> bool {
        self.steps.is_empty() && self.waiting.is_empty()
    }

    /// The sets that the database is made of: the config servers, and each shard that was initiated and that no
    /// router is known to leave out. A shard that is being added, or was removed, serves nothing of it.
    pub fn parts(&self) -> impl Iterator<Item = (&SetName, &SetStatus)> {
        let is_part = |set: &SetStatus| set.initialized && set.added_as_shard != Some(false);
        self.sets.iter().filter(move |(_, set)| set.role == SetRole::Config || is_part(set))
    }

    /// The database serves, by its members' own words: it has shards, and each of its parts has a primary.
    pub fn available(&self) -> bool {
        let has_shards = self.parts().any(|(_, set)| set.role != SetRole::Config)
            || self.sets.values().all(|set| set.role == SetRole::Config);
        !self.sets.is_empty() && has_shards && self.parts().all(|(_, set)| set.primary.is_some())
    }

    /// Every set has a primary, those that are no part of the database yet, or no more, included.
    pub fn every_set_has_a_primary(&self) -> bool {
        !self.sets.is_empty() && self.sets.values().all(|set| set.primary.is_some())
    }

    /// The goal is reached and every part of it freshly observed.
    pub fn ready(&self) -> bool {
        self.settled() && !self.sets.is_empty() && self.sets.values().all(|set| set.health == Health::Ready)
    }
}

/// Something that is waited for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    /// The set it is about; absent when it is about all.
    pub set: Option<SetName>,
    /// The member it is about, if it is about one.
    pub member: Option<PodName>,
    /// What is waited for, as a sentence.
    pub what: String,
    /// Since when, where an observation tells.
    pub since: Option<Millis>,
}

impl fmt::Display for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.member, &self.set) {
            (Some(member), _) => write!(f, "member {member}: {}", self.what),
            (None, Some(set)) => write!(f, "{set}: {}", self.what),
            (None, None) => f.write_str(&self.what),
        }
    }
}

/// A step that is taken only when a person approves it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    /// The set.
    pub set: SetName,
    /// What is done once it is approved, and what is lost by it.
    pub what: String,
    /// What to approve: it stands for this step on this config of this set, and for nothing else.
    pub hash: String,
}
