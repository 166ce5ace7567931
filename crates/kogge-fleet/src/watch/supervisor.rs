//! One watch, kept alive.
//!
//! kube's watcher resumes quietly after most errors, and then nothing tells whether it runs; after a 410 at
//! the start of a watch it asks for the same resourceVersion for ever. So every error ends the watcher here,
//! and a new one lists again: its `InitDone` proves that the view is whole. Dead connections end by the
//! server's `timeoutSeconds`, or by kube's idle limit 5 s later, whichever comes.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::stream::BoxStream;
use futures::{StreamExt as _, TryStreamExt as _};
use kogge_api::labels;
use kogge_plan::{Object, managed_fields};
use kube::core::{ApiResource, DynamicResourceScope, PartialObjectMeta, TypeMeta};
use kube::runtime::watcher as watch;
use kube::runtime::watcher::{self, Config, Event};
use kube::{Api, Client, Resource};

use super::kinds::Slot;
use super::store::Effect;
use crate::connection::GateError;

/// The pause after the first error.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// The longest pause between two attempts.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// What takes the events of a worker's watches.
pub(crate) trait Sink: Send + Sync + 'static {
    /// An event came.
    fn observe(&self, slot: &Slot, event: Event<Object>) -> Effect;
    /// A watch failed. `forbidden` where its cause is a missing permission.
    fn fail(&self, slot: &Slot, message: String, forbidden: bool);
}

/// Runs the watch until it is aborted.
pub(crate) async fn supervise(slot: Slot, client: Client, timeout: Duration, sink: Arc<dyn Sink>) {
    let mut pause = FIRST_PAUSE;
    loop {
        if let Err(error) = follow(&slot, client.clone(), timeout, sink.as_ref(), &mut pause).await {
            let forbidden = api_status(&error).is_some_and(|(code, _)| code == 403);
            sink.fail(&slot, describe(&error), forbidden);
            tokio::time::sleep(crate::fleet::jittered(pause)).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
}

/// Follows one watcher to its first error, or until a write has overtaken its list.
async fn follow(
    slot: &Slot,
    client: Client,
    timeout: Duration,
    sink: &dyn Sink,
    pause: &mut Duration,
) -> Result<(), watcher::Error> {
    let mut events = pin!(events(slot, client, timeout));
    while let Some(event) = events.try_next().await? {
        let listed = matches!(event, Event::InitDone);
        if sink.observe(slot, event).relist {
            break;
        }
        if listed {
            *pause = FIRST_PAUSE;
        }
    }
    Ok(())
}

fn events(
    slot: &Slot,
    client: Client,
    timeout: Duration,
) -> BoxStream<'static, Result<Event<Object>, watcher::Error>> {
    let resource = slot.kind.resource();
    // Lists come by the list call: a server that cannot stream them answers 422, and kube never falls back.
    let config = Config::default()
        .labels(labels::CLUSTER_ID)
        .timeout(u32::try_from(timeout.as_secs().max(1)).unwrap_or(u32::MAX));
    if slot.kind.metadata_only {
        let api: Api<PartialObjectMeta<Object>> = api(slot, client, &resource);
        watch(api, config).map_ok(move |event| map(event, |meta| from_metadata(meta, &resource))).boxed()
    } else {
        let api: Api<Object> = api(slot, client, &resource);
        watch(api, config).map_ok(move |event| map(event, |object| normalized(object, &resource))).boxed()
    }
}

fn api<K>(slot: &Slot, client: Client, resource: &ApiResource) -> Api<K>
where
    K: Resource<DynamicType = ApiResource, Scope = DynamicResourceScope>,
{
    match &slot.namespace {
        Some(namespace) => Api::namespaced_with(client, namespace, resource),
        None => Api::all_with(client, resource),
    }
}

fn map<A, B>(event: Event<A>, object: impl FnOnce(A) -> B) -> Event<B> {
    match event {
        Event::Apply(o) => Event::Apply(object(o)),
        Event::Delete(o) => Event::Delete(object(o)),
        Event::InitApply(o) => Event::InitApply(object(o)),
        Event::Init => Event::Init,
        Event::InitDone => Event::InitDone,
    }
}

/// An object as the view holds it: with its type, which list items lack, and of its managed fields what tells who else
/// writes to it.
pub(crate) fn normalized(mut object: Object, resource: &ApiResource) -> Object {
    object.types = Some(TypeMeta { api_version: resource.api_version.clone(), kind: resource.kind.clone() });
    managed_fields::trim(&mut object);
    object
}

/// An object of which only the metadata is known.
pub(crate) fn from_metadata(partial: PartialObjectMeta<Object>, resource: &ApiResource) -> Object {
    let object = Object {
        types: None,
        metadata: partial.metadata,
        data: serde_json::Value::Object(serde_json::Map::new()),
    };
    normalized(object, resource)
}

fn api_status(error: &watcher::Error) -> Option<(u16, &str)> {
    match error {
        watcher::Error::WatchError(status)
        | watcher::Error::InitialListFailed(kube::Error::Api(status))
        | watcher::Error::WatchStartFailed(kube::Error::Api(status))
        | watcher::Error::WatchFailed(kube::Error::Api(status)) => Some((status.code, &status.message)),
        _ => None,
    }
}

fn describe(error: &watcher::Error) -> String {
    if let Some((code, message)) = api_status(error) {
        return format!("{code}: {message}");
    }
    let source = match error {
        watcher::Error::InitialListFailed(source)
        | watcher::Error::WatchStartFailed(source)
        | watcher::Error::WatchFailed(source) => source,
        watcher::Error::WatchError(_) | watcher::Error::NoResourceVersion => return error.to_string(),
    };
    GateError::of(source).map_or_else(|| crate::error::root_cause(source), ToString::to_string)
}
