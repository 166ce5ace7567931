//! Conditions: their types, and how a new set is merged into an old one without moving times that did not
//! change.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

/// Conditions of a database, whatever its kind.
pub mod database {
    /// Everything that the spec asks for is there, as last observed, for `observedGeneration`.
    pub const READY: &str = "Ready";
    /// The database serves, by its members' own word.
    pub const AVAILABLE: &str = "Available";
    /// Kogge is on its way to what the spec asks for.
    pub const PROGRESSING: &str = "Progressing";
    /// Something that should be there is not.
    pub const DEGRADED: &str = "Degraded";
    /// One more loss would cost a group its majority.
    pub const QUORUM_AT_RISK: &str = "QuorumAtRisk";
    /// A worker's names cannot be brought up to date.
    pub const DISCOVERY_STALE: &str = "DiscoveryStale";
    /// A rollout is paused, and why.
    pub const ROLLOUT_PAUSED: &str = "RolloutPaused";
    /// Deletion was asked for and waits for its cool-off.
    pub const DELETION_PENDING: &str = "DeletionPending";
    /// A step waits for your approval.
    pub const APPROVAL_NEEDED: &str = "ApprovalNeeded";
    /// Leaders are kept away from vdcs, as an annotation asks.
    pub const SWITCHED_OVER: &str = "SwitchedOver";
    /// The spec can be carried out: charts found, values accepted, placements known.
    pub const SPEC_VALID: &str = "SpecValid";
    /// Objects on workers differ from what Kogge applies, in fields that admission changes or other managers own.
    pub const DRIFTED: &str = "Drifted";
    /// All of them. Each is there from the first status on: what could not be judged is Unknown.
    pub const ALL: [&str; 12] = [
        READY,
        AVAILABLE,
        PROGRESSING,
        DEGRADED,
        QUORUM_AT_RISK,
        DISCOVERY_STALE,
        ROLLOUT_PAUSED,
        DELETION_PENDING,
        APPROVAL_NEEDED,
        SWITCHED_OVER,
        SPEC_VALID,
        DRIFTED,
    ];
}

/// Conditions of a WorkerCluster.
pub mod worker_cluster {
    /// The API server answers.
    pub const API_REACHABLE: &str = "ApiReachable";
    /// Every watch has synced and is current.
    pub const WATCH_HEALTHY: &str = "WatchHealthy";
    /// The kubeconfig is whole, allowed and accepted.
    pub const CREDENTIALS_VALID: &str = "CredentialsValid";
    /// The credentials allow all that Kogge needs there.
    pub const PERMISSIONS_SUFFICIENT: &str = "PermissionsSufficient";
    /// The cluster behind the kubeconfig is this WorkerCluster's alone.
    pub const CLAIMED: &str = "Claimed";
    /// Members answer by the way that `spec.access` says. A database tells by itself what it lacks, so that Ready does
    /// not rest on it.
    pub const MEMBERS_REACHABLE: &str = "MembersReachable";
    /// All of the above but MembersReachable.
    pub const READY: &str = "Ready";
}

/// Whether a condition holds; what was not observed is unknown (A3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It holds.
    True,
    /// It does not.
    False,
    /// Nobody knows.
    Unknown,
}

impl Status {
    /// The word in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::True => "True",
            Self::False => "False",
            Self::Unknown => "Unknown",
        }
    }
}

impl From<bool> for Status {
    fn from(holds: bool) -> Self {
        if holds { Self::True } else { Self::False }
    }
}

/// A condition as a reconcile sees it, before it knows whether it changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The condition's type.
    pub type_: &'static str,
    /// Whether it holds.
    pub status: Status,
    /// A stable word in CamelCase.
    pub reason: String,
    /// A sentence; where something is wrong it says what to do.
    pub message: String,
}

impl Finding {
    /// A condition of that type.
    pub fn new(
        type_: &'static str,
        status: impl Into<Status>,
        reason: impl Into<String>,
        message: impl Into<String>,
    ) -> Self {
        Self { type_, status: status.into(), reason: reason.into(), message: message.into() }
    }
}

/// The longest message, in bytes. The API server accepts 32 KiB of each, and 1.5 MiB of the whole object.
const MAX_MESSAGE: usize = 4 << 10;

/// The conditions to report: `findings` over `present`, in the order of the findings, types that are not
/// found any more left out. `lastTransitionTime` moves only when the status does.
pub fn merge(present: &[Condition], findings: &[Finding], generation: i64, now: &Time) -> Vec<Condition> {
    findings
        .iter()
        .map(|finding| {
            let before = present.iter().find(|c| c.type_ == finding.type_);
            let unchanged = before.filter(|c| c.status == finding.status.as_str());
            Condition {
                type_: finding.type_.to_owned(),
                status: finding.status.as_str().to_owned(),
                reason: finding.reason.clone(),
                message: fitted(&finding.message),
                observed_generation: Some(generation),
                last_transition_time: unchanged.map_or_else(|| now.clone(), |c| c.last_transition_time.clone()),
            }
        })
        .collect()
}

/// The message; where it is too long without its middle, and with how much of it is gone. What to do stands at its end.
fn fitted(message: &str) -> String {
    if message.len() <= MAX_MESSAGE {
        return message.to_owned();
    }
    let head = &message[..message.floor_char_boundary(MAX_MESSAGE / 2)];
    let tail = &message[message.ceil_char_boundary(message.len() - MAX_MESSAGE / 3)..];
    let gone = message.len() - head.len() - tail.len();
    format!("{head}… (and {gone} bytes more) …{tail}")
}

/// Whether a condition is present and True.
pub fn is_true(conditions: &[Condition], type_: &str) -> bool {
    conditions.iter().any(|c| c.type_ == type_ && c.status == "True")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn field_42_a_message_that_is_too_long_keeps_its_beginning_and_what_to_do() {
        let middle = "ä".repeat(10_000);
        let told = fitted(&format!("it cannot be done: {middle}; to approve, set a=0123"));
        assert!(told.len() <= MAX_MESSAGE, "{} bytes", told.len());
        assert!(told.starts_with("it cannot be done: ä") && told.ends_with("to approve, set a=0123"), "{told}");
        assert!(told.contains("bytes more)"), "{told}");
        assert_eq!(fitted("short"), "short");
    }
}
