//! Objects that cannot be decoded: each costs itself alone, is told on itself, by a metric and in one line of the log, and
//! counts as in use wherever it may be.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use futures::{Stream, StreamExt as _, future};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use k8s_openapi::jiff::Timestamp;
use kogge_api::WorkerCluster;
use kogge_api::conditions::{self, Finding, Status, database as types};
use kogge_api::guarded::{Guarded, Undecodable};
use kube::Resource;
use kube::core::ApiResource;
use kube::runtime::watcher::{self, Event};
use parking_lot::RwLock;
use serde_json::json;
use tokio::sync::Notify;
use tracing::{error, info, warn};

use crate::control::Control;
use crate::metrics::Metrics;

/// How long after a failure, or without news, objects are looked at again whose conditions do not say it yet.
const AGAIN: Duration = Duration::from_secs(30);

/// Namespace and name of an object.
type Key = (Option<String>, String);

/// The objects of all kinds that cannot be decoded now.
#[derive(Clone, Default)]
pub struct UndecodableObjects(Arc<Shared>);

#[derive(Default)]
struct Shared {
    kinds: RwLock<BTreeMap<String, OfKind>>,
    changed: Notify,
    metrics: Metrics,
}

/// The objects of one kind.
struct OfKind {
    resource: ApiResource,
    present: BTreeMap<Key, Undecodable>,
    /// What a list that has not ended yet has found; it replaces the rest at its end.
    listing: BTreeMap<Key, Undecodable>,
}

impl UndecodableObjects {
    /// None yet; `metrics` counts them.
    pub fn new(metrics: Metrics) -> Self {
        Self(Arc::new(Shared { metrics, ..Shared::default() }))
    }

    /// What can be decoded of a watch. What cannot be decoded any more is gone for those who follow it: `known` finds what
    /// they have of it.
    pub(crate) fn sift<K>(
        self,
        events: impl Stream<Item = Result<Event<Guarded<K>>, watcher::Error>> + Send,
        known: impl Fn(&Key) -> Option<K> + Send,
    ) -> impl Stream<Item = Result<Event<K>, watcher::Error>> + Send
    where
        K: Resource<DynamicType = ()> + Clone + Debug + Send + 'static,
    {
        events.filter_map(move |event| future::ready(event.map(|event| self.sifted(event, &known)).transpose()))
    }

    fn sifted<K>(&self, event: Event<Guarded<K>>, known: &impl Fn(&Key) -> Option<K>) -> Option<Event<K>>
    where
        K: Resource<DynamicType = ()>,
    {
        let mut kinds = self.0.kinds.write();
        let kind = K::kind(&()).into_owned();
        let of_kind = kinds.entry(kind.clone()).or_insert_with(|| OfKind {
            resource: ApiResource::erase::<K>(&()),
            present: BTreeMap::new(),
            listing: BTreeMap::new(),
        });
        let sifted = match event {
            Event::Init => {
                of_kind.listing.clear();
                Some(Event::Init)
            }
            Event::InitApply(Guarded(Ok(object))) => Some(Event::InitApply(object)),
            Event::InitApply(Guarded(Err(found))) => {
                of_kind.log(&kind, &found);
                of_kind.listing.insert(key(&found), *found);
                None
            }
            Event::InitDone => {
                of_kind.present = std::mem::take(&mut of_kind.listing);
                Some(Event::InitDone)
            }
            Event::Apply(Guarded(Ok(object))) => {
                if of_kind.present.remove(&key_of(&object)).is_some() {
                    info!(%kind, object = object.meta().name.as_deref(), "the object can be decoded again");
                }
                Some(Event::Apply(object))
            }
            Event::Apply(Guarded(Err(found))) => {
                of_kind.log(&kind, &found);
                let key = key(&found);
                let before = known(&key);
                of_kind.present.insert(key, *found);
                before.map(Event::Delete)
            }
            Event::Delete(Guarded(Ok(object))) => {
                of_kind.present.remove(&key_of(&object));
                Some(Event::Delete(object))
            }
            Event::Delete(Guarded(Err(found))) => {
                let key = key(&found);
                of_kind.present.remove(&key);
                known(&key).map(Event::Delete)
            }
        };
        self.0.metrics.undecodable(&kind, of_kind.present.len());
        drop(kinds);
        self.0.changed.notify_one();
        sifted
    }

