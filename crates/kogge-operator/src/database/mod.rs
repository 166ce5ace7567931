//! The controller of databases, of one kind each: observe → validate → plan → apply → report.

mod access;
mod came_of;
mod carry_out;
mod kind;
mod members;
mod pass;
mod reads;
mod writes;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::{Stream, StreamExt as _, stream};
use kogge_engine::{Database, Engine, GroupName};
use kogge_engine_client::Execute;
use kogge_fleet::fleet::Change;
use kube::Resource as _;
use kube::runtime::controller::{Action, Config, Controller};
use kube::runtime::reflector::{ObjectRef, Store};
use tokio_util::sync::CancellationToken;
use tracing::{Instrument as _, info_span, warn};

use crate::context::Context;
use crate::control::ControlError;
use kind::{EngineOf, Kind, ResourceOf};

pub(crate) use kind::{Registered, kind};
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
async fn run<C: Execute>(controller: Controller<ResourceOf<C>>, context: Arc<Context>, stop: CancellationToken) {
    if stop.run_until_cancelled(context.until_listed()).await.is_none() {
        return;
    }
    let store = controller.store();
    controller
        .with_config(Config::default().concurrency(CONCURRENCY))
        .reconcile_on(
            throttled(context.fleet.changes())
                .flat_map(move |burst| stream::iter(touched::<EngineOf<C>>(&store, &burst))),
        )
        .graceful_shutdown_on(stop.cancelled_owned())
        .run(reconcile::<C>, |_, error, _| after_failure::<C>(error), Arc::new(Kind::new(context)))
        .for_each(|_| async {})
        .await;
}

/// Changes in bursts. A burst ends a fixed time after its first change, however many follow: a debounce would let
/// whoever changes something all the time keep a database from being looked at.
fn throttled<T>(changes: impl Stream<Item = T>) -> impl Stream<Item = Vec<T>> {
    tokio_stream::StreamExt::chunks_timeout(changes, BURST, THROTTLE)
}

/// The databases that a burst of changes in the fleet may concern, each once.
fn touched<E: Engine>(store: &Store<E::Resource>, burst: &[Change]) -> Vec<ObjectRef<E::Resource>> {
    let mut ids = BTreeSet::new();
    let mut everything = false;
    for change in burst {
        match change {
            Change::Objects { cluster_ids, .. } => ids.extend(cluster_ids.iter().map(String::as_str)),
            Change::Worker { .. } | Change::Everything => everything = true,
        }
    }
    let concerned = |resource: &E::Resource| {
        everything || E::cluster_id(E::spec(resource)).is_none_or(|id| ids.contains(id.as_str()))
    };
    let all = store.state();
    all.iter().filter(|resource| concerned(resource)).map(|resource| ObjectRef::from_obj(&**resource)).collect()
}

fn after_failure<C: Execute>(error: &PassError) -> Action {
    if let PassError::Control(ControlError::Stale { .. }) = error {
        Action::requeue(Duration::from_millis(100))
    } else {
        let kind = ResourceOf::<C>::kind(&());
        warn!(%error, reason = error.reason(), %kind, "a database was not reconciled; trying again");
        Action::requeue(AFTER_FAILURE)
    }
}

/// `namespace/name`.
fn full_name(database: &Database) -> String {
    format!("{}/{}", database.namespace(), database.name())
}

/// A group as the status names it: without the clusterID.
fn short_name(database: &Database, group: &GroupName) -> String {
    let id = database.cluster_id.as_ref();
    let short = id.and_then(|id| group.as_str().strip_suffix(id.as_str())?.strip_suffix('-'));
    short.unwrap_or(group.as_str()).to_owned()
}

async fn reconcile<C: Execute>(resource: Arc<ResourceOf<C>>, kind: Arc<Kind<C>>) -> Result<Action, PassError> {
    let began = Instant::now();
    let database = EngineOf::<C>::database(&resource);
    let span = info_span!(
        "database",
        kind = %ResourceOf::<C>::kind(&()),
        cluster = %full_name(&database),
        id = database.cluster_id.as_ref().map_or("", |id| id.as_str()),
        generation = database.metadata.generation,
    );
    let outcome = pass::pass::<C>(&resource, &database, &kind).instrument(span).await;
    let reason = outcome.as_ref().map_or_else(PassError::reason, |_| "Ok");
    kind.context.metrics.reconciled(&ResourceOf::<C>::kind(&()), reason, began.elapsed());
    outcome
}

#[cfg(test)]
mod tests {
    use tokio::time::{interval, timeout};
    use tokio_stream::wrappers::IntervalStream;

    use super::*;

    #[tokio::test]
    async fn field_40_changes_that_do_not_end_keep_no_pass_from_being_made() {
        let changes = IntervalStream::new(interval(THROTTLE / 20)).map(|_| "db");
        let mut bursts = std::pin::pin!(throttled(changes));
        for _ in 0..3 {
            let burst = timeout(THROTTLE * 100, bursts.next()).await;
            assert!(burst.is_ok_and(|burst| burst.is_some_and(|burst| burst.contains(&"db"))));
        }
    }
}
