//! Who owns the fields of an object, as an API server records it.

use kogge_api::FIELD_MANAGER;
use kogge_plan::Object;
use serde_json::{Map, Value, json};

/// Kogge applied this: what it gave is its own.
pub(super) fn apply(stored: &mut Object, applied: &Object) {
    stored.metadata.managed_fields = entries(&[(FIELD_MANAGER, "Apply", fields_of(&content(applied)))]);
}

/// Another than Kogge made of `before` what is there now: what it changed or removed is not Kogge's any more.
pub(super) fn update(before: &Object, now: &mut Object) {
    let kogge =
        before.metadata.managed_fields.iter().flatten().find(|e| e.manager.as_deref() == Some(FIELD_MANAGER));
    let Some(mut ours) = kogge.and_then(|entry| entry.fields_v1.as_ref()).map(|fields| fields.0.clone()) else {
        return;
    };
    let mut theirs = json!({});
    take(&mut ours, &mut theirs, &content(before), &content(now));
    let others =
        before.metadata.managed_fields.iter().flatten().filter(|e| e.manager.as_deref() != Some(FIELD_MANAGER));
    let others: Vec<_> = others.cloned().collect();
    let mut changed = entries(&[(FIELD_MANAGER, "Apply", ours), ("kubectl-edit", "Update", theirs)]);
    if let Some(changed) = &mut changed {
        changed.extend(others);
    }
    if content(before) != content(now) {
        now.metadata.managed_fields = changed;
    }
}

fn entries(
    of: &[(&str, &str, Value)],
) -> Option<Vec<k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry>> {
    let entry = |(manager, operation, fields): &(&str, &str, Value)| json!({"manager": manager, "operation": operation, "fieldsV1": fields});
    serde_json::from_value(of.iter().map(entry).collect()).unwrap()
}

/// What is desired of an object; its status is its controller's.
fn content(object: &Object) -> Value {
    let mut content = object.data.clone();
    content.as_object_mut().unwrap().remove("status");
    content["metadata"] = json!({"labels": object.metadata.labels, "annotations": object.metadata.annotations});
    content
}

/// Items with names are told by them; other lists are owned as a whole.
fn fields_of(value: &Value) -> Value {
    let Value::Object(map) = value else { return json!({}) };
    let field = |(name, value): (&String, &Value)| {
        let fields = match value {
            Value::Array(items) if !items.is_empty() && items.iter().all(|item| item["name"].is_string()) => {
                items.iter().map(|item| (key(item), fields_of(item))).collect()
            }
            other => fields_of(other),
        };
        (format!("f:{name}"), fields)
    };
    Value::Object(map.iter().map(field).collect::<Map<_, _>>())
}

fn key(item: &Value) -> String {
    format!("k:{}", json!({"name": item["name"]}))
}

fn child<'v>(value: &'v Value, field: &str) -> Option<&'v Value> {
    match field.strip_prefix("f:") {
        Some(name) => value.get(name),
        None => value.as_array()?.iter().find(|item| key(item) == field),
    }
}

fn take(ours: &mut Value, theirs: &mut Value, before: &Value, now: &Value) {
    ours.as_object_mut().unwrap().retain(|field, below| {
        let Some(after) = child(now, field) else { return false };
        let was = child(before, field).unwrap_or(&Value::Null);
        if *below != json!({}) {
            let mut taken = json!({});
            take(below, &mut taken, was, after);
            if taken != json!({}) {
                theirs[field] = taken;
            }
            return *below != json!({});
        }
        if was != after {
            theirs[field] = json!({});
        }
        was == after
    });
}