    /// How many of them may be on that worker.
    pub(crate) fn may_be_on(&self, worker: &str, vdc: &str) -> u32 {
        let kinds = self.0.kinds.read();
        let all = kinds.values().flat_map(|kind| kind.present.values());
        all.filter(|object| object.may_be_on(worker, vdc)).map(|_| 1).sum()
    }

    /// Tells each on itself, for as long as it is polled.
    pub(crate) async fn tell(&self, control: &Control) {
        loop {
            for (resource, object) in self.untold() {
                let told = findings(&resource, &object);
                let generation = object.metadata.generation.unwrap_or_default();
                let conditions = with(&object.conditions, &told, generation);
                let patch = json!({
                    "metadata": { "resourceVersion": object.metadata.resource_version },
                    "status": { "conditions": conditions },
                });
                if let Err(failed) = control.merge_status(&resource, &object.metadata, &patch).await {
                    warn!(error = %failed, object = %object.name(), "the object cannot be decoded, and its status does not say so yet");
                }
            }
            // Woken up or not: both look again.
            let _woken = tokio::time::timeout(AGAIN, self.0.changed.notified()).await;
        }
    }

    /// Those whose conditions do not say it.
    fn untold(&self) -> Vec<(ApiResource, Undecodable)> {
        let kinds = self.0.kinds.read();
        let all = kinds.values().flat_map(|kind| kind.present.values().map(|object| (&kind.resource, object)));
        all.filter(|(kind, object)| !says(object, &findings(kind, object)))
            .map(|(kind, object)| (kind.clone(), object.clone()))
            .collect()
    }
}

impl OfKind {
    /// One line for each version of an object.
    fn log(&self, kind: &str, found: &Undecodable) {
        let version = |object: &Undecodable| (object.metadata.uid.clone(), object.metadata.generation);
        if self.present.get(&key(found)).map(version) != Some(version(found)) {
            error!(%kind, object = %found.name(), field = %found.field, why = %found.why, "an object cannot be decoded and is not managed");
        }
    }
}

fn key(object: &Undecodable) -> Key {
    (object.metadata.namespace.clone(), object.metadata.name.clone().unwrap_or_default())
}

fn key_of<K: Resource>(object: &K) -> Key {
    (object.meta().namespace.clone(), object.meta().name.clone().unwrap_or_default())
}

/// What is told on the object: nothing of it is known.
fn findings(kind: &ApiResource, object: &Undecodable) -> Vec<Finding> {
    let told = |type_, status: Status| Finding::new(type_, status, "Undecodable", object.message());
    let is_database = kind.kind != WorkerCluster::kind(&());
    let spec_valid = is_database.then(|| told(types::SPEC_VALID, Status::False));
    [told(types::READY, Status::Unknown)].into_iter().chain(spec_valid).collect()
}

fn says(object: &Undecodable, findings: &[Finding]) -> bool {
    findings.iter().all(|told| {
        object.conditions.iter().any(|condition| {
            condition.type_ == told.type_
                && condition.status == told.status.as_str()
                && condition.reason == told.reason
                && condition.message == told.message
        })
    })
}

/// The present conditions with these over them.
fn with(present: &[Condition], told: &[Finding], generation: i64) -> Vec<Condition> {
    let others =
        present.iter().filter(|condition| !told.iter().any(|told| told.type_ == condition.type_)).cloned();
    let now = Time(Timestamp::now());
    conditions::merge(present, told, generation, &now).into_iter().chain(others).collect()
}

#[cfg(test)]
mod tests {
    use futures::stream;
    use kogge_api::FederatedCluster;
    use serde_json::Value;

    use super::*;

    fn object(name: &str, passwords: i64, generation: i64) -> Guarded<FederatedCluster> {
        let conditions: Value = json!([{
            "type": "Available", "status": "True", "reason": "Serves", "message": "it serves",
            "lastTransitionTime": "2026-01-01T00:00:00Z",
        }]);
        serde_json::from_value(json!({
            "apiVersion": "kogge.dev/v1alpha1", "kind": "FederatedCluster",
            "metadata": {"name": name, "namespace": "databases", "generation": generation},
            "spec": {
                "placement": [{"name": "a", "vdc": "vdc1"}],
                "security": {"rotation": {"passwords": passwords}},
            },
            "status": {"conditions": conditions},
        }))
        .unwrap()
    }

