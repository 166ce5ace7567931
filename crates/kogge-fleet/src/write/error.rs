//! Why a write was not made, or was refused.

use kogge_plan::{ApiRefusal, ObjectKey, WorkerName};

use super::FieldConflict;
use crate::FleetError;

/// Nothing was changed on the worker, and this is why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WriteError {
    /// Another replica of the operator writes.
    #[error("this replica is not the leader any more, so it writes nothing")]
    NotLeader,
    /// The worker is not there.
    #[error(transparent)]
    Worker(#[from] FleetError),
    /// Its user suspended it.
    #[error("worker {worker} is suspended: set spec.suspend to false to let Kogge write to it again")]
    Suspended {
        /// The worker.
        worker: WorkerName,
    },
    /// The plan was made for another cluster.
    #[error("worker {worker} is cluster {found}, and the plan was made for {expected}: nothing was written")]
    WrongCluster {
        /// The worker.
        worker: WorkerName,
        /// The UID that the plan names.
        expected: String,
        /// The UID of the cluster that answers.
        found: String,
    },
    /// Kogge may not hold objects there.
    #[error(
        "{object}: worker {worker} does not allow namespace {namespace}: add it to its spec.allowedNamespaces.names and run `kogge worker join` again"
    )]
    NamespaceNotAllowed {
        /// The worker.
        worker: WorkerName,
        /// The object.
        object: Box<ObjectKey>,
        /// The namespace.
        namespace: String,
    },
    /// The namespace does not exist.
    #[error("{object}: namespace {namespace} does not exist in worker {worker}: create it there")]
    NamespaceMissing {
        /// The worker.
        worker: WorkerName,
        /// The object.
        object: Box<ObjectKey>,
        /// The namespace.
        namespace: String,
    },
    /// The object cannot be written by its nature.
    #[error("an object for worker {worker} has no {missing}")]
    Malformed {
        /// The worker.
        worker: WorkerName,
        /// What it lacks.
        missing: &'static str,
    },
    /// An object of that name belongs to someone else.
    #[error(
        "{object} exists in worker {worker} and belongs to {owner}: rename or remove it there, or choose another name; Kogge does not touch it"
    )]
    NameTaken {
        /// The worker.
        worker: WorkerName,
        /// The object.
        object: Box<ObjectKey>,
        /// Whose it is, in words.
        owner: String,
    },
    /// Someone else owns fields that cannot be left out.
    #[error(
        "{object} in worker {worker}: {}: let that manager give the fields up",
        conflicts.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
    )]
    FieldsTaken {
        /// The worker.
        worker: WorkerName,
        /// The object.
        object: Box<ObjectKey>,
        /// The fields.
        conflicts: Vec<FieldConflict>,
    },
    /// The API server refused it.
    #[error("{object}: worker {worker} refused it: {refusal}")]
    Refused {
        /// The worker.
        worker: WorkerName,
        /// The object.
        object: Box<ObjectKey>,
        /// What refused it, in the API server's words; without them for Secrets.
        refusal: Box<ApiRefusal>,
    },
    /// Nothing was sent: the worker has failed too often, or is asked too much already.
    #[error("{object}: nothing was sent to worker {worker}: {message}")]
    NotSent {
        /// The worker.
        worker: WorkerName,
        /// The object.
        object: Box<ObjectKey>,
        /// Why.
        message: String,
    },
}

impl WriteError {
    /// A stable word in CamelCase.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::NotLeader => "NotLeader",
            Self::Worker(error) => error.reason(),
            Self::Suspended { .. } => "WorkerSuspended",
            Self::WrongCluster { .. } => "WrongCluster",
            Self::NamespaceNotAllowed { .. } => "NamespaceNotAllowed",
            Self::NamespaceMissing { .. } => "NamespaceMissing",
            Self::Malformed { .. } => "ObjectMalformed",
            Self::NameTaken { .. } => "NameTaken",
            Self::FieldsTaken { .. } => "FieldsTaken",
            Self::Refused { refusal, .. } => refusal.reason(),
            Self::NotSent { .. } => "WorkerUnavailable",
        }
    }

    /// Whether the same write may succeed by itself later, without anyone mending anything.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Worker(_) | Self::NotSent { .. } => true,
            Self::Refused { refusal, .. } => refusal.is_transient(),
            Self::NotLeader
            | Self::Suspended { .. }
            | Self::WrongCluster { .. }
            | Self::NamespaceNotAllowed { .. }
            | Self::NamespaceMissing { .. }
            | Self::Malformed { .. }
            | Self::NameTaken { .. }
            | Self::FieldsTaken { .. } => false,
        }
    }

    /// What the API server refused it for; none where something else was in the way.
    pub fn refusal(&self) -> Option<&ApiRefusal> {
        match self {
            Self::Refused { refusal, .. } => Some(refusal),
            _ => None,
        }
    }
}
