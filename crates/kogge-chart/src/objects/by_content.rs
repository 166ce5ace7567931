//! Names by content: a ConfigMap or Job is never changed in place.
//!
//! Both get the hash of what they hold as the end of their names, and every reference of the same render to
//! a ConfigMap follows. So a pod that starts again before its turn in a rollout still finds the config that
//! it was made with; the old one is pruned once nothing refers to it. Chart authors write plain names.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::object::RenderedObject;
use crate::revision::short_hash;

const DIGITS: usize = 10;

pub(crate) fn name_by_content(objects: &mut [RenderedObject]) {
    let mut renamed = BTreeMap::new();
    for object in objects.iter_mut().filter(|object| object.kind.kind == "ConfigMap") {
        let content = json!([object.value.get("data"), object.value.get("binaryData")]);
        let name = format!("{}-{}", object.name(), short_hash(&content, DIGITS));
        renamed.insert(object.name().to_owned(), name.clone());
        object.value["metadata"]["name"] = json!(name);
    }
    for object in objects.iter_mut() {
        if let Some(pod) = object.value.pointer_mut("/spec/template/spec") {
            rename_in_pod(pod, &renamed);
        }
    }
    for object in objects.iter_mut().filter(|object| object.kind.kind == "Job") {
        let name = format!("{}-{}", object.name(), short_hash(&object.value["spec"], DIGITS));
        object.value["metadata"]["name"] = json!(name);
    }
}

fn rename_in_pod(pod: &mut Value, renamed: &BTreeMap<String, String>) {
    for volume in items(pod, "/volumes") {
        rename(volume.pointer_mut("/configMap/name"), renamed);
        for source in items(volume, "/projected/sources") {
            rename(source.pointer_mut("/configMap/name"), renamed);
        }
    }
    for containers in ["/initContainers", "/containers"] {
        for container in items(pod, containers) {
            for source in items(container, "/envFrom") {
                rename(source.pointer_mut("/configMapRef/name"), renamed);
            }
            for variable in items(container, "/env") {
                rename(variable.pointer_mut("/valueFrom/configMapKeyRef/name"), renamed);
            }
        }
    }
}

fn items<'a>(value: &'a mut Value, pointer: &str) -> impl Iterator<Item = &'a mut Value> {
    value.pointer_mut(pointer).and_then(Value::as_array_mut).into_iter().flatten()
}

fn rename(reference: Option<&mut Value>, renamed: &BTreeMap<String, String>) {
    if let Some(reference) = reference
        && let Some(name) = reference.as_str().and_then(|name| renamed.get(name))
    {
        *reference = json!(name);
    }
}
