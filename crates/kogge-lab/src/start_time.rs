//! How long a pod took to start.

use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;

/// From a pod's creation until it was ready; none while it is not.
pub fn start_time(pod: &Pod) -> Option<Duration> {
    let conditions = pod.status.as_ref()?.conditions.as_ref()?;
    let ready = conditions.iter().find(|c| c.type_ == "Ready" && c.status == "True")?;
    let ready = ready.last_transition_time.as_ref()?.0;
    ready.duration_since(pod.metadata.creation_timestamp.as_ref()?.0).try_into().ok()
}
