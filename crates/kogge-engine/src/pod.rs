//! The pods of members, as the workers' API servers tell them.

use kogge_api::gate::{Disk, Hold, HoldReason, Report};
use serde::{Deserialize, Serialize};

/// A pod as its worker's API tells it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Pod {
    /// The worker was not observed, or too long ago.
    Unknown {
        /// Why, as a sentence.
        reason: String,
    },
    /// The worker was observed and has no such pod.
    Absent,
    /// It exists.
    Present(PodFacts),
}

impl Pod {
    /// The facts of a pod that exists.
    pub fn facts(&self) -> Option<&PodFacts> {
        match self {
            Self::Present(facts) => Some(facts),
            Self::Unknown { .. } | Self::Absent => None,
        }
    }
}

/// A pod that exists.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PodFacts {
    /// Its uid: a restart by deletion is guarded by it.
    pub uid: String,
    /// Its containers run.
    pub running: bool,
    /// Its Ready condition holds.
    pub ready: bool,
    /// It has a deletion timestamp.
    pub terminating: bool,
    /// The revision of the template it was made from.
    pub revision: Option<String>,
    /// The revision that its StatefulSet's template has now.
    pub target_revision: Option<String>,
    /// Its name resolves to its present address in every reachable vdc.
    pub resolves_everywhere: bool,
    /// What the gate in it saw on the disk at this start of its server; none where it has not reported yet, or where
    /// its report cannot be read.
    #[serde(default)]
    pub gate: Option<Report>,
}

impl PodFacts {
    /// Why its gate keeps its server from starting.
    pub fn hold(&self) -> Option<&Hold> {
        self.gate.as_ref()?.hold()
    }

    /// What its server started on.
    pub fn disk(&self) -> Option<Disk> {
        self.gate.as_ref()?.disk()
    }

    /// The gate holds it because its disk is empty although it held data.
    pub fn is_held_empty(&self) -> bool {
        self.hold().is_some_and(|hold| hold.reason == HoldReason::LostDisk)
    }

    /// Both revisions are known and differ.
    pub fn outdated(&self) -> bool {
        match (&self.revision, &self.target_revision) {
            (Some(revision), Some(target)) => revision != target,
            _ => false,
        }
    }
}
