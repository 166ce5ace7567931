//! Objects of which one that cannot be decoded costs that one alone.
//!
//! A list or a watch fails as a whole where one object of it does. [`Guarded`] takes each object as text first, which no
//! depth and no number can fail, and decodes it from there; of one that cannot be decoded it keeps what must be told.
//! (`kube`'s own `DeserializeGuard` reads the object before it decodes it, and so fails with the whole list where values
//! are nested too deep.)

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, ObjectMeta};
use kube_core::Resource;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

/// The longest path and the longest description of what is wrong, in bytes: they may quote the object.
const LONGEST: usize = 300;

/// An object, or what is known of one that cannot be decoded.
#[derive(Clone, Debug)]
pub struct Guarded<K>(pub Result<K, Box<Undecodable>>);

/// An object that cannot be decoded.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Undecodable {
    /// Its metadata.
    pub metadata: ObjectMeta,
    /// The field that cannot be decoded, such as `spec.security.rotation.passwords`.
    pub field: String,
    /// Why.
    pub why: String,
    /// Where its pods may be; none where not even that can be read.
    pub placed: Option<Placed>,
    /// The conditions that its status has.
    pub conditions: Vec<Condition>,
}

/// Where pods of an object may be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Placed {
    /// WorkerClusters that its spec or its status names.
    pub workers: BTreeSet<String>,
    /// Data centres that its spec names.
    pub vdcs: BTreeSet<String>,
}

impl Undecodable {
    /// `namespace/name`; the name alone where the kind has no namespaces.
    pub fn name(&self) -> String {
        let name = self.metadata.name.as_deref().unwrap_or_default();
        self.metadata
            .namespace
            .as_deref()
            .map_or_else(|| name.to_owned(), |namespace| format!("{namespace}/{name}"))
    }

    /// What is wrong and what to do, in one sentence or two.
    pub fn message(&self) -> String {
        format!(
            "{} cannot be decoded: {}. Kogge does not manage this object until the field is corrected; what runs goes on",
            self.field, self.why
        )
    }

    /// Whether a part of it may be on that worker. What cannot be read counts as there.
    pub fn may_be_on(&self, worker: &str, vdc: &str) -> bool {
        self.placed.as_ref().is_none_or(|placed| placed.workers.contains(worker) || placed.vdcs.contains(vdc))
    }

    fn of(text: &str, path: &str, why: &serde_json::Error) -> Result<Self, serde_json::Error> {
        let placed = serde_json::from_str::<Whereabouts>(text).ok().map(Placed::from);
        let conditions = serde_json::from_str::<Told>(text).ok().and_then(|told| told.status);
        Ok(Self {
            metadata: serde_json::from_str::<Named>(text)?.metadata,
            field: cut(path),
            why: cut(&why.to_string()),
            placed,
            conditions: conditions.map(|status| status.conditions).unwrap_or_default(),
        })
    }
}

impl<'de, K: DeserializeOwned> Deserialize<'de> for Guarded<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        let mut reader = serde_json::Deserializer::from_str(raw.get());
        match serde_path_to_error::deserialize(&mut reader) {
            Ok(object) => Ok(Self(Ok(object))),
            Err(error) => {
                let path = error.path().to_string();
                let found = Undecodable::of(raw.get(), &path, error.inner()).map_err(serde::de::Error::custom)?;
                Ok(Self(Err(Box::new(found))))
            }
        }
    }
}

impl<K: Resource> Resource for Guarded<K> {
    type DynamicType = K::DynamicType;
    type Scope = K::Scope;

    fn kind(dynamic: &Self::DynamicType) -> Cow<'_, str> {
        K::kind(dynamic)
    }

    fn group(dynamic: &Self::DynamicType) -> Cow<'_, str> {
        K::group(dynamic)
    }

    fn version(dynamic: &Self::DynamicType) -> Cow<'_, str> {
        K::version(dynamic)
    }

    fn plural(dynamic: &Self::DynamicType) -> Cow<'_, str> {
        K::plural(dynamic)
    }

    fn meta(&self) -> &ObjectMeta {
        self.0.as_ref().map_or_else(|undecodable| &undecodable.metadata, K::meta)
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        self.0.as_mut().map_or_else(|undecodable| &mut undecodable.metadata, K::meta_mut)
    }
}

/// The objects of a list that can be decoded, and what is known of the others.
pub fn sorted<K>(objects: impl IntoIterator<Item = Guarded<K>>) -> (Vec<K>, Vec<Undecodable>) {
    let mut sorted = (Vec::new(), Vec::new());
    for Guarded(object) in objects {
        match object {
            Ok(object) => sorted.0.push(object),
            Err(undecodable) => sorted.1.push(*undecodable),
        }
    }
    sorted
}

fn cut(text: &str) -> String {
    text[..text.floor_char_boundary(LONGEST)].to_owned()
}

#[derive(Deserialize)]
struct Named {
    metadata: ObjectMeta,
}

#[derive(Deserialize)]
struct Told {
    #[serde(default)]
    status: Option<ToldStatus>,
}

