//! A worker's API server: what it stores, fills in, and refuses.

use std::collections::BTreeMap;
use std::sync::Arc;

use kogge_api::SYSTEM_NAMESPACE;
use kogge_plan::object::cluster_id;
use kogge_plan::{
    Action, ApplyPrecondition, Liveness, Object, ObjectKey, Objects, WorkerName, WorkerView, anchors,
};
use serde_json::{Value, json};

use super::{ANCHOR, NAMESPACE, Record, managed_fields};

/// A worker cluster.
pub(crate) struct Worker {
    pub(crate) name: WorkerName,
    pub(crate) vdc: String,
    pub(crate) uid: String,
    /// Whether it gives Kogge no answer. What runs there goes on.
    pub(crate) silent: bool,
    /// Its machines are off: no pod of it runs.
    pub(crate) off: bool,
    /// Whether not all of it has been listed since the connection stands.
    pub(crate) listing: bool,
    pub(crate) suspended: bool,
    pub(crate) allowed_namespace: String,
    /// Whether the next write is carried out and its answer lost.
    pub(crate) loses_next_answer: bool,
    /// The kind that its admission refuses.
    pub(crate) refuses: Option<&'static str>,
    /// Whether its webhooks can do with a dry run.
    pub(crate) rehearses: bool,
    /// What its API server says to every pod that is to be made.
    pub(crate) refuses_pods: Option<&'static str>,
    /// What its admission makes of an object that is applied.
    pub(crate) alters: fn(&mut Object),
    /// Every pod of these revisions crashes.
    pub(crate) crashing: Vec<String>,
    pub(super) objects: BTreeMap<ObjectKey, Object>,
    pub(super) version: u64,
    pub(super) addresses: u16,
    pub(super) subnet: u8,
    seen: Objects,
    reached: bool,
}

/// What came of a write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Done,
    /// The object is not what was observed.
    Stale,
    /// Nobody knows.
    Lost,
    /// Another's object has the name, or admission refuses it.
    Refused(&'static str),
}

impl Worker {
    pub(super) fn new(vdc: &str, subnet: u8) -> Self {
        Self {
            name: WorkerName(format!("worker-{vdc}")),
            vdc: vdc.to_owned(),
            uid: format!("uid-of-{vdc}"),
            silent: false,
            off: false,
            listing: false,
            suspended: false,
            allowed_namespace: NAMESPACE.to_owned(),
            loses_next_answer: false,
            refuses: None,
            rehearses: true,
            refuses_pods: None,
            alters: |_| {},
            crashing: Vec::new(),
            objects: BTreeMap::new(),
            version: 0,
            addresses: 0,
            subnet,
            seen: Objects::default(),
            reached: false,
        }
    }

    /// Lets Kogge's watches catch up.
    pub(super) fn observe(&mut self) {
        if self.silent {
            return;
        }
        self.reached = true;
        let ours = self.objects.iter().filter(|(key, object)| {
            cluster_id(object).is_some() && !matches!(key.kind.as_str(), "ReplicaSet" | "ControllerRevision")
        });
        // What is in a namespace that is not allowed is not watched.
        let watched = ours.filter(|(key, _)| {
            key.namespace.as_deref().is_some_and(|n| n == self.allowed_namespace || n == SYSTEM_NAMESPACE)
        });
        self.seen = watched.map(|(key, object)| (key.clone(), Arc::new(as_watched(object)))).collect();
    }

    /// The worker as Kogge last saw it.
    pub(super) fn view(&self) -> WorkerView {
        WorkerView {
            vdc: self.vdc.clone(),
            uid: self.reached.then(|| self.uid.clone()),
            cluster_domain: "cluster.local".to_owned(),
            liveness: if self.silent || !self.reached {
                Liveness::Silent {
                    since: None,
                    reason: "Unreachable".to_owned(),
                    message: format!("{} does not answer", self.name),
                }
            } else {
                Liveness::Live
            },
            complete: self.reached && !self.listing,
            suspended: self.suspended,
            objects: if self.listing { Objects::default() } else { self.seen.clone() },
        }
    }

    pub(crate) fn object(&self, kind: &str, name: &str) -> Option<&Object> {
        let found = self.objects.iter().find(|(key, _)| key.kind == kind && key.name == name);
        found.map(|(_, object)| object)
    }

    /// What it remembers of the database.
    pub(super) fn record(&self) -> Record {
        let anchor = self.object("ConfigMap", ANCHOR).map(|object| anchors::read(object).unwrap());
        anchor.map(|anchor| anchor.record).unwrap_or_default()
    }

