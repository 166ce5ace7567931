//! Shape: what is computed for every pass and laid over a rendered template.
//!
//! None of it is in a revision, so that to undo a rollout never removes a member or a volume.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use kube_core::DynamicObject;
use serde_json::{Value, json};

/// The shape of one component in one placement.
#[derive(Clone, Debug, PartialEq)]
pub struct Shape {
    /// How many pods the StatefulSet or Deployment has.
    pub replicas: u32,
    /// The volume of each pod; none for pods without state.
    pub storage: Option<Storage>,
    /// Labels for the objects themselves, not for their pods.
    pub labels: BTreeMap<String, String>,
}

/// The volume of a member.
#[derive(Clone, Debug, PartialEq)]
pub struct Storage {
    /// Its size.
    pub size: Quantity,
    /// Its storage class; by default the cluster's own default.
    pub class: Option<String>,
}

/// The objects in that shape. The same objects and shape always give the same result, and to lay a shape
/// over its own result changes nothing.
pub fn overlay(objects: &[DynamicObject], shape: &Shape) -> Vec<DynamicObject> {
    objects
        .iter()
        .cloned()
        .map(|mut object| {
            if !shape.labels.is_empty() {
                object.metadata.labels.get_or_insert_default().extend(shape.labels.clone());
            }
            let kind = object.types.as_ref().map_or("", |types| types.kind.as_str());
            if matches!(kind, "StatefulSet" | "Deployment") {
                put(&mut object.data, &["spec", "replicas"], json!(shape.replicas));
            }
            if let Some(storage) = &shape.storage {
                let claims = object.data.pointer_mut("/spec/volumeClaimTemplates");
                for claim in claims.and_then(Value::as_array_mut).into_iter().flatten() {
                    storage.lay_over(claim);
                }
            }
            object
        })
        .collect()
}

impl Storage {
    fn lay_over(&self, claim: &mut Value) {
        put(claim, &["spec", "resources", "requests", "storage"], json!(self.size));
        if let Some(class) = &self.class {
            put(claim, &["spec", "storageClassName"], json!(class));
        }
    }
}

fn put(value: &mut Value, path: &[&str], leaf: Value) {
    let [first, rest @ ..] = path else {
        *value = leaf;
        return;
    };
    if !value.is_object() {
        *value = json!({});
    }
    if let Value::Object(map) = value {
        put(map.entry(*first).or_insert(Value::Null), rest, leaf);
    }
}
