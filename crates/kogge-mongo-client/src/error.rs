//! What can go wrong between the operator and a server, and what it asks for.

use std::error::Error as _;
use std::io;

use kogge_mongo::errors::{ErrorClass, classify, code, name};
use kogge_mongo::{Action, Host, PodName};
use mongodb::error::{Error, ErrorKind};
use thiserror::Error;

use kogge_engine_client::ReachError;

/// A command that did not succeed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CommandError {
    /// There is no way to the server; nothing was sent.
    #[error("{reason}")]
    Unreachable {
        /// Why, as a sentence.
        reason: String,
    },
    /// The server refused.
    #[error("{command}: {message} (code {code})")]
    Server {
        /// The command's name.
        command: String,
        /// MongoDB's error code.
        code: i32,
        /// The server's words.
        message: String,
    },
    /// The user was refused.
    #[error("{command}: the user was refused: {message}")]
    Login {
        /// The command's name.
        command: String,
        /// The driver's words.
        message: String,
    },
    /// The connection broke; whether the command was carried out is unknown.
    #[error("{command}: the connection broke: {message}")]
    Connection {
        /// The command's name.
        command: String,
        /// The driver's words.
        message: String,
    },
    /// No answer in time; whether the command was carried out is unknown.
    #[error("{command}: no answer within {seconds} s")]
    Deadline {
        /// The command's name.
        command: String,
        /// The deadline, in seconds.
        seconds: u64,
    },
    /// The answer is not what the protocol says.
    #[error("{command}: the answer cannot be read: {message}")]
    Answer {
        /// The command's name.
        command: String,
        /// What is wrong with it.
        message: String,
    },
}

impl CommandError {
    /// The stable CamelCase reason.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Unreachable { .. } => "MemberUnreachable",
            Self::Server { code, .. } => name(*code).unwrap_or("CommandRefused"),
            Self::Login { .. } => "LoginRefused",
            Self::Connection { .. } => "ConnectionBroken",
            Self::Deadline { .. } => "NoAnswer",
            Self::Answer { .. } => "AnswerUnreadable",
        }
    }

    /// What it asks for.
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::Unreachable { .. } => ErrorClass::Transient,
            Self::Server { code, .. } => classify(*code),
            Self::Login { .. } => ErrorClass::NeedsPerson,
            Self::Connection { .. } | Self::Deadline { .. } | Self::Answer { .. } => ErrorClass::NeedsObservation,
        }
    }

    pub(crate) fn code(&self) -> Option<i32> {
        match self {
            Self::Server { code, .. } => Some(*code),
            _ => None,
        }
    }

    pub(crate) fn no_pod(pod: &PodName) -> Self {
        Self::unreachable(&ReachError::NoPod(pod.clone()))
    }

    pub(crate) fn unreachable(error: &ReachError) -> Self {
        Self::Unreachable { reason: error.to_string() }
    }

    pub(crate) fn answer(command: &str, message: impl Into<String>) -> Self {
        Self::Answer { command: command.to_owned(), message: message.into() }
    }

    /// Sorts a driver error: refused by the server, refused at the login, never sent, or unknown.
    pub(crate) fn from_driver(command: String, error: &Error) -> Self {
        let message = error.to_string();
        if login_refused(error) {
            return Self::Login { command, message };
        }
        match error.kind.as_ref() {
            ErrorKind::Command(refusal) => {
                Self::Server { command, code: refusal.code, message: refusal.message.clone() }
            }
            ErrorKind::ServerSelection { .. } => Self::Unreachable {
                reason: format!("no connection within the deadline ({})", last_cause(&message)),
            },
            // Only the system's call to connect says so.
            ErrorKind::Io(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                Self::Unreachable { reason: "the connection was refused".to_owned() }
            }
            ErrorKind::InvalidResponse { message, .. } => Self::Answer { command, message: message.clone() },
            ErrorKind::Bson(error) => Self::Answer { command, message: error.to_string() },
            _ => Self::Connection { command, message },
        }
    }
}

/// The driver reports a refused login as an error of its own kind, or as the server's code 18.
fn login_refused(error: &Error) -> bool {
    let by_code = |error: &Error| match error.kind.as_ref() {
        ErrorKind::Command(refusal) => refusal.code == code::AUTHENTICATION_FAILED,
        ErrorKind::Authentication { .. } => true,
        _ => false,
    };
    by_code(error) || error.source().and_then(|cause| cause.downcast_ref::<Error>()).is_some_and(by_code)
}