    /// The objects of a kind, in any namespace.
    pub(crate) fn list(&self, kind: &'static str) -> impl Iterator<Item = &Object> {
        self.objects.iter().filter(move |(key, _)| key.kind == kind).map(|(_, object)| object)
    }

    /// Every object of the database, but for the statuses.
    pub(crate) fn contents(&self) -> BTreeMap<ObjectKey, Value> {
        let contents = |object: &Object| {
            let mut value = serde_json::to_value(object).unwrap();
            value.as_object_mut().unwrap().remove("status");
            value["metadata"].as_object_mut().unwrap().remove("managedFields");
            value
        };
        self.objects.iter().map(|(key, object)| (key.clone(), contents(object))).collect()
    }

    /// Puts an object there as another than Kogge would.
    pub(crate) fn put(&mut self, object: Value) {
        let object: Object = serde_json::from_value(object).unwrap();
        let key = ObjectKey::of(&object).unwrap();
        self.store(key, object);
    }

    /// Changes an object as another than Kogge would.
    pub(crate) fn edit(&mut self, kind: &str, name: &str, change: impl FnOnce(&mut Object)) {
        let before = self.object(kind, name).unwrap().clone();
        let mut object = before.clone();
        change(&mut object);
        managed_fields::update(&before, &mut object);
        self.store(ObjectKey::of(&object).unwrap(), object);
    }

    /// Takes an object away as another than Kogge would.
    pub(crate) fn remove(&mut self, kind: &str, name: &str) {
        self.objects.retain(|key, _| (key.kind.as_str(), key.name.as_str()) != (kind, name));
    }

    /// Carries a write of Kogge's out, as a real worker would.
    pub(super) fn execute(&mut self, action: &Action) -> Answer {
        if self.silent {
            return Answer::Lost;
        }
        let answer = match action {
            Action::Apply { object, precondition, .. } => self.apply(object, precondition),
            Action::Delete { key, uid, resource_version, .. } => {
                self.delete(key, uid, resource_version.as_deref())
            }
        };
        if std::mem::take(&mut self.loses_next_answer) { Answer::Lost } else { answer }
    }

    /// What would come of an apply: the answer to a dry run.
    pub(super) fn rehearse(&self, object: &Object, precondition: &ApplyPrecondition) -> Answer {
        let key = ObjectKey::of(object).unwrap();
        if self.silent {
            return Answer::Lost;
        }
        if self.refuses == Some(key.kind.as_str()) {
            return Answer::Refused("AdmissionRefused");
        }
        let is_same = |found: &Object, uid: &String, version: &String| {
            found.metadata.uid.as_ref() == Some(uid) && found.metadata.resource_version.as_ref() == Some(version)
        };
        match (precondition, self.objects.get(&key)) {
            (ApplyPrecondition::Absent, None) => Answer::Done,
            (ApplyPrecondition::Absent, Some(found)) if cluster_id(found) != cluster_id(object) => {
                Answer::Refused("NameTaken")
            }
            (ApplyPrecondition::Observed { uid, resource_version }, Some(found))
                if is_same(found, uid, resource_version) =>
            {
                Answer::Done
            }
            _ => Answer::Stale,
        }
    }

    fn apply(&mut self, object: &Object, precondition: &ApplyPrecondition) -> Answer {
        let answer = self.rehearse(object, precondition);
        if answer == Answer::Done {
            let key = ObjectKey::of(object).unwrap();
            let merged = if let Some(pod) = self.objects.get(&key).filter(|_| key.kind == "Pod") {
                annotated(pod, object)
            } else {
                let mut merged = object.clone();
                managed_fields::apply(&mut merged, object);
                (self.alters)(&mut merged);
                merged
            };
            self.store(key, merged);
        }
        answer
    }

    fn delete(&mut self, key: &ObjectKey, uid: &str, resource_version: Option<&str>) -> Answer {
        let Some(found) = self.objects.get_mut(key).filter(|found| found.metadata.uid.as_deref() == Some(uid))
        else {
            return Answer::Done;
        };
        if resource_version.is_some() && found.metadata.resource_version.as_deref() != resource_version {
            return Answer::Stale;
        }
        if key.kind == "Pod" {
            // It goes when its grace is over.
            found.metadata.deletion_timestamp =
                Some(serde_json::from_value(json!("2026-01-01T00:00:00Z")).unwrap());
        } else {
            self.objects.remove(key);
        }
        Answer::Done
    }

