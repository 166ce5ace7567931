//! One snapshot of every worker, with its age and its completeness.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::Objects;

/// The name of a WorkerCluster.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct WorkerName(pub String);

impl fmt::Display for WorkerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<&str> for WorkerName {
    fn from(name: &str) -> Self {
        Self(name.to_owned())
    }
}

/// Every worker that is registered, as last observed.
#[derive(Clone, Debug, Default)]
pub struct FleetView {
    /// The workers, by name.
    pub workers: BTreeMap<WorkerName, WorkerView>,
}

/// A worker cluster, as last observed.
#[derive(Clone, Debug)]
pub struct WorkerView {
    /// The failure domain.
    pub vdc: String,
    /// The UID of its `kube-system`; none until it was reached once.
    pub uid: Option<String>,
    /// The cluster's DNS domain.
    pub cluster_domain: String,
    /// Whether it answers now.
    pub liveness: Liveness,
    /// Whether every watch has listed everything at least once since the connection stands. A partial view
    /// is never read as "not there".
    pub complete: bool,
    /// Whether writes are suspended by its user.
    pub suspended: bool,
    /// The objects that carry `kogge.dev/cluster-id`, and their pods.
    pub objects: Objects,
}

/// Whether a worker answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Liveness {
    /// It answered within its deadline.
    Live,
    /// It has not answered for that long, and why.
    Silent {
        /// Since the last answer; none where it never answered.
        since: Option<Duration>,
        /// A stable word in CamelCase.
        reason: String,
        /// What is wrong and what to do, in a sentence.
        message: String,
    },
}

impl WorkerView {
    /// Whether the view may be acted on: it is live and nothing is missing from it.
    pub fn is_current(&self) -> bool {
        self.liveness == Liveness::Live && self.complete && self.uid.is_some()
    }
}
