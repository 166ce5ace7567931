//! Why a spec, or a plan, is not carried out.

/// Why a spec is not carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// The spec, or what it names, must be corrected.
    InvalidSpec {
        /// A stable word.
        reason: String,
        /// What is wrong and what to do.
        message: String,
    },
    /// A person must look: it is somebody else's, or nobody knows whose, or a server refused a step.
    Refused {
        /// A stable word.
        reason: String,
        /// What is wrong and what to do.
        message: String,
    },
    /// Not everything has been seen yet.
    NotSeen {
        /// What is missing.
        message: String,
    },
    /// Something failed that will be tried again.
    Failed {
        /// A stable word.
        reason: String,
        /// What failed.
        message: String,
    },
    /// A step on a member that did not succeed this time, and that may a little later.
    Delayed {
        /// A stable word.
        reason: String,
        /// Which step, and what came of it.
        message: String,
    },
}

impl Problem {
    /// Of several, the first of those that a person must mend; else the first that is more than a delay.
    pub fn most_pressing(problems: impl IntoIterator<Item = Self>) -> Option<Self> {
        problems.into_iter().min_by_key(|problem| match problem {
            Self::InvalidSpec { .. } | Self::Refused { .. } => 0,
            Self::NotSeen { .. } | Self::Failed { .. } => 1,
            Self::Delayed { .. } => 2,
        })
    }

    /// Whether it will come about by itself, and so is told after what a person must mend.
    pub(crate) fn is_delay(&self) -> bool {
        matches!(self, Self::Delayed { .. })
    }

    /// A stable word in CamelCase.
    pub fn reason(&self) -> &str {
        match self {
            Self::InvalidSpec { reason, .. }
            | Self::Refused { reason, .. }
            | Self::Failed { reason, .. }
            | Self::Delayed { reason, .. } => reason,
            Self::NotSeen { .. } => "WorkersNotSeen",
        }
    }

    /// A sentence that says what to do.
    pub fn message(&self) -> &str {
        match self {
            Self::InvalidSpec { message, .. }
            | Self::Refused { message, .. }
            | Self::NotSeen { message }
            | Self::Failed { message, .. }
            | Self::Delayed { message, .. } => message,
        }
    }
}