    /// What comes through, and what its followers have of `known`.
    async fn sift(
        objects: &UndecodableObjects,
        events: Vec<Event<Guarded<FederatedCluster>>>,
        known: &[&str],
    ) -> Vec<String> {
        let known = |(_, name): &Key| known.contains(&name.as_str()).then(|| object(name, 0, 1).0.unwrap());
        let sifted = objects.clone().sift(stream::iter(events.into_iter().map(Ok)), known);
        let name = |object: &FederatedCluster| object.metadata.name.clone().unwrap();
        sifted
            .map(|event| match event.unwrap() {
                Event::Init => "begin".to_owned(),
                Event::InitApply(object) => format!("listed {}", name(&object)),
                Event::InitDone => "end".to_owned(),
                Event::Apply(object) => format!("changed {}", name(&object)),
                Event::Delete(object) => format!("gone {}", name(&object)),
            })
            .collect()
            .await
    }

    const LATE: i64 = 1_767_225_600_000;

    #[tokio::test]
    async fn field_20_a_list_with_an_object_that_cannot_be_decoded_comes_to_its_end() {
        let metrics = Metrics::default();
        let objects = UndecodableObjects::new(metrics.clone());
        let list = vec![
            Event::Init,
            Event::InitApply(object("one", 1, 1)),
            Event::InitApply(object("late", LATE, 1)),
            Event::InitDone,
        ];
        assert_eq!(sift(&objects, list, &[]).await, ["begin", "listed one", "end"]);
        assert!(metrics.text().unwrap().contains("kogge_undecodable_objects{kind=\"FederatedCluster\"} 1"));
        let untold = objects.untold();
        assert_eq!(untold.len(), 1);
        let told = findings(&untold[0].0, &untold[0].1);
        let types: Vec<_> = told.iter().map(|found| (found.type_, found.status.as_str())).collect();
        assert_eq!(types, [("Ready", "Unknown"), ("SpecValid", "False")]);
        assert!(told[0].message.contains("spec.security.rotation.passwords"), "{}", told[0].message);
        assert!(!told[0].message.contains("one"), "nothing of the other objects: {}", told[0].message);
        let conditions = with(&untold[0].1.conditions, &told, 1);
        assert_eq!(
            conditions.iter().map(|c| c.type_.as_str()).collect::<Vec<_>>(),
            ["Ready", "SpecValid", "Available"]
        );
        let again = Undecodable { conditions, ..untold[0].1.clone() };
        assert!(says(&again, &told), "it is told once");
    }

    #[tokio::test]
    async fn field_20_what_cannot_be_decoded_any_more_is_gone_for_its_followers_until_it_can() {
        let metrics = Metrics::default();
        let objects = UndecodableObjects::new(metrics.clone());
        let events = vec![Event::Apply(object("one", LATE, 2)), Event::Apply(object("new", LATE, 1))];
        assert_eq!(sift(&objects, events, &["one"]).await, ["gone one"]);
        assert!(metrics.text().unwrap().contains("kogge_undecodable_objects{kind=\"FederatedCluster\"} 2"));
        let events = vec![Event::Apply(object("one", 7, 3)), Event::Delete(object("new", LATE, 1))];
        assert_eq!(sift(&objects, events, &[]).await, ["changed one"]);
        assert!(metrics.text().unwrap().contains("kogge_undecodable_objects{kind=\"FederatedCluster\"} 0"));
        let list = vec![Event::Init, Event::InitApply(object("late", LATE, 1)), Event::InitDone];
        sift(&objects, list, &[]).await;
        sift(&objects, vec![Event::Init, Event::InitDone], &[]).await;
        assert!(objects.untold().is_empty(), "a list replaces what was known");
    }

    #[tokio::test]
    async fn field_21_a_database_that_cannot_be_decoded_is_in_use_wherever_it_may_be() {
        let objects = UndecodableObjects::new(Metrics::default());
        sift(&objects, vec![Event::Apply(object("late", LATE, 1))], &[]).await;
        assert_eq!(objects.may_be_on("worker-1", "vdc1"), 1);
        assert_eq!(objects.may_be_on("worker-2", "vdc2"), 0);
    }
}