#[derive(Deserialize)]
struct ToldStatus {
    #[serde(default)]
    conditions: Vec<Condition>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Whereabouts {
    spec: Option<SpecWhereabouts>,
    status: Option<StatusWhereabouts>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct SpecWhereabouts {
    placement: Option<Vec<PlacementWhereabouts>>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct PlacementWhereabouts {
    vdc: Option<String>,
    worker_cluster: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct StatusWhereabouts {
    placement: Option<BTreeMap<String, WorkerWhereabouts>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct WorkerWhereabouts {
    worker: Option<String>,
}

impl From<Whereabouts> for Placed {
    fn from(found: Whereabouts) -> Self {
        let named = found.spec.and_then(|spec| spec.placement).unwrap_or_default();
        let told = found.status.and_then(|status| status.placement).unwrap_or_default();
        let mut placed = Self::default();
        for placement in named {
            placed.vdcs.extend(placement.vdc);
            placed.workers.extend(placement.worker_cluster);
        }
        placed.workers.extend(told.into_values().filter_map(|placement| placement.worker));
        placed
    }
}

#[cfg(test)]
mod tests {
    use kube_core::{ObjectList, WatchEvent};
    use serde_json::{Value, json};

    use super::*;
    use crate::{FederatedCluster, WorkerCluster};

    fn cluster(name: &str, over: &Value) -> Value {
        let mut object = json!({
            "apiVersion": "kogge.dev/v1alpha1",
            "kind": "FederatedCluster",
            "metadata": {"name": name, "namespace": "databases", "resourceVersion": "7"},
            "spec": {"placement": [{"name": "a", "vdc": "vdc1"}, {"name": "b", "vdc": "vdc2", "workerCluster": "w2"}]},
            "status": {"placement": {"c": {"worker": "w3", "ready": 0, "size": 0, "status": "Ready"}}},
        });
        json_patch::merge(&mut object, over);
        object
    }

    fn list(items: &[Value]) -> (Vec<FederatedCluster>, Vec<Undecodable>) {
        let text = json!({"kind": "FederatedClusterList", "apiVersion": "kogge.dev/v1alpha1", "metadata": {}, "items": items});
        let list: ObjectList<Guarded<FederatedCluster>> = serde_json::from_str(&text.to_string()).unwrap();
        sorted(list.items)
    }

    #[test]
    fn field_20_an_object_that_cannot_be_decoded_costs_itself_alone() {
        let late =
            cluster("late", &json!({"spec": {"security": {"rotation": {"passwords": 1_767_225_600_000_u64}}}}));
        let (decoded, undecodable) = list(&[cluster("one", &json!({})), late.clone(), cluster("two", &json!({}))]);
        assert_eq!(decoded.iter().filter_map(|c| c.metadata.name.as_deref()).collect::<Vec<_>>(), ["one", "two"]);
        let [late_one] = undecodable.as_slice() else { panic!("{undecodable:?}") };
        assert_eq!(
            (late_one.name().as_str(), late_one.field.as_str()),
            ("databases/late", "spec.security.rotation.passwords")
        );
        assert!(late_one.why.contains("1767225600000") && late_one.why.len() <= LONGEST, "{}", late_one.why);

        let event = format!("{{\"type\":\"MODIFIED\",\"object\":{late}}}");
        let event: WatchEvent<Guarded<FederatedCluster>> = serde_json::from_str(&event).unwrap();
        let WatchEvent::Modified(Guarded(Err(found))) = event else { panic!("{event:?}") };
        assert_eq!(*found, *late_one);
    }

    /// Values may be nested as deep as the API server stores them, and no reader of JSON follows that deep.
    #[test]
    fn field_20_neither_do_values_without_end() {
        let deep = format!("{}1{}", "{\"a\":".repeat(5000), "}".repeat(5000));
        let object = cluster("deep", &json!({"spec": {"values": "DEEP"}})).to_string().replace("\"DEEP\"", &deep);
        let text = format!("{{\"metadata\":{{}},\"items\":[{object}]}}");
        let list: ObjectList<Guarded<FederatedCluster>> = serde_json::from_str(&text).unwrap();
        let (_, undecodable) = sorted(list.items);
        assert!(undecodable[0].field.starts_with("spec.values"), "{}", undecodable[0].field);
        assert!(undecodable[0].field.len() <= LONGEST, "{} bytes", undecodable[0].field.len());
        assert!(undecodable[0].may_be_on("w2", "other"));
    }

    #[test]
    fn field_21_where_it_may_be_is_read_from_its_text_and_what_cannot_be_read_counts_as_there() {
        let one = |over: Value| list(&[cluster("db", &over)]).1.remove(0);
        let wrong = json!({"spec": {"security": {"rotation": {"passwords": -1}}}});
        let found = one(wrong.clone());
        for (worker, vdc, there) in
            [("w1", "vdc1", true), ("w2", "vdc9", true), ("w3", "vdc9", true), ("w4", "vdc9", false)]
        {
            assert_eq!(found.may_be_on(worker, vdc), there, "{worker} {vdc}");
        }
        let unreadable = one(json!({"spec": {"placement": "everywhere"}}));
        assert!(unreadable.may_be_on("w4", "vdc9"));
    }

    #[test]
    fn an_object_that_can_be_decoded_is_as_it_was() {
        let (decoded, undecodable) = list(&[cluster("one", &json!({}))]);
        let plain: FederatedCluster = serde_json::from_value(cluster("one", &json!({}))).unwrap();
        assert_eq!((decoded, undecodable), (vec![plain], Vec::new()));
        let worker: Guarded<WorkerCluster> =
            serde_json::from_value(json!({"metadata": {"name": "w"}, "spec": {"vdc": 7}})).unwrap();
        let found = worker.0.unwrap_err();
        assert_eq!((found.name().as_str(), found.field.as_str()), ("w", "spec.vdc"));
        assert!(!found.may_be_on("w", "v"), "a WorkerCluster is placed nowhere");
    }
}
