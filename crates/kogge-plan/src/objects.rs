//! The objects of one worker, found by key and by the database that they are labelled with.

use std::sync::Arc;

use kogge_api::ClusterId;
use rpds::RedBlackTreeMapSync;

use crate::object::cluster_id;
use crate::{Object, ObjectKey};

type ByKey = RedBlackTreeMapSync<ObjectKey, Arc<Object>>;

/// Objects by key, and of each database apart, so that looking at one costs nothing for the others.
///
/// A clone shares what it holds with the original: a snapshot of a worker costs the same however much stands on it, and
/// a change afterwards only what has changed.
#[derive(Clone, Debug, Default)]
pub struct Objects {
    all: ByKey,
    /// By the value of the label `kogge.dev/cluster-id`.
    of_databases: RedBlackTreeMapSync<String, ByKey>,
}

impl Objects {
    /// The object of that key.
    pub fn get(&self, key: &ObjectKey) -> Option<&Arc<Object>> {
        self.all.get(key)
    }

    /// Whether there is an object of that key.
    pub fn contains_key(&self, key: &ObjectKey) -> bool {
        self.all.contains_key(key)
    }

    /// All of them, by key.
    pub fn iter(&self) -> impl Iterator<Item = (&ObjectKey, &Arc<Object>)> {
        self.all.iter()
    }

    /// Those that are labelled with a database's clusterID, by key. The label says what they claim, not whose they are.
    pub fn of(&self, id: &ClusterId) -> impl Iterator<Item = (&ObjectKey, &Arc<Object>)> {
        self.of_databases.get(id.as_str()).into_iter().flat_map(ByKey::iter)
    }

    /// Puts an object in the place of the one before it.
    pub fn insert(&mut self, key: ObjectKey, object: Arc<Object>) {
        self.remove(&key);
        if let Some(id) = cluster_id(&object) {
            let mut of_database = self.of_databases.get(id).cloned().unwrap_or_default();
            of_database.insert_mut(key.clone(), Arc::clone(&object));
            self.of_databases.insert_mut(id.to_owned(), of_database);
        }
        self.all.insert_mut(key, object);
    }

    /// Takes out what is not wanted.
    pub fn retain(&mut self, mut wanted: impl FnMut(&ObjectKey, &Object) -> bool) {
        let unwanted = self.all.iter().filter(|(key, object)| !wanted(key, object)).map(|(key, _)| key.clone());
        for key in unwanted.collect::<Vec<_>>() {
            self.remove(&key);
        }
    }

    /// Takes an object out.
    pub fn remove(&mut self, key: &ObjectKey) -> Option<Arc<Object>> {
        let held = self.all.get(key).cloned()?;
        self.all.remove_mut(key);
        if let Some(id) = cluster_id(&held)
            && let Some(mut of_database) = self.of_databases.get(id).cloned()
        {
            of_database.remove_mut(key);
            if of_database.is_empty() {
                self.of_databases.remove_mut(id);
            } else {
                self.of_databases.insert_mut(id.to_owned(), of_database);
            }
        }
        Some(held)
    }
}

impl FromIterator<(ObjectKey, Arc<Object>)> for Objects {
    fn from_iter<T: IntoIterator<Item = (ObjectKey, Arc<Object>)>>(objects: T) -> Self {
        let mut all = Self::default();
        for (key, object) in objects {
            all.insert(key, object);
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use kogge_api::labels;
    use kube_core::{DynamicObject, ObjectMeta};
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    fn key(number: u8) -> ObjectKey {
        ObjectKey::namespaced("v1", "ConfigMap", "databases", &format!("c{number}"))
    }

    fn object(id: Option<u8>) -> Arc<Object> {
        let labels = id.map(|id| [(labels::CLUSTER_ID.to_owned(), name(id))].into());
        let metadata = ObjectMeta { labels, ..ObjectMeta::default() };
        Arc::new(DynamicObject { types: None, metadata, data: Value::Null })
    }

    fn name(id: u8) -> String {
        format!("abcdefg{id}")
    }

    proptest! {
        /// Whatever is put in and taken out, each object is found by its key and by its label, and by no other.
        #[test]
        fn both_ways_lead_to_the_same_objects(
            changes in prop::collection::vec((0..6u8, prop::option::of(prop::option::of(0..3u8))), 0..40),
        ) {
            let (mut objects, mut plain) = (Objects::default(), BTreeMap::new());
            for (number, change) in changes {
                let before = objects.clone();
                let held: Vec<_> = before.iter().map(|(key, _)| key.clone()).collect();
                if let Some(id) = change {
                    objects.insert(key(number), object(id));
                    plain.insert(key(number), id);
                } else {
                    let removed = objects.remove(&key(number)).is_some();
                    prop_assert_eq!(removed, plain.remove(&key(number)).is_some());
                }
                let still: Vec<_> = before.iter().map(|(key, _)| key.clone()).collect();
                prop_assert_eq!(held, still, "a snapshot stays as it was");
            }
            prop_assert!(objects.iter().map(|(key, _)| key).eq(plain.keys()));
            for id in 0..3 {
                let of: Vec<_> = objects.of(&name(id).parse().unwrap()).map(|(key, _)| key.clone()).collect();
                let expected: Vec<_> =
                    plain.iter().filter(|(_, of)| **of == Some(id)).map(|(key, _)| key.clone()).collect();
                prop_assert_eq!(of, expected);
            }
        }
    }
}
