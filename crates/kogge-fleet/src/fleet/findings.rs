//! What is known of a worker, as its WorkerCluster's conditions tell it.
//!
//! Nothing here changes while nothing happens: no ages, no counters (A5).

use kogge_api::conditions::{Finding, Status, worker_cluster as conditions};

/// What to write into a WorkerCluster's status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkerFindings {
    /// The cluster's UID, once it is this WorkerCluster's: to be pinned in `status.uid`.
    pub uid: Option<String>,
    /// The API server's version, as last told.
    pub version: Option<String>,
    /// ApiReachable, CredentialsValid, Claimed, PermissionsSufficient, WatchHealthy, Ready.
    pub conditions: Vec<Finding>,
}

/// Whether something holds, why, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Verdict {
    pub(super) status: Status,
    pub(super) reason: String,
    pub(super) message: String,
}

impl Verdict {
    pub(super) fn yes(reason: &str, message: impl Into<String>) -> Self {
        Self { status: Status::True, reason: reason.to_owned(), message: message.into() }
    }

    pub(super) fn no(reason: &str, message: impl Into<String>) -> Self {
        Self { status: Status::False, reason: reason.to_owned(), message: message.into() }
    }

    pub(super) fn unknown(reason: &str, message: impl Into<String>) -> Self {
        Self { status: Status::Unknown, reason: reason.to_owned(), message: message.into() }
    }

    /// Not asked yet.
    pub(super) fn not_yet() -> Self {
        Self::unknown("NotProbedYet", "the worker has not been asked yet")
    }

    fn finding(&self, type_: &'static str) -> Finding {
        Finding::new(type_, self.status, self.reason.clone(), self.message.clone())
    }
}

/// All that is known of a worker but its objects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Verdicts {
    pub(super) reachable: Verdict,
    pub(super) credentials: Verdict,
    pub(super) claimed: Verdict,
    pub(super) permissions: Verdict,
}

impl Default for Verdicts {
    fn default() -> Self {
        Self {
            reachable: Verdict::not_yet(),
            credentials: Verdict::not_yet(),
            claimed: Verdict::not_yet(),
            permissions: Verdict::not_yet(),
        }
    }
}

/// The conditions, with Ready last. While the worker is silent, what held when it last answered is unknown.
pub(super) fn conditions(verdicts: &Verdicts, watch: &Verdict, live: bool, suspended: bool) -> Vec<Finding> {
    let Verdicts { reachable, credentials, claimed, permissions } = verdicts;
    let since_silence = |verdict: &Verdict| match verdict.status {
        Status::True if !live => Verdict::unknown("WorkerSilent", "the worker does not answer now"),
        _ => verdict.clone(),
    };
    let mut findings = vec![
        reachable.finding(conditions::API_REACHABLE),
        since_silence(credentials).finding(conditions::CREDENTIALS_VALID),
        since_silence(claimed).finding(conditions::CLAIMED),
        since_silence(permissions).finding(conditions::PERMISSIONS_SUFFICIENT),
        since_silence(watch).finding(conditions::WATCH_HEALTHY),
    ];
    findings.push(ready(&findings, suspended));
    findings
}

/// What is wrong counts before what is unknown.
fn ready(findings: &[Finding], suspended: bool) -> Finding {
    let first = |status| findings.iter().find(|finding| finding.status == status);
    match first(Status::False).or_else(|| first(Status::Unknown)) {
        Some(cause) => Finding::new(conditions::READY, cause.status, cause.reason.clone(), cause.message.clone()),
        None if suspended => Finding::new(
            conditions::READY,
            Status::True,
            "Suspended",
            "the worker is observed; it is not written to while spec.suspend is true",
        ),
        None => Finding::new(conditions::READY, Status::True, "Ready", "the worker is connected and observed"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good() -> Verdicts {
        let yes = Verdict::yes("Fine", "fine");
        Verdicts { reachable: yes.clone(), credentials: yes.clone(), claimed: yes.clone(), permissions: yes }
    }

    fn status(findings: &[Finding], type_: &str) -> (Status, String) {
        let finding = findings.iter().find(|f| f.type_ == type_).unwrap();
        (finding.status, finding.reason.clone())
    }

    #[test]
    fn ready_only_when_all_holds() {
        let watch = Verdict::yes("Synced", "");
        let findings = conditions(&good(), &watch, true, false);
        assert_eq!(status(&findings, conditions::READY), (Status::True, "Ready".to_owned()));

        let listing = Verdict::unknown("Listing", "");
        let findings = conditions(&good(), &listing, true, false);
        assert_eq!(status(&findings, conditions::READY), (Status::Unknown, "Listing".to_owned()));

        let lacking = Verdicts { permissions: Verdict::no("PermissionMissing", ""), ..good() };
        let findings = conditions(&lacking, &listing, true, false);
        assert_eq!(status(&findings, conditions::READY), (Status::False, "PermissionMissing".to_owned()));
    }

    #[test]
    fn what_held_before_the_silence_is_unknown_in_it() {
        let silent = Verdicts { reachable: Verdict::no("NoAnswer", ""), ..good() };
        let findings = conditions(&silent, &Verdict::yes("Synced", ""), false, false);
        for type_ in [conditions::CREDENTIALS_VALID, conditions::PERMISSIONS_SUFFICIENT, conditions::WATCH_HEALTHY]
        {
            assert_eq!(status(&findings, type_).0, Status::Unknown, "{type_}");
        }
        assert_eq!(status(&findings, conditions::READY), (Status::False, "NoAnswer".to_owned()));
    }
}
