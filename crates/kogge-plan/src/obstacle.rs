//! What keeps a resource from being Ready, as one list: the condition Ready, the waiting column, events, the command
//! line and a dashboard all take from it.

use serde::Serialize;

/// What must come about before the resource is Ready.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Obstacle {
    /// Where it comes in the list: the first is the most pressing.
    pub rank: Rank,
    /// A stable word in CamelCase.
    pub reason: String,
    /// A whole sentence, which says what you can do where you can do something.
    pub message: String,
}

/// What kind of obstacle it is, in the order in which they matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Rank {
    /// The spec is not carried out, or a write or a step was refused.
    NotCarriedOut,
    /// A step waits for an approval.
    Approval,
    /// A request beside the spec was refused.
    Request,
    /// A placement that cannot be written.
    Placement,
    /// A worker that holds another owner's database.
    Ownership,
    /// An object that is not written.
    Write,
    /// A share that cannot be rendered as it runs.
    Render,
    /// Something that the engine found.
    Engine,
    /// Pods that cannot start.
    Pod,
    /// Changes are paused.
    Paused,
    /// A worker that was not observed.
    NotObserved,
    /// Changes wait for others.
    Queue,
    /// A step is tried again.
    Retry,
    /// Pods that are not ready yet.
    PodStarting,
    /// Members that are not ready yet.
    Member,
    /// A rollout that goes on.
    Rollout,
    /// A rotation that goes on.
    Rotation,
    /// Objects that are still to be removed.
    Leftover,
    /// A change that was just begun.
    Change,
}

/// What an obstacle needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Class {
    /// You must act.
    NeedsAction,
    /// Nobody knows how things are there.
    NotObserved,
    /// It passes by itself.
    InProgress,
}

impl Rank {
    /// What an obstacle of that rank needs.
    pub fn class(self) -> Class {
        match self {
            Self::NotCarriedOut
            | Self::Approval
            | Self::Request
            | Self::Placement
            | Self::Ownership
            | Self::Write
            | Self::Render
            | Self::Engine
            | Self::Pod
            | Self::Paused => Class::NeedsAction,
            Self::NotObserved => Class::NotObserved,
            Self::Queue
            | Self::Retry
            | Self::PodStarting
            | Self::Member
            | Self::Rollout
            | Self::Rotation
            | Self::Leftover
            | Self::Change => Class::InProgress,
        }
    }
}

impl Obstacle {
    /// An obstacle.
    pub fn new(rank: Rank, reason: &str, message: impl Into<String>) -> Self {
        Self { rank, reason: reason.to_owned(), message: message.into() }
    }

    /// What it needs.
    pub fn class(&self) -> Class {
        self.rank.class()
    }
}
