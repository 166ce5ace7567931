//! The controller of FederatedClusters: observe → validate → plan → apply → report.

mod access;
mod carry_out;
mod members;
mod pass;
mod reads;
mod writes;

use std::collections::{BTreeSet, HashSet};
use std::hash::Hash;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::{Stream, StreamExt as _, stream};
use kogge_api::FederatedCluster;
use kogge_fleet::fleet::Change;
use kogge_mongo::SetName;
use kube::api::ResourceExt as _;
use kube::runtime::controller::{Action, Config, Controller};
use kube::runtime::reflector::{ObjectRef, Store};
use tokio_util::sync::CancellationToken;
use tracing::{Instrument as _, info_span, warn};

use crate::context::Context;
use crate::control::ControlError;

pub use pass::PassError;

/// How long to wait after a failure.
const AFTER_FAILURE: Duration = Duration::from_secs(2);
/// How long changes are collected before a pass follows them.
const THROTTLE: Duration = Duration::from_millis(200);
/// The most changes that are collected.
const BURST: usize = 4096;
/// Databases that are reconciled at a time.
const CONCURRENCY: u16 = 16;

/// Runs until told to stop; no pass is made before all was listed that it rests on.
pub async fn run(controller: Controller<FederatedCluster>, context: Arc<Context>, stop: CancellationToken) {
    if stop.run_until_cancelled(context.until_listed()).await.is_none() {
        return;
    }
    let store = controller.store();
    let changed = context.fleet.changes().map(move |change| touched(&store, &change));
    controller
        .with_config(Config::default().concurrency(CONCURRENCY))
        .reconcile_on(throttled(changed).flat_map(stream::iter))
        .graceful_shutdown_on(stop.cancelled_owned())
        .run(reconcile, |_, error, _| after_failure(error), context)
        .for_each(|_| async {})
        .await;
}

/// Changes in bursts, each database once in a burst. A burst ends a fixed time after its first change, however many
/// follow: a debounce would let whoever changes something all the time keep a database from being looked at.
fn throttled<T: Eq + Hash>(changed: impl Stream<Item = Vec<T>>) -> impl Stream<Item = HashSet<T>> {
    tokio_stream::StreamExt::chunks_timeout(changed, BURST, THROTTLE)
        .map(|burst| burst.into_iter().flatten().collect())
}

/// The databases that a change in the fleet may concern.
fn touched(store: &Store<FederatedCluster>, change: &Change) -> Vec<ObjectRef<FederatedCluster>> {
    let all = store.state();
    let of = |ids: &BTreeSet<String>, cluster: &FederatedCluster| {
        cluster.spec.cluster_id.as_ref().is_none_or(|id| ids.contains(id.as_str()))
    };
    all.iter()
        .filter(|cluster| match change {
            Change::Objects { cluster_ids, .. } => of(cluster_ids, cluster),
            Change::Worker { .. } | Change::Everything => true,
        })
        .map(|cluster| ObjectRef::from_obj(&**cluster))
        .collect()
}

fn after_failure(error: &PassError) -> Action {
    if let PassError::Control(ControlError::Stale { .. }) = error {
        Action::requeue(Duration::from_millis(100))
    } else {
        warn!(%error, reason = error.reason(), "a FederatedCluster was not reconciled; trying again");
        Action::requeue(AFTER_FAILURE)
    }
}

/// `namespace/name`.
fn full_name(cluster: &FederatedCluster) -> String {
    format!("{}/{}", cluster.namespace().unwrap_or_default(), cluster.name_any())
}

/// A replica set as the status names it: without the clusterID.
fn set_name(cluster: &FederatedCluster, set: &SetName) -> String {
    let id = cluster.spec.cluster_id.as_ref();
    let short = id.and_then(|id| set.as_str().strip_suffix(id.as_str())?.strip_suffix('-'));
    short.unwrap_or(set.as_str()).to_owned()
}

async fn reconcile(cluster: Arc<FederatedCluster>, context: Arc<Context>) -> Result<Action, PassError> {
    let began = Instant::now();
    let span = info_span!(
        "federated_cluster",
        cluster = %full_name(&cluster),
        id = cluster.spec.cluster_id.as_ref().map_or("", |id| id.as_str()),
        generation = cluster.metadata.generation,
    );
    let outcome = pass::pass(&cluster, &context).instrument(span).await;
    let reason = outcome.as_ref().map_or_else(PassError::reason, |_| "Ok");
    context.metrics.reconciled("FederatedCluster", reason, began.elapsed());
    outcome
}

#[cfg(test)]
mod tests {
    use tokio::time::{interval, timeout};
    use tokio_stream::wrappers::IntervalStream;

    use super::*;

    #[tokio::test]
    async fn changes_that_do_not_end_keep_no_pass_from_being_made() {
        let changes = IntervalStream::new(interval(THROTTLE / 20)).map(|_| vec!["db", "db"]);
        let mut bursts = std::pin::pin!(throttled(changes));
        for _ in 0..3 {
            let burst = timeout(THROTTLE * 100, bursts.next()).await;
            assert_eq!(burst, Ok(Some(HashSet::from(["db"]))));
        }
    }
}
