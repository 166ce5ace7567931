//! What Kogge keeps of each database in its own namespace, by clusterID: watched, so that a pass without news reads
//! nothing.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Arc;

use futures::{Stream, StreamExt as _};
use kogge_api::{ClusterId, labels};
use kube::runtime::watcher::{self, Event};
use kube::{Resource, ResourceExt as _};
use parking_lot::RwLock;
use tokio::sync::watch;

/// The objects of a kind by clusterID and name.
type ByDatabase<K> = BTreeMap<String, BTreeMap<String, Arc<K>>>;

/// The objects of a kind that Kogge keeps, of all databases.
#[derive(Debug)]
pub struct OwnObjects<K> {
    objects: RwLock<ByDatabase<K>>,
    listed: watch::Sender<bool>,
}

impl<K> Default for OwnObjects<K> {
    fn default() -> Self {
        Self { objects: RwLock::default(), listed: watch::Sender::new(false) }
    }
}

impl<K: Resource<DynamicType = ()> + Clone + Debug> OwnObjects<K> {
    /// Follows a watch until it ends.
    pub(crate) async fn follow(&self, events: impl Stream<Item = Result<Event<K>, watcher::Error>>) {
        let mut events = std::pin::pin!(events);
        let mut listing = ByDatabase::new();
        while let Some(event) = events.next().await {
            match event {
                Ok(Event::Init) => listing = ByDatabase::new(),
                Ok(Event::InitApply(object)) => insert(&mut listing, object),
                Ok(Event::InitDone) => {
                    *self.objects.write() = std::mem::take(&mut listing);
                    self.listed.send_replace(true);
                }
                Ok(Event::Apply(object)) => insert(&mut self.objects.write(), object),
                Ok(Event::Delete(object)) => remove(&mut self.objects.write(), &object),
                // The watch is begun again; what was seen holds until then.
                Err(_) => {}
            }
        }
    }

    /// Waits until all were listed once: only then is what is not here not there (A14).
    pub(crate) async fn until_listed(&self) {
        // The sender is a part of this, so it cannot be gone.
        let mut listed = self.listed.subscribe();
        let _listed = listed.wait_for(|listed| *listed).await;
    }

    /// The objects of a database, by name.
    pub(crate) fn of(&self, id: &ClusterId) -> Vec<Arc<K>> {
        let objects = self.objects.read();
        objects.get(id.as_str()).map(|named| named.values().cloned().collect()).unwrap_or_default()
    }

    /// An object of a database.
    pub(crate) fn named(&self, id: &ClusterId, name: &str) -> Option<Arc<K>> {
        self.objects.read().get(id.as_str())?.get(name).cloned()
    }
}

fn insert<K: Resource<DynamicType = ()>>(objects: &mut ByDatabase<K>, object: K) {
    if let Some(id) = object.labels().get(labels::CLUSTER_ID).cloned() {
        objects.entry(id).or_default().insert(object.name_any(), Arc::new(object));
    }
}

fn remove<K: Resource<DynamicType = ()>>(objects: &mut ByDatabase<K>, object: &K) {
    let Some(id) = object.labels().get(labels::CLUSTER_ID) else { return };
    if let Some(named) = objects.get_mut(id) {
        named.remove(&object.name_any());
        if named.is_empty() {
            objects.remove(id);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::stream;
    use k8s_openapi::api::core::v1::ConfigMap;
    use serde_json::json;

    use super::*;

    fn object(id: &str, name: &str) -> ConfigMap {
        let labels = json!({ (labels::CLUSTER_ID): id });
        serde_json::from_value(json!({ "metadata": { "name": name, "labels": labels } })).unwrap()
    }

    fn names(objects: &OwnObjects<ConfigMap>, id: &str) -> Vec<String> {
        objects.of(&id.parse().unwrap()).iter().map(|object| object.name_any()).collect()
    }

    #[tokio::test]
    async fn a_list_that_is_not_complete_replaces_nothing() {
        let objects = OwnObjects::default();
        let (first, second) = (object("aaaaaaaa", "one"), object("aaaaaaaa", "two"));
        let events = [Event::Init, Event::InitApply(first.clone()), Event::InitDone, Event::Apply(second.clone())];
        objects.follow(stream::iter(events.map(Ok))).await;
        objects.until_listed().await;
        assert_eq!(names(&objects, "aaaaaaaa"), ["one", "two"]);
        objects.follow(stream::iter([Event::Init, Event::InitApply(second.clone())].map(Ok))).await;
        assert_eq!(names(&objects, "aaaaaaaa"), ["one", "two"], "a list that broke off");
        objects
            .follow(stream::iter([Event::Init, Event::InitApply(second.clone()), Event::InitDone].map(Ok)))
            .await;
        assert_eq!(names(&objects, "aaaaaaaa"), ["two"]);
        objects.follow(stream::iter([Ok(Event::Delete(second))])).await;
        assert_eq!(names(&objects, "aaaaaaaa"), [""; 0]);
        assert_eq!(names(&objects, "bbbbbbbb"), [""; 0]);
    }
}
