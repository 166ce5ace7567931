//! The watches of the control cluster, kept alive.
//!
//! After a 410 at the start of a watch, kube's watcher asks for the same resourceVersion for ever; so every error
//! ends the watcher here, and a new one lists again.

use std::fmt::Debug;
use std::hash::Hash;
use std::time::Duration;

use futures::stream::BoxStream;
use futures::{Stream, StreamExt as _, stream};
use kogge_api::guarded::Guarded;
use kogge_api::labels;
use kube::api::{Api, ResourceExt as _};
use kube::runtime::WatchStreamExt as _;
use kube::runtime::controller::Controller;
use kube::runtime::reflector::{self, ObjectRef, store};
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Client, Resource};
use serde::de::DeserializeOwned;
use tracing::warn;

use crate::undecodable::UndecodableObjects;

/// The pause after the first error.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// The longest pause between two attempts.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// A controller of a kind, over a watch that outlives every error.
///
/// An object that cannot be decoded is not among those of the controller; `undecodable` tells of it.
pub(crate) fn controller<K>(client: Client, undecodable: &UndecodableObjects) -> Controller<K>
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug + Send + Sync + 'static,
{
    let (reader, writer) = store::<K>();
    let known = {
        let reader = reader.clone();
        move |(namespace, name): &(Option<String>, String)| {
            let mut reference = ObjectRef::new(name);
            reference.namespace.clone_from(namespace);
            reader.get(&reference).map(|object| K::clone(&object))
        }
    };
    let guarded = supervised::<Guarded<K>>(Api::all(client), watcher::Config::default());
    let decoded = undecodable.clone().sift(guarded, known);
    Controller::for_stream(reflector::reflector(writer, decoded).touched_objects(), reader)
}

/// A watch of the objects of a role that Kogge keeps of databases; it outlives every error.
pub(crate) fn labelled<K>(api: Api<K>, role: &str) -> impl Stream<Item = Result<Event<K>, watcher::Error>> + Send
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug + Send + 'static,
{
    let selector = format!("{},{}={role}", labels::CLUSTER_ID, labels::ROLE);
    supervised(api, watcher::Config::default().labels(&selector))
}

type Events<K> = BoxStream<'static, Result<Event<K>, watcher::Error>>;

/// Where a supervised watch stands: the watcher at work, and the pause before the next one.
struct Supervision<K: 'static> {
    api: Api<K>,
    config: watcher::Config,
    events: Option<Events<K>>,
    pause: Duration,
}

fn supervised<K>(
    api: Api<K>,
    config: watcher::Config,
) -> impl Stream<Item = Result<Event<K>, watcher::Error>> + Send
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug + Send + 'static,
    K::DynamicType: Hash + Eq,
{
    let start = Supervision { api, config, events: None, pause: FIRST_PAUSE };
    stream::unfold(start, |mut watch| async move {
        loop {
            let events = watch.events.get_or_insert_with(|| events(watch.api.clone(), watch.config.clone()));
            match events.next().await {
                Some(Ok(event)) => {
                    if matches!(event, Event::InitDone) {
                        watch.pause = FIRST_PAUSE;
                    }
                    return Some((Ok(event), watch));
                }
                Some(Err(error)) => warn!(%error, kind = %K::kind(&()), "the watch failed; listing again"),
                None => {}
            }
            watch.events = None;
            tokio::time::sleep(watch.pause).await;
            watch.pause = (watch.pause * 2).min(LONGEST_PAUSE);
        }
    })
}

fn events<K>(api: Api<K>, config: watcher::Config) -> Events<K>
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug + Send + 'static,
{
    watcher(api, config).modify(|object| object.managed_fields_mut().clear()).boxed()
}
