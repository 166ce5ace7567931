//! Keeps one worker's session running.
//!
//! A session that panicked, or one of whose watches did, would leave its worker live without end, with the last view that
//! there was. So its worker falls silent at once, and another session begins.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_util::task::AbortOnDropHandle;

use super::worker::Worker;

/// The pause before a session that failed is started again; it doubles with each failure in a row.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_mins(1);
/// A session that ran for this long had nothing to do with the failure before it.
const STEADY: Duration = Duration::from_mins(10);

/// How a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// The worker was removed.
    Removed,
    /// One of its tasks failed.
    TaskFailed,
}

/// Runs sessions, one after the other, until the worker is removed.
pub(super) async fn keep<S>(worker: Arc<Worker>, start: impl Fn() -> S)
where
    S: Future<Output = Ended> + Send + 'static,
{
    let mut pause = FIRST_PAUSE;
    loop {
        let began = Instant::now();
        let ended = AbortOnDropHandle::new(tokio::spawn(start())).await;
        if let Ok(Ended::Removed) = ended {
            return;
        }
        let panicked = ended.is_err_and(|error| error.is_panic());
        worker.fail();
        if began.elapsed() >= STEADY {
            pause = FIRST_PAUSE;
        }
        tracing::error!(
            worker = %worker.name(),
            panicked,
            again_in = ?pause,
            "the tasks that watch a worker failed; the worker is silent until they run again"
        );
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use kogge_api::WorkerCluster;
    use kogge_plan::Liveness;
    use tokio::sync::Notify;

    use super::*;
    use crate::fleet::Signal;

    fn worker() -> Arc<Worker> {
        let object: WorkerCluster = serde_json::from_value(serde_json::json!({
            "apiVersion": "kogge.dev/v1alpha1", "kind": "WorkerCluster", "metadata": {"name": "w"},
            "spec": {
                "vdc": "vdc1", "kubeconfig": {"secretRef": {"name": "w"}}, "allowedNamespaces": {"names": ["d"]},
            },
        }))
        .unwrap();
        Arc::new(Worker::new("w".into(), &object, Signal::new()))
    }

    fn silence(worker: &Worker) -> Option<String> {
        match worker.view().liveness {
            Liveness::Live => None,
            Liveness::Silent { reason, .. } => Some(reason),
        }
    }

    async fn until(what: &str, holds: impl Fn() -> bool) {
        let waiting = async {
            while !holds() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), waiting).await.expect(what);
    }

    /// The first session of a fake finds the worker live, then fails in that way; the second finds it live again.
    async fn a_failed_session_is_silence_and_then_another(fails: fn() -> Ended) {
        let worker = worker();
        let (begun, go) = (Arc::new(AtomicU32::new(0)), Arc::new(Notify::new()));
        let start = {
            let (worker, begun, go) = (Arc::clone(&worker), Arc::clone(&begun), Arc::clone(&go));
            move || {
                let (worker, go) = (Arc::clone(&worker), Arc::clone(&go));
                let number = begun.fetch_add(1, Ordering::SeqCst);
                async move {
                    worker.report(|report| report.silence = None);
                    go.notified().await;
                    if number == 0 { fails() } else { Ended::Removed }
                }
            }
        };
        let keeping = tokio::spawn(keep(Arc::clone(&worker), start));
        until("the first session", || silence(&worker).is_none()).await;
        go.notify_one();
        until("the silence", || silence(&worker).as_deref() == Some("TaskFailed")).await;
        assert!(worker.link().is_err(), "nothing is sent through a connection that nobody watches");
        let findings = worker.findings().conditions;
        assert!(findings.iter().all(|f| f.status != kogge_api::conditions::Status::True), "{findings:?}");
        until("the second session", || silence(&worker).is_none()).await;
        assert_eq!(begun.load(Ordering::SeqCst), 2);
        go.notify_one();
        tokio::time::timeout(Duration::from_secs(20), keeping).await.expect("the end").unwrap();
        assert_eq!(begun.load(Ordering::SeqCst), 2, "nothing is started for a worker that was removed");
    }

    #[tokio::test]
    async fn field_10_a_session_that_panics_is_silence_and_is_started_again() {
        a_failed_session_is_silence_and_then_another(|| panic!("injected")).await;
    }

    #[tokio::test]
    async fn field_10_a_session_whose_task_ended_is_silence_and_is_started_again() {
        a_failed_session_is_silence_and_then_another(|| Ended::TaskFailed).await;
    }
}
