//! What the watches of one worker have told, as one map. Pure: events in, touched databases out.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use kogge_api::labels;
use kogge_plan::{Object, ObjectKey, Objects};
use kube::runtime::watcher::Event;

use super::kinds::Slot;

/// Kinds that Kubernetes makes from what Kogge applies.
const MADE_FROM_OURS: [&str; 2] = ["Pod", "PersistentVolumeClaim"];

/// The objects of one worker, and how far each watch is.
///
/// There is no read-your-writes in Kubernetes: a watch lags behind a write that was answered. So the object in
/// a write's answer is put in at once, an event that is older than what is held is dropped (resourceVersions
/// of one object are comparable numbers), and a list that may have been read before the write does not remove
/// what was written: it is read again instead. The other way round an answer may lag behind its watch: the object
/// in it is not put in where a later deletion was told already.
#[derive(Debug, Default)]
pub(crate) struct Store {
    objects: Objects,
    /// The resourceVersion at which an object was last deleted, until it is there again.
    deleted: BTreeMap<ObjectKey, u64>,
    progress: BTreeMap<Slot, Progress>,
}

#[derive(Debug, Default)]
struct Progress {
    /// Whether it has listed everything since the connection stands.
    synced: bool,
    /// What stands in its way now.
    failure: Option<String>,
    /// What the list that is being read has shown.
    listing: Option<Listing>,
}

#[derive(Debug, Default)]
struct Listing {
    seen: BTreeMap<ObjectKey, Arc<Object>>,
    /// What was written since the list was asked for; it may be missing from it.
    written: BTreeSet<ObjectKey>,
}

/// What an event did.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Effect {
    /// The databases whose objects changed.
    pub(crate) touched: BTreeSet<String>,
    /// Whether a watch became whole, or ceased to be.
    pub(crate) health_changed: bool,
    /// Whether the list must be read again, for a write overtook it.
    pub(crate) relist: bool,
}

impl Store {
    /// Begins again with these watches: none has listed anything yet. Objects that they will see are kept, so
    /// that a view does not become empty while it is only being renewed.
    pub(crate) fn begin(&mut self, slots: &BTreeSet<Slot>) {
        self.objects.retain(|key, _| slots.iter().any(|slot| slot.holds(key)));
        self.deleted.clear();
        self.progress = slots.iter().map(|slot| (slot.clone(), Progress::default())).collect();
    }

    /// The objects.
    pub(crate) fn objects(&self) -> &Objects {
        &self.objects
    }

    /// Whether every watch has listed everything, and none is failing.
    pub(crate) fn is_complete(&self) -> bool {
        !self.progress.is_empty() && self.progress.values().all(|p| p.synced && p.failure.is_none())
    }

    /// The first watch that fails, in words, and why.
    pub(crate) fn failure(&self) -> Option<(String, String)> {
        self.progress.iter().find_map(|(slot, p)| Some((slot.name(), p.failure.clone()?)))
    }

    /// A watch failed.
    pub(crate) fn fail(&mut self, slot: &Slot, message: String) -> Effect {
        let Some(progress) = self.progress.get_mut(slot) else { return Effect::default() };
        let health_changed = progress.failure.as_ref() != Some(&message);
        progress.failure = Some(message);
        progress.listing = None;
        Effect { health_changed, ..Effect::default() }
    }

    /// An event of a watch.
    pub(crate) fn observe(&mut self, slot: &Slot, event: Event<Object>) -> Effect {
        let Some(progress) = self.progress.get_mut(slot) else { return Effect::default() };
        let mut effect = Effect::default();
        match event {
            Event::Init => progress.listing = Some(Listing::default()),
            Event::InitApply(object) => {
                if let (Some(listing), Some(key)) = (&mut progress.listing, ObjectKey::of(&object)) {
                    listing.seen.insert(key, Arc::new(object));
                }
            }
            Event::InitDone => {
                let was_whole = progress.synced && progress.failure.is_none();
                let listing = progress.listing.take().unwrap_or_default();
                let overtaken = self.replace(slot, listing, &mut effect.touched);
                if overtaken {
                    effect.relist = true;
                } else if let Some(progress) = self.progress.get_mut(slot) {
                    progress.synced = true;
                    progress.failure = None;
                    effect.health_changed = !was_whole;
                }
            }
            Event::Apply(object) => self.put(object, &mut effect.touched),
            Event::Delete(object) => self.remove(&object, &mut effect.touched),
        }
        effect
    }