/// The driver's server selection error carries the whole topology; the server's own error says why.
fn last_cause(message: &str) -> &str {
    let error = message.split_once("Error: Kind: ").map(|(_, error)| error);
    error.and_then(|error| error.split_once(", labels:")).map_or("the server does not answer", |(cause, _)| cause)
}

/// A step that was not carried out, or whose outcome is unknown.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum StepError {
    /// A command failed.
    #[error("{pod}: {source}")]
    Command {
        /// The server that was asked.
        pod: PodName,
        /// How it failed.
        source: CommandError,
    },
    /// A host is not the server that it should be, or does not answer.
    #[error("{host} is not found, or is not the member it should be: {pod}: {source}")]
    HostNotFound {
        /// The host.
        host: Host,
        /// The server that was asked.
        pod: PodName,
        /// The server's words.
        source: CommandError,
    },
    /// What the step was planned on does not hold any more; nothing was sent.
    #[error("{pod}: {what}")]
    Stale {
        /// The server that was asked.
        pod: PodName,
        /// What differs, as a sentence.
        what: String,
    },
    /// The config is installed on the primary and has not reached a majority of members, or the one before it has not:
    /// nothing was refused, and nothing is to be sent again.
    #[error(
        "{pod}: the replica-set config has not reached a majority of the members yet; Kogge waits until it has"
    )]
    Propagating {
        /// The primary.
        pod: PodName,
    },
    /// A user that Kogge made, or was to make, is refused.
    #[error(
        "{pod} refuses user {user} with the password that Kogge has for it: somebody else created or changed that \
         user; drop it on this replica set, and Kogge creates it again"
    )]
    UserRefused {
        /// The server that was asked.
        pod: PodName,
        /// The user.
        user: String,
    },
    /// The step is not for the wire.
    #[error("{action} is not carried out by a command to a server")]
    NotForTheWire {
        /// The action's name.
        action: &'static str,
    },
}

impl StepError {
    /// Tells a reconfiguration that is still spreading from one that was refused. `replSetReconfig` waits until its config
    /// has reached a majority, and ends with 50 where its deadline passes before; 308 says that of the config before.
    pub(crate) fn telling_propagation(self) -> Self {
        let spreads = |source: &CommandError| match source {
            CommandError::Server { command, code, .. } => {
                command == "replSetReconfig"
                    && [code::MAX_TIME_MS_EXPIRED, code::CONFIG_NOT_COMMITTED].contains(code)
            }
            _ => false,
        };
        match self {
            Self::Command { pod, source } if spreads(&source) => Self::Propagating { pod },
            other => other,
        }
    }

    /// Names the host that the step brings into the config, where that is what the server did not find.
    pub(crate) fn naming_host(self, action: &Action) -> Self {
        let host = match action {
            Action::Initiate { member, .. } | Action::AddMember { member, .. } => &member.host,
            Action::SetHost { to, .. } => to,
            _ => return self,
        };
        // An initiate hides which rule is broken behind one code; a server that does not find itself is the
        // one that a new config of ours can break.
        let not_found = |code| match action {
            Action::Initiate { .. } => [code::NODE_NOT_FOUND, code::INVALID_REPLICA_SET_CONFIG].contains(&code),
            _ => code == code::NODE_NOT_FOUND,
        };
        match self {
            Self::Command { pod, source } if source.code().is_some_and(not_found) => {
                Self::HostNotFound { host: host.clone(), pod, source }
            }
            other => other,
        }
    }

    /// Whether a person should read of it, even where it is tried again.
    pub fn is_for_a_person(&self) -> bool {
        matches!(self, Self::HostNotFound { .. }) || self.class() == ErrorClass::NeedsPerson
    }

