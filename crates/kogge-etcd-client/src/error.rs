//! What can go wrong between the operator and a server, and what it asks for.

use std::time::Duration;

use kogge_engine::ErrorClass;
use kogge_etcd::PodName;
use thiserror::Error;
use tonic::Status;

use crate::refusal;

/// A call that did not succeed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CallError {
    /// There is no way to the server; nothing was sent.
    #[error("{reason}")]
    Unreachable {
        /// Why, as a sentence.
        reason: String,
    },
    /// The server refused; nothing was changed.
    #[error("{call}: {message} (code {code})")]
    Refused {
        /// The call's name.
        call: &'static str,
        /// The code of gRPC or HTTP.
        code: String,
        /// The server's words.
        message: String,
    },
    /// The user was refused; nothing was changed.
    #[error("{call}: the user was refused: {message}")]
    Login {
        /// The call's name.
        call: &'static str,
        /// The server's words.
        message: String,
    },
    /// The server gave up waiting; whether the call was carried out is unknown.
    #[error("{call}: the outcome is unknown: {message} (code {code})")]
    Unsettled {
        /// The call's name.
        call: &'static str,
        /// The code of gRPC.
        code: String,
        /// The server's words.
        message: String,
    },
    /// The connection broke; whether the call was carried out is unknown.
    #[error("{call}: the connection broke: {message}")]
    Connection {
        /// The call's name.
        call: &'static str,
        /// What broke it.
        message: String,
    },
    /// No answer in time; whether the call was carried out is unknown.
    #[error("{call}: no answer within {seconds} s")]
    Deadline {
        /// The call's name.
        call: &'static str,
        /// The deadline, in seconds.
        seconds: u64,
    },
    /// The answer is not what the protocol says.
    #[error("{call}: the answer cannot be read: {message}")]
    Answer {
        /// The call's name.
        call: &'static str,
        /// What is wrong with it.
        message: String,
    },
}

impl CallError {
    /// The stable CamelCase reason.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Unreachable { .. } => "MemberUnreachable",
            Self::Refused { message, .. } => refusal::known(message).map_or("CallRefused", |known| known.reason),
            Self::Login { .. } => "LoginRefused",
            Self::Unsettled { .. } => "OutcomeUnknown",
            Self::Connection { .. } => "ConnectionBroken",
            Self::Deadline { .. } => "NoAnswer",
            Self::Answer { .. } => "AnswerUnreadable",
        }
    }

    /// What it asks for.
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::Unreachable { .. } => ErrorClass::Transient,
            Self::Refused { message, .. } => {
                refusal::known(message).map_or(ErrorClass::NeedsPerson, |known| known.class)
            }
            Self::Login { .. } => ErrorClass::NeedsPerson,
            Self::Unsettled { .. } | Self::Connection { .. } | Self::Deadline { .. } | Self::Answer { .. } => {
                ErrorClass::NeedsObservation
            }
        }
    }

    /// Whether the call may have been carried out all the same.
    pub fn outcome_is_unknown(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Refused { .. } | Self::Login { .. } => false,
            Self::Unsettled { .. } | Self::Connection { .. } | Self::Deadline { .. } | Self::Answer { .. } => true,
        }
    }

    /// Whether the server took the call and said nothing of use: so is one whose client port is not served yet, and one
    /// that has no quorum for a login.
    pub(crate) fn is_silence(&self) -> bool {
        matches!(self, Self::Deadline { .. } | Self::Unsettled { .. })
    }

    /// Sorts what the server said: a refusal, or that it does not know.
    pub(crate) fn said(call: &'static str, status: &Status) -> Self {
        let (code, message) = (format!("{:?}", status.code()), status.message().to_owned());
        if refusal::is_refusal(status.code(), &message) {
            Self::Refused { call, code, message }
        } else {
            Self::Unsettled { call, code, message }
        }
    }

    /// Whether the server wants to know who calls. `has_token` tells whether the call said it.
    pub(crate) fn asks_for_login(&self, has_token: bool) -> bool {
        matches!(self, Self::Refused { message, .. } if refusal::asks_for_login(message, has_token))
    }

    pub(crate) fn late(call: &'static str, deadline: Duration) -> Self {
        Self::Deadline { call, seconds: deadline.as_secs() }
    }

    pub(crate) fn answer(call: &'static str, message: impl Into<String>) -> Self {
        Self::Answer { call, message: message.into() }
    }
}