    /// An object as the answer to a write shows it.
    pub(crate) fn written(&mut self, object: Object) -> Effect {
        let mut effect = Effect::default();
        let Some(key) = ObjectKey::of(&object) else { return effect };
        if self.deleted.get(&key).is_some_and(|at| version(&object).is_some_and(|v| v <= *at)) {
            return effect;
        }
        let mut watched = false;
        for (slot, progress) in &mut self.progress {
            if slot.holds(&key) {
                watched = true;
                if let Some(listing) = &mut progress.listing {
                    listing.written.insert(key.clone());
                }
            }
        }
        if watched && cluster_id(&object).is_some() {
            self.put(object, &mut effect.touched);
        }
        effect
    }

    /// Takes over a whole list. What it does not show is gone (a relist emits no deletions), unless it was
    /// written while the list was on its way. Returns whether that was so.
    fn replace(&mut self, slot: &Slot, listing: Listing, touched: &mut BTreeSet<String>) -> bool {
        let Listing { seen, written } = listing;
        let held = self.objects.iter().map(|(key, _)| key);
        let missing: Vec<_> = held.filter(|key| slot.holds(key) && !seen.contains_key(*key)).cloned().collect();
        let mut overtaken = false;
        for key in missing {
            if written.contains(&key) {
                overtaken = true;
            } else if let Some(object) = self.objects.remove(&key) {
                touched.extend(wakes(&object).map(str::to_owned));
            }
        }
        for (key, object) in seen {
            let held = self.objects.get(&key);
            let newer_held = written.contains(&key) && held.is_some_and(|held| is_older(&object, held));
            if newer_held || held.is_some_and(|held| same_version(held, &object)) {
                continue;
            }
            touched.extend(held.and_then(|held| wakes(held)).map(str::to_owned));
            touched.extend(wakes(&object).map(str::to_owned));
            self.objects.insert(key, object);
        }
        overtaken
    }

    fn put(&mut self, object: Object, touched: &mut BTreeSet<String>) {
        let Some(key) = ObjectKey::of(&object) else { return };
        let held = self.objects.get(&key);
        if held.is_some_and(|held| is_older(&object, held) || same_version(held, &object)) {
            return;
        }
        touched.extend(held.and_then(|held| wakes(held)).map(str::to_owned));
        touched.extend(wakes(&object).map(str::to_owned));
        self.deleted.remove(&key);
        self.objects.insert(key, Arc::new(object));
    }

    fn remove(&mut self, object: &Object, touched: &mut BTreeSet<String>) {
        let Some(key) = ObjectKey::of(object) else { return };
        if self.objects.get(&key).is_some_and(|held| is_older(object, held)) {
            return;
        }
        if let Some(held) = self.objects.remove(&key) {
            touched.extend(wakes(&held).map(str::to_owned));
        }
        if let Some(at) = version(object) {
            self.deleted.insert(key, at);
        }
    }
}

fn cluster_id(object: &Object) -> Option<&str> {
    object.metadata.labels.as_ref()?.get(labels::CLUSTER_ID).map(String::as_str)
}

/// The database whose pass an object's change calls for: of what Kogge applied, and of the pods and volumes that are made
/// from it. Anybody may put a label on an object and change that as often as they like; it is seen by the next pass.
fn wakes(object: &Object) -> Option<&str> {
    let kind = object.types.as_ref().map(|types| types.kind.as_str()).unwrap_or_default();
    let annotations = object.metadata.annotations.as_ref();
    let is_applied = annotations.is_some_and(|annotations| annotations.contains_key(labels::APPLIED_HASH));
    cluster_id(object).filter(|_| is_applied || MADE_FROM_OURS.contains(&kind))
}

fn version(object: &Object) -> Option<u64> {
    object.metadata.resource_version.as_deref()?.parse().ok()
}

fn is_older(object: &Object, than: &Object) -> bool {
    matches!((version(object), version(than)), (Some(a), Some(b)) if a < b)
}

fn same_version(a: &Object, b: &Object) -> bool {
    a.metadata.uid == b.metadata.uid && version(a).is_some() && version(a) == version(b)
}

#[cfg(test)]
mod tests;
