//! etcd's words for a call that it did not carry out.
//!
//! The codes of gRPC alone do not tell a refusal from a doubt: `Unavailable` is both *unhealthy cluster*, which was never
//! proposed, and *request timed out*, which may be applied yet; and some refusals come as `Unknown`. The words are part
//! of etcd's API (`api/v3rpc/rpctypes/error.go`): its own clients compare them.

use kogge_engine::ErrorClass;
use tonic::Code;

/// What is known of a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Known {
    words: &'static str,
    pub(crate) reason: &'static str,
    pub(crate) class: ErrorClass,
}

const fn known_as(words: &'static str, reason: &'static str, class: ErrorClass) -> Known {
    Known { words, reason, class }
}

/// A voter is to be promoted.
pub(crate) const NOT_A_LEARNER: &str = "etcdserver: can only promote a learner member";
/// A member that the group does not have.
pub(crate) const NO_SUCH_MEMBER: &str = "etcdserver: member not found";
const USER_EMPTY: &str = "etcdserver: user name is empty";
const INVALID_TOKEN: &str = "etcdserver: invalid auth token";
const OLD_TOKEN: &str = "etcdserver: revision of auth store is old";
const PERMISSION_DENIED: &str = "etcdserver: permission denied";

const KNOWN: [Known; 21] = {
    use ErrorClass::{NeedsObservation, NeedsPerson, Transient};
    [
        known_as("etcdserver: unhealthy cluster", "UnhealthyCluster", Transient),
        known_as("etcdserver: no leader", "NoLeader", Transient),
        known_as("etcdserver: too many requests", "TooManyRequests", Transient),
        known_as("raft proposal dropped", "ProposalDropped", Transient),
        known_as(
            "etcdserver: re-configuration failed due to not enough started members",
            "NotEnoughStartedMembers",
            Transient,
        ),
        known_as(
            "etcdserver: can only promote a learner member which is in sync with leader",
            "LearnerNotInSync",
            Transient,
        ),
        known_as(NOT_A_LEARNER, "MemberNotLearner", NeedsObservation),
        known_as(NO_SUCH_MEMBER, "MemberNotFound", NeedsObservation),
        known_as("etcdserver: member ID already exist", "MemberIdExists", NeedsObservation),
        known_as("etcdserver: Peer URLs already exists", "PeerUrlExists", NeedsObservation),
        known_as("etcdserver: too many learner members in cluster", "TooManyLearners", NeedsObservation),
        known_as("etcdserver: not leader", "NotLeader", NeedsObservation),
        known_as("etcdserver: bad leader transferee", "BadLeaderTransferee", NeedsObservation),
        known_as("etcdserver: rpc not supported for learner", "NotSupportedForLearner", NeedsObservation),
        known_as("etcdserver: given member URLs are invalid", "InvalidPeerUrl", NeedsPerson),
        known_as("etcdserver: not capable", "NotCapable", NeedsPerson),
        known_as("etcdserver: corrupt cluster", "CorruptCluster", NeedsPerson),
        known_as(PERMISSION_DENIED, "PermissionDenied", NeedsPerson),
        known_as(USER_EMPTY, "LoginRequired", NeedsPerson),
        known_as(INVALID_TOKEN, "LoginRequired", NeedsPerson),
        known_as(OLD_TOKEN, "LoginRequired", NeedsPerson),
    ]
};

/// A refusal by its words.
pub(crate) fn known(message: &str) -> Option<&'static Known> {
    KNOWN.iter().find(|known| known.words == message)
}

/// Whether the server sent a refusal. What is not known to be one is a doubt.
pub(crate) fn is_refusal(code: Code, message: &str) -> bool {
    match code {
        // Given before anything is proposed, or by the apply of a change that changed nothing.
        Code::InvalidArgument
        | Code::NotFound
        | Code::AlreadyExists
        | Code::PermissionDenied
        | Code::FailedPrecondition
        | Code::Unimplemented
        | Code::Unauthenticated
        | Code::DataLoss => true,
        _ => known(message).is_some(),
    }
}

/// Whether a refusal asks for a login, or for a new one. `has_token` tells whether the call bore one.
pub(crate) fn asks_for_login(message: &str, has_token: bool) -> bool {
    match message {
        USER_EMPTY | INVALID_TOKEN | OLD_TOKEN => true,
        // The common name of Kogge's certificate was judged, not its user.
        PERMISSION_DENIED => !has_token,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_code_is_a_refusal_by_some_words_and_a_doubt_by_others() {
        for (code, message) in [
            (Code::Unavailable, "etcdserver: unhealthy cluster"),
            (Code::Unknown, "etcdserver: re-configuration failed due to not enough started members"),
            (Code::Unknown, "raft proposal dropped"),
            (Code::ResourceExhausted, "etcdserver: too many requests"),
        ] {
            assert!(is_refusal(code, message), "{message}");
            assert_eq!(known(message).unwrap().class, ErrorClass::Transient, "{message}");
        }
        for (code, message) in [
            (Code::Unavailable, "etcdserver: request timed out"),
            (Code::Unavailable, "etcdserver: request timed out, possibly due to previous leader failure"),
            (Code::Unavailable, "etcdserver: server stopped"),
            (Code::Unavailable, "etcdserver: leader changed"),
            (Code::Unknown, "etcdserver: request timed out, leader transfer took too long"),
            (Code::Unknown, "somebody else's words"),
            (Code::DeadlineExceeded, "context deadline exceeded"),
            (Code::Cancelled, "context canceled"),
            // What the client itself says of an answer that is too long.
            (Code::OutOfRange, "decoded message length too large"),
            (Code::ResourceExhausted, "decoded message length too large"),
        ] {
            assert!(!is_refusal(code, message), "{message}");
        }
    }

    #[test]
    fn a_refusal_is_told_by_all_its_words() {
        let reason = |message| known(message).map(|known| known.reason);
        assert_eq!(reason("etcdserver: can only promote a learner member"), Some("MemberNotLearner"));
        assert_eq!(
            reason("etcdserver: can only promote a learner member which is in sync with leader"),
            Some("LearnerNotInSync")
        );
        assert_eq!(reason("etcdserver: something new"), None);
    }

    #[test]
    fn a_login_is_asked_for_once() {
        assert!(asks_for_login(USER_EMPTY, false) && asks_for_login(INVALID_TOKEN, true));
        assert!(asks_for_login(PERMISSION_DENIED, false) && !asks_for_login(PERMISSION_DENIED, true));
        assert!(!asks_for_login("etcdserver: no leader", false));
    }
}