/// A step that was not carried out, or whose outcome is unknown.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum StepError {
    /// The call that the step consists of failed.
    #[error("{pod}: {source}")]
    Call {
        /// The server that was asked.
        pod: PodName,
        /// How it failed.
        source: CallError,
    },
    /// A look at the server before the step failed; nothing was changed.
    #[error("{pod}: nothing was changed, because the look at it before failed: {source}")]
    Look {
        /// The server that was asked.
        pod: PodName,
        /// How it failed.
        source: CallError,
    },
    /// What the step was planned on does not hold any more; nothing was changed.
    #[error("{pod}: {what}")]
    Stale {
        /// The server that was asked.
        pod: PodName,
        /// What differs, as a sentence.
        what: String,
    },
    /// The step is not for the wire.
    #[error("{action} is not carried out by a call to a server")]
    NotForTheWire {
        /// The action's name.
        action: &'static str,
    },
}

impl StepError {
    /// The stable CamelCase reason.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Call { source, .. } | Self::Look { source, .. } => source.reason(),
            Self::Stale { .. } => "PlanStale",
            Self::NotForTheWire { .. } => "NotForTheWire",
        }
    }

    /// What it asks for.
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::Call { source, .. } | Self::Look { source, .. } => source.class(),
            Self::Stale { .. } => ErrorClass::NeedsObservation,
            Self::NotForTheWire { .. } => ErrorClass::NeedsPerson,
        }
    }

    /// Whether the step may have been carried out all the same.
    pub fn outcome_is_unknown(&self) -> bool {
        match self {
            Self::Call { source, .. } => source.outcome_is_unknown(),
            Self::Look { .. } | Self::Stale { .. } | Self::NotForTheWire { .. } => false,
        }
    }

    /// Whether you should read of it.
    pub fn is_for_a_person(&self) -> bool {
        self.class() == ErrorClass::NeedsPerson
    }
}

#[cfg(test)]
mod tests {
    use tonic::Code;

    use super::*;

    #[test]
    fn what_never_left_is_transient_and_what_may_have_arrived_is_looked_at() {
        let step = |source| StepError::Call { pod: "a".into(), source };
        let unreachable = CallError::Unreachable { reason: "a has no pod that can be reached".to_owned() };
        assert_eq!(unreachable.class(), ErrorClass::Transient);
        assert!(!step(unreachable).outcome_is_unknown());
        for unknown in [
            CallError::Connection { call: "MemberAdd", message: "reset in the middle".to_owned() },
            CallError::late("MemberAdd", Duration::from_secs(9)),
            CallError::answer("MemberAdd", "field 1 has a wrong type"),
        ] {
            assert_eq!(unknown.class(), ErrorClass::NeedsObservation, "{unknown}");
            let look = StepError::Look { pod: "a".into(), source: unknown.clone() };
            assert!(step(unknown).outcome_is_unknown() && !look.outcome_is_unknown());
        }
        let said = |code, message: &str| CallError::said("MemberAdd", &Status::new(code, message));
        let refused = said(Code::Unavailable, "etcdserver: unhealthy cluster");
        assert_eq!((refused.class(), refused.reason()), (ErrorClass::Transient, "UnhealthyCluster"));
        let doubt = said(Code::Unavailable, "etcdserver: request timed out");
        assert_eq!((doubt.class(), doubt.reason()), (ErrorClass::NeedsObservation, "OutcomeUnknown"));
        assert!(!refused.outcome_is_unknown() && doubt.outcome_is_unknown());
        let login = CallError::Login { call: "MemberAdd", message: "wrong password".to_owned() };
        assert_eq!((login.class(), login.reason()), (ErrorClass::NeedsPerson, "LoginRefused"));
    }
}
