//! Why a StatefulSet's pods are not made. Its status does not say; its controller's events do.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Event;
use kogge_plan::ObjectKey;
use kube::api::{Api, ListParams};
use parking_lot::Mutex;

use super::worker::Worker;

/// How long an answer is taken as it is.
const FRESH: Duration = Duration::from_secs(10);
/// Events of a StatefulSet that are read at most.
const MOST: u32 = 100;
/// StatefulSets that are remembered at most.
const REMEMBERED: usize = 1024;
/// The reasons of the events of a controller that makes pods.
const FAILED: &str = "FailedCreate";
const MADE: &str = "SuccessfulCreate";

/// What was read a moment ago.
#[derive(Debug, Default)]
pub(super) struct PodFailures(Mutex<BTreeMap<ObjectKey, (Instant, Option<String>)>>);

impl PodFailures {
    /// Why the pods of a StatefulSet are not made, by its controller's last word; none where it says nothing of the
    /// kind, or is not heard.
    pub(super) async fn of(&self, worker: &Worker, key: &ObjectKey, uid: &str) -> Option<String> {
        if let Some((read, why)) = self.0.lock().get(key)
            && read.elapsed() < FRESH
        {
            return why.clone();
        }
        let why = read(worker, key, uid).await;
        let mut known = self.0.lock();
        if known.len() >= REMEMBERED {
            known.clear();
        }
        known.insert(key.clone(), (Instant::now(), why.clone()));
        why
    }
}

async fn read(worker: &Worker, key: &ObjectKey, uid: &str) -> Option<String> {
    let link = worker.link().ok()?;
    let events: Api<Event> = Api::namespaced(link.client.clone(), key.namespace.as_deref()?);
    let about =
        format!("involvedObject.kind={},involvedObject.name={},involvedObject.uid={uid}", key.kind, key.name);
    match events.list(&ListParams::default().fields(&about).limit(MOST)).await {
        Ok(events) => last_failure(events.items),
        Err(error) => {
            tracing::debug!(worker = %worker.name(), %key, %error, "the events of its pods were not read");
            None
        }
    }
}

/// The failure that nothing was made after.
fn last_failure(events: Vec<Event>) -> Option<String> {
    let about_pods = events.into_iter().filter(|event| matches!(event.reason.as_deref(), Some(FAILED | MADE)));
    let last = about_pods.max_by_key(time)?;
    last.message.filter(|_| last.reason.as_deref() == Some(FAILED))
}

fn time(event: &Event) -> Option<Timestamp> {
    let series = event.series.as_ref().and_then(|series| series.last_observed_time.as_ref()).map(|time| time.0);
    let last = event.last_timestamp.as_ref().map(|time| time.0);
    let only = event.event_time.as_ref().map(|time| time.0);
    series.max(last).max(only)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn event(reason: &str, minute: u32, message: &str) -> Event {
        serde_json::from_value(json!({
            "metadata": {}, "involvedObject": {}, "reason": reason, "message": message,
            "lastTimestamp": format!("2026-12-01T00:{minute:02}:00Z"),
        }))
        .unwrap()
    }

    #[test]
    fn field_38_the_last_failure_counts_until_a_pod_was_made() {
        let failed = || event(FAILED, 5, "violates PodSecurity");
        assert_eq!(last_failure(vec![]), None);
        assert_eq!(
            last_failure(vec![failed(), event(FAILED, 3, "older")]).as_deref(),
            Some("violates PodSecurity")
        );
        assert_eq!(last_failure(vec![event(MADE, 3, ""), failed()]).as_deref(), Some("violates PodSecurity"));
        assert_eq!(last_failure(vec![failed(), event(MADE, 6, "")]), None);
        assert_eq!(last_failure(vec![event("RecreatingFailedPod", 9, "another matter")]), None);
    }
}
