//! What a user of the fleet is told when a worker cannot be had.

use std::error::Error;

use kogge_plan::WorkerName;

/// Why there is no client for a worker.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FleetError {
    /// No such worker was ever registered.
    #[error("no WorkerCluster named {worker} is registered: create it, or correct the name")]
    UnknownWorker {
        /// The name that was asked for.
        worker: WorkerName,
    },
    /// It is registered, and no connection stands.
    #[error("worker {worker} is not connected: {message}")]
    NotConnected {
        /// The worker.
        worker: WorkerName,
        /// The reason of the finding that stands in the way.
        cause: String,
        /// What is wrong and what to do.
        message: String,
    },
}

impl FleetError {
    /// A stable word in CamelCase.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::UnknownWorker { .. } => "UnknownWorker",
            Self::NotConnected { .. } => "WorkerNotConnected",
        }
    }
}

/// An error and all its sources.
pub(crate) fn chain(error: &kube::Error) -> impl Iterator<Item = &(dyn Error + 'static)> {
    std::iter::successors(Some(error as &(dyn Error + 'static)), |&error| error.source())
}

/// The innermost cause, which says what happened rather than where.
pub(crate) fn root_cause(error: &kube::Error) -> String {
    chain(error).last().map(ToString::to_string).unwrap_or_default()
}