    /// The stable CamelCase reason.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Command { source, .. } | Self::HostNotFound { source, .. } => source.reason(),
            Self::Stale { .. } => "PlanStale",
            Self::Propagating { .. } => "ConfigPropagating",
            Self::UserRefused { .. } => "UserRefused",
            Self::NotForTheWire { .. } => "NotForTheWire",
        }
    }

    /// What it asks for.
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::Command { source, .. } | Self::HostNotFound { source, .. } => source.class(),
            Self::Stale { .. } | Self::Propagating { .. } => ErrorClass::NeedsObservation,
            Self::UserRefused { .. } | Self::NotForTheWire { .. } => ErrorClass::NeedsPerson,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kogge_mongo::{MemberId, NewMember, SetRole};

    fn refused(code: i32) -> CommandError {
        CommandError::Server { command: "replSetReconfig".to_owned(), code, message: "no".to_owned() }
    }

    #[test]
    fn what_never_left_is_transient_and_what_may_have_arrived_is_looked_at() {
        let command = || "replSetReconfig".to_owned();
        let broken = CommandError::Connection { command: command(), message: "reset in the middle".to_owned() };
        let late = CommandError::Deadline { command: command(), seconds: 25 };
        let garbage = CommandError::answer("replSetGetStatus", "field members is missing");
        let refused_login = CommandError::Login { command: command(), message: "wrong password".to_owned() };
        assert_eq!(CommandError::no_pod(&"a".into()).class(), ErrorClass::Transient);
        for unknown in [broken, late, garbage] {
            assert_eq!(unknown.class(), ErrorClass::NeedsObservation, "{unknown}");
        }
        assert_eq!(refused_login.class(), ErrorClass::NeedsPerson);
        assert_eq!(refused(308).class(), ErrorClass::Transient);
        assert_eq!(
            (refused(308).reason(), refused(-5).reason()),
            ("CurrentConfigNotCommittedYet", "CommandRefused")
        );
    }

    #[test]
    fn a_config_that_still_spreads_is_neither_refused_nor_for_a_person() {
        let step = |command: &str, code| {
            let source =
                CommandError::Server { command: command.to_owned(), code, message: "timed out".to_owned() };
            StepError::Command { pod: "ll-0".into(), source }.telling_propagation()
        };
        for code in [code::MAX_TIME_MS_EXPIRED, code::CONFIG_NOT_COMMITTED] {
            let error = step("replSetReconfig", code);
            assert_eq!((error.reason(), error.class()), ("ConfigPropagating", ErrorClass::NeedsObservation));
            assert!(!error.is_for_a_person() && error.to_string().contains("majority"), "{error}");
        }
        assert_eq!(
            step("replSetReconfig", code::NEW_CONFIG_INCOMPATIBLE).reason(),
            "NewReplicaSetConfigurationIncompatible"
        );
        assert_eq!(step("addShard", code::MAX_TIME_MS_EXPIRED).reason(), "MaxTimeMSExpired");
    }

    #[test]
    fn a_driver_error_is_transient_only_where_nothing_can_have_been_sent() {
        let class = |kind: io::ErrorKind| {
            CommandError::from_driver("replSetReconfig".to_owned(), &io::Error::from(kind).into()).class()
        };
        assert_eq!(class(io::ErrorKind::ConnectionRefused), ErrorClass::Transient);
        // These can come from a connection that was refused half-way as well as from one that broke.
        for unknown in [
            io::ErrorKind::ConnectionReset,
            io::ErrorKind::ConnectionAborted,
            io::ErrorKind::BrokenPipe,
            io::ErrorKind::UnexpectedEof,
            io::ErrorKind::TimedOut,
        ] {
            assert_eq!(class(unknown), ErrorClass::NeedsObservation, "{unknown}");
        }
    }

    #[test]
    fn case_04_a_host_that_is_not_found_is_named_to_a_person_and_tried_again() {
        let initiate = Action::Initiate {
            seed: "a".into(),
            role: SetRole::Config,
            member: NewMember {
                id: MemberId(0),
                host: "a.set.db.svc:27017".into(),
                votes: 1,
                priority: 1,
                hidden: false,
                tags: std::collections::BTreeMap::default(),
            },
        };
        let error = StepError::Command { pod: "a".into(), source: refused(74) }.naming_host(&initiate);
        assert!(error.to_string().contains("a.set.db.svc:27017"), "{error}");
        assert_eq!((error.reason(), error.class()), ("NodeNotFound", ErrorClass::Transient));
        assert!(error.is_for_a_person());
        let other = StepError::Command { pod: "a".into(), source: refused(308) }.naming_host(&initiate);
        assert!(!other.is_for_a_person());
    }
}
