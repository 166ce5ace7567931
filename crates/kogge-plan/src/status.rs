//! How shares and placements stand, from what was observed. What was not observed is Unknown (A3).

use kogge_api::status::{PlacementStatus, ShareStatus, WorkState};

use crate::workload::{self, Database, ShareKey};
use crate::{ApiRefusal, Object, WorkerName, WorkerView};

/// How a share stands, and why where it is not Ready.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ShareReport {
    /// For the status.
    pub status: ShareStatus,
    /// Why it is not Ready; none where it is.
    pub message: Option<String>,
}

/// Reads how a share stands. `size` is the number of pods that the spec asks for and `revision` the one that
/// they are to run; where it is none, any will do.
pub fn share(
    view: Option<&WorkerView>,
    database: Database<'_>,
    key: &ShareKey,
    size: u32,
    revision: Option<&str>,
) -> ShareReport {
    let report = |ready, status, message: Option<String>| ShareReport {
        status: ShareStatus { ready, size, status },
        message: message.map(|message| format!("{}: {message}", key.component)),
    };
    let Some(view) = view.filter(|view| view.is_current()) else {
        return report(0, WorkState::Unknown, Some("its worker was not seen live and complete".to_owned()));
    };
    let pods = workload::pods(view, database, key);
    let ready = pods.iter().filter(|pod| pod.ready && !pod.terminating).count() as u32;
    if let Some((pod, illness)) = pods.iter().find_map(|pod| Some((pod, pod.illness.as_ref()?))) {
        return report(ready, WorkState::Degraded, Some(format!("{} cannot start: {illness}", pod.name)));
    }
    let Some(workload) = workload::workload(view, database, key) else {
        return if size == 0 && pods.is_empty() {
            report(0, WorkState::Ready, None)
        } else {
            report(ready, WorkState::Progressing, Some("its workload is not there yet".to_owned()))
        };
    };
    let progressing = |message: String| report(ready, WorkState::Progressing, Some(message));
    if !workload::is_observed(workload) {
        return progressing("its controller has not seen the last change yet".to_owned());
    }
    if pods.len() > size as usize || ready > size {
        return progressing(format!("{} pods are to go", pods.len() - (size as usize).min(pods.len())));
    }
    if let Some(why) = replica_failure(workload) {
        return report(ready, WorkState::Degraded, Some(format!("its pods cannot be created: {why}")));
    }
    if ready < size {
        let waiting = pods.iter().find(|pod| !pod.ready || pod.terminating);
        return progressing(waiting.map_or_else(
            || format!("{ready} of {size} pods are there"),
            |pod| format!("{} is not ready yet", pod.name),
        ));
    }
    match pods.iter().find(|pod| revision.is_some() && pod.revision.as_deref() != revision) {
        Some(pod) => progressing(format!("{} runs another revision", pod.name)),
        None => report(ready, WorkState::Ready, None),
    }
}

/// Why a Deployment's pods cannot be created; a StatefulSet's status does not say.
fn replica_failure(workload: &Object) -> Option<String> {
    let conditions = workload.data.pointer("/status/conditions")?.as_array()?;
    let failure = conditions.iter().find(|c| c["type"] == "ReplicaFailure" && c["status"] == "True")?;
    let words = failure["message"].as_str().unwrap_or("its controller does not say why");
    Some(ApiRefusal::of_words(words).map_or_else(|| words.to_owned(), |refusal| refusal.to_string()))
}

/// The StatefulSet of a share, where its controller has made fewer pods than it is to.
pub fn lacking_pods<'v>(view: &'v WorkerView, database: Database<'_>, key: &ShareKey) -> Option<&'v Object> {
    let workload = workload::workload(view, database, key).filter(|workload| workload::is_observed(workload))?;
    let wanted = workload.data.pointer("/spec/replicas")?.as_u64()?;
    let is_set = workload.types.as_ref().is_some_and(|types| types.kind == "StatefulSet");
    (is_set && (workload::pods(view, database, key).len() as u64) < wanted).then_some(workload)
}

/// How a placement stands: its shares together, the worst of them first.
pub fn placement(
    worker: Option<&WorkerName>,
    view: Option<&WorkerView>,
    shares: &[ShareReport],
) -> PlacementStatus {
    let worst = shares.iter().max_by_key(|share| severity(share.status.status));
    PlacementStatus {
        worker: worker.map(|name| name.0.clone()),
        worker_uid: view.and_then(|view| view.uid.clone()),
        ready: shares.iter().map(|share| share.status.ready).sum(),
        size: shares.iter().map(|share| share.status.size).sum(),
        status: worst.map_or(WorkState::Unknown, |share| share.status.status),
        revision: None,
        message: worst.and_then(|share| share.message.clone()),
    }
}

/// The state of several parts together.
pub fn worst(states: impl IntoIterator<Item = WorkState>) -> WorkState {
    states.into_iter().max_by_key(|state| severity(*state)).unwrap_or_default()
}

fn severity(state: WorkState) -> u8 {
    match state {
        WorkState::Ready => 0,
        WorkState::Progressing => 1,
        WorkState::Degraded => 2,
        WorkState::Unknown => 3,
    }
}
