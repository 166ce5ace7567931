//! What a write to a worker came to, in the words of the status.

use kogge_api::labels;
use kogge_database::report::Problem;
use kogge_fleet::{Outcome, WriteError};
use kogge_plan::{Action, ApiRefusal, ObjectKey, WorkerName};

/// What follows a write whose webhook was slow or gone.
const PAUSES: &str = "Kogge tries again after pauses of 15 s to 5 min.";

/// Why a write did not come to what it was for; none where it did, or where the next observation tells.
pub(super) fn written(action: &Action, came: &Result<Outcome, WriteError>) -> Option<Problem> {
    let worker = action.worker();
    match came {
        Ok(Outcome::Applied { .. } | Outcome::Deleted | Outcome::Gone | Outcome::Stale { .. }) => None,
        Ok(Outcome::Unknown { message, timed_out: true }) => Some(Problem::Failed {
            reason: "WriteNotAnswered".to_owned(),
            message: not_in_time(worker, &what(action), message),
        }),
        Ok(Outcome::Unknown { message, timed_out: false }) => Some(Problem::Delayed {
            reason: "WriteUnanswered".to_owned(),
            message: format!(
                "{}: worker {worker} did not answer the write: {message}. Kogge observes it and tries again.",
                what(action)
            ),
        }),
        Err(error) => {
            let held_back = error.refusal().is_some_and(|refusal| refusal.is_webhook() && refusal.is_transient());
            let message = if held_back { format!("{error} {PAUSES}") } else { error.to_string() };
            Some(Problem::Failed { reason: error.reason().to_owned(), message })
        }
    }
}

/// Why a rollout cannot be rehearsed on a worker. Nothing is missing from the database because of that, so that it is
/// not degraded. Where a webhook is in the way, `waiver` approves the rollout without a rehearsal there.
pub(super) fn rehearsed(
    action: &Action,
    came: &Result<Outcome, WriteError>,
    waiver: Option<&str>,
) -> Option<Problem> {
    let worker = action.worker();
    let (problem, is_webhook) = match written(action, came)? {
        Problem::Delayed { reason, message } => return Some(Problem::Delayed { reason, message }),
        problem => {
            (problem, came.as_ref().map_or_else(|e| e.refusal().is_some_and(ApiRefusal::is_webhook), |_| true))
        }
    };
    let way_on = waiver.filter(|_| is_webhook).map_or_else(String::new, |hash| {
        format!(
            " To roll out to {worker} without a rehearsal, annotate the resource with {}={hash}.",
            labels::APPROVE
        )
    });
    let message = format!(
        "worker {worker} cannot rehearse the rollout, so that nothing is changed on any worker: {}{way_on}",
        problem.message()
    );
    Some(Problem::Refused { reason: problem.reason().to_owned(), message })
}

fn not_in_time(worker: &WorkerName, what: &str, message: &str) -> String {
    format!(
        "writes to worker {worker} are not answered in time: {what}: {message}. A slow admission webhook of that cluster is \
         the usual cause: list them with `kubectl get validatingwebhookconfigurations,mutatingwebhookconfigurations`. \
         {PAUSES}"
    )
}

/// The object, without the worker and the cause.
fn what(action: &Action) -> String {
    let key = match action {
        Action::Apply { object, .. } => ObjectKey::of(object),
        Action::Delete { key, .. } => Some(key.clone()),
    };
    key.map_or_else(|| "an object".to_owned(), |key| key.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> ObjectKey {
        ObjectKey::namespaced("apps/v1", "StatefulSet", "databases", "db")
    }

    fn action() -> Action {
        Action::Delete {
            worker: "vdc3".into(),
            key: key(),
            uid: "u".to_owned(),
            resource_version: None,
            why: "a test".to_owned(),
        }
    }

    fn refused(words: &str) -> Result<Outcome, WriteError> {
        Err(WriteError::Refused {
            worker: "vdc3".into(),
            object: Box::new(key()),
            refusal: Box::new(ApiRefusal::of_words(words).unwrap()),
        })
    }

    #[expect(clippy::unnecessary_wraps, reason = "it is what a write came to")]
    fn unknown(timed_out: bool) -> Result<Outcome, WriteError> {
        Ok(Outcome::Unknown { message: "no answer within 10 s".to_owned(), timed_out })
    }

    #[test]
    fn field_24_a_webhook_that_cannot_rehearse_is_told_with_the_way_on() {
        for words in [
            r#"admission webhook "policy.example.com" denied the request: not in a dry run"#,
            r#"admission webhook "policy.example.com" does not support dry run"#,
        ] {
            let problem = rehearsed(&action(), &refused(words), Some("0123abcd")).unwrap();
            let message = problem.message();
            for part in ["worker vdc3 cannot rehearse", "policy.example.com", "kogge.dev/approve=0123abcd"] {
                assert!(message.contains(part), "{part}: {message}");
            }
            assert!(matches!(problem, Problem::Refused { .. }), "a rehearsal degrades nothing: {problem:?}");
            assert!(!message.contains("worker join"), "{message}");
        }
    }

    #[test]
    fn field_24_what_would_be_refused_in_earnest_as_well_has_no_way_around_its_rehearsal() {
        let words =
            r#"pods "db-0" is forbidden: exceeded quota: q, requested: pods=1, used: pods=9, limited: pods=9"#;
        let problem = rehearsed(&action(), &refused(words), Some("0123abcd")).unwrap();
        assert_eq!(problem.reason(), "QuotaExceeded");
        assert!(!problem.message().contains("kogge.dev/approve"), "{problem:?}");
    }

    #[test]
    fn field_25_a_webhook_that_is_gone_and_one_that_is_slow_are_told_and_degrade() {
        let gone = refused(
            r#"Internal error occurred: failed calling webhook "vault.example.com": failed to call webhook: no endpoints"#,
        );
        let problem = written(&action(), &gone).unwrap();
        assert!(matches!(problem, Problem::Failed { .. }), "{problem:?}");
        assert_eq!(problem.reason(), "WebhookUnavailable");
        for part in ["vdc3", "vault.example.com", "pauses"] {
            assert!(problem.message().contains(part), "{part}: {problem:?}");
        }
        let problem = written(&action(), &unknown(true)).unwrap();
        assert!(matches!(problem, Problem::Failed { .. }), "{problem:?}");
        for part in ["writes to worker vdc3 are not answered", "within 10 s", "webhook", "pauses"] {
            assert!(problem.message().contains(part), "{part}: {problem:?}");
        }
    }

    #[test]
    fn an_answer_that_is_lost_passes_by_itself() {
        assert!(matches!(written(&action(), &unknown(false)), Some(Problem::Delayed { .. })));
        assert!(matches!(rehearsed(&action(), &unknown(false), None), Some(Problem::Delayed { .. })));
    }
}