    /// Stores an object with what the API server adds to it; as another version only where it differs.
    pub(super) fn store(&mut self, key: ObjectKey, mut object: Object) {
        let present = self.objects.get(&key);
        fill_in(&key, &mut object, present);
        if let Some(present) = present {
            assert_unchangeable(&key, present, &object);
            let (before, after) = (&present.metadata, &mut object.metadata);
            after.uid.clone_from(&before.uid);
            after.resource_version.clone_from(&before.resource_version);
            after.generation = before.generation;
            if object.data.get("status").is_none()
                && let Some(status) = present.data.get("status")
            {
                object.data["status"] = status.clone();
            }
            if *present == object {
                return;
            }
            if present.data.get("spec") != object.data.get("spec") {
                object.metadata.generation = object.metadata.generation.map(|generation| generation + 1);
            }
        } else {
            object.metadata.uid = Some(format!("{}-{}-{}", self.vdc, key.name, self.version));
            object.metadata.generation = object.data.get("spec").is_some().then_some(1);
        }
        self.version += 1;
        object.metadata.resource_version = Some(self.version.to_string());
        self.objects.insert(key, object);
    }
}

/// A pod with the annotations that are applied to it; the rest of it is others'.
fn annotated(pod: &Object, applied: &Object) -> Object {
    assert_eq!(applied.data, json!({}), "a pod is its workload's");
    let mut pod = pod.clone();
    let annotations = applied.metadata.annotations.clone().unwrap_or_default();
    pod.metadata.annotations.get_or_insert_default().extend(annotations);
    pod
}

/// An object as Kogge's watches show it: a Secret without its body.
fn as_watched(object: &Object) -> Object {
    let mut object = object.clone();
    kogge_plan::managed_fields::trim(&mut object);
    if object.types.as_ref().is_some_and(|types| types.kind == "Secret") {
        object.data = json!({});
    }
    object
}

/// A few of the defaults that an API server fills in, so that a default is never taken for a difference.
fn fill_in(key: &ObjectKey, object: &mut Object, present: Option<&Object>) {
    let spec = object.data.get_mut("spec").filter(|spec| spec.is_object());
    match (key.kind.as_str(), spec) {
        ("Service", Some(spec)) => {
            default(spec, "type", json!("ClusterIP"));
            default(spec, "sessionAffinity", json!("None"));
            default(spec, "internalTrafficPolicy", json!("Cluster"));
            let address = present.and_then(|service| service.data.pointer("/spec/clusterIP")).cloned();
            default(spec, "clusterIP", address.unwrap_or_else(|| json!("10.96.0.7")));
            for port in spec["ports"].as_array_mut().into_iter().flatten() {
                default(port, "protocol", json!("TCP"));
            }
        }
        ("StatefulSet" | "Deployment", Some(spec)) => {
            default(spec, "revisionHistoryLimit", json!(10));
            let pod = &mut spec["template"]["spec"];
            default(pod, "restartPolicy", json!("Always"));
            default(pod, "dnsPolicy", json!("ClusterFirst"));
            for container in pod["containers"].as_array_mut().into_iter().flatten() {
                default(container, "terminationMessagePath", json!("/dev/termination-log"));
                for port in container["ports"].as_array_mut().into_iter().flatten() {
                    default(port, "protocol", json!("TCP"));
                }
            }
            drop_empty(pod);
            for claim in spec["volumeClaimTemplates"].as_array_mut().into_iter().flatten() {
                default(&mut claim["spec"], "volumeMode", json!("Filesystem"));
                default(claim, "status", json!({"phase": "Pending"}));
            }
            if spec["volumeClaimTemplates"].is_null() {
                spec.as_object_mut().unwrap().remove("volumeClaimTemplates");
            }
        }
        _ => {}
    }
}

fn default(value: &mut Value, field: &str, default: Value) {
    if let Some(fields) = value.as_object_mut() {
        fields.entry(field).or_insert(default);
    }
}

/// Empty maps and lists are not stored, as Go's `omitempty` has it.
fn drop_empty(value: &mut Value) {
    if let Some(fields) = value.as_object_mut() {
        fields.retain(|_, value| !matches!(value, Value::Array(items) if items.is_empty()) && *value != json!(""));
        fields.values_mut().for_each(drop_empty);
    }
}

/// A real API server refuses other values there.
fn assert_unchangeable(key: &ObjectKey, before: &Object, after: &Object) {
    let fields: &[&str] = match key.kind.as_str() {
        "StatefulSet" => &["selector", "serviceName", "podManagementPolicy", "volumeClaimTemplates"],
        "Deployment" => &["selector"],
        _ => &[],
    };
    for field in fields {
        let path = format!("/spec/{field}");
        assert_eq!(before.data.pointer(&path), after.data.pointer(&path), "{key}: {field} cannot change");
    }
    // Kubernetes' own slices follow their Service.
    if key.kind != "EndpointSlice" {
        assert_eq!(cluster_id(before), cluster_id(after), "{key} changed its owner");
    }
}
