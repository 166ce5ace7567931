//! Who wrote an object's fields, read from its `managedFields`.
//!
//! A manager whose field another one changes, or removes, loses it. What admission changes while a manager applies stays
//! that manager's, for the API server settles who owns what before it asks admission. So a field that is not as Kogge
//! applied it and is Kogge's all the same was changed at admission, and would be again.

use kogge_api::{FIELD_MANAGER, labels};
use serde_json::{Map, Value};

use crate::Object;
use crate::cover::is_dropped;

/// Keeps of an object's managed fields what a comparison reads: of objects that Kogge applies, without their statuses.
pub fn trim(object: &mut Object) {
    let is_pod = object.types.as_ref().is_some_and(|types| types.kind == "Pod");
    let annotations = object.metadata.annotations.as_ref();
    let is_applied = annotations.is_some_and(|annotations| annotations.contains_key(labels::APPLIED_HASH));
    let Some(entries) = object.metadata.managed_fields.take().filter(|_| is_applied && !is_pod) else { return };
    let kept = entries.into_iter().filter(|entry| entry.subresource.as_deref() != Some("status")).collect();
    object.metadata.managed_fields = Some(kept);
}

/// The managers of an object's fields.
pub(crate) struct Managers<'a> {
    ours: Vec<&'a Value>,
    others: Vec<(String, &'a Value)>,
}

impl<'a> Managers<'a> {
    /// None where the object does not tell.
    pub(crate) fn of(object: &'a Object) -> Option<Self> {
        let mut managers = Self { ours: Vec::new(), others: Vec::new() };
        for entry in object.metadata.managed_fields.as_ref()? {
            let fields = entry.fields_v1.as_ref().map(|fields| &fields.0);
            let Some(fields) = fields.filter(|fields| fields.as_object().is_some_and(|map| !map.is_empty()))
            else {
                continue;
            };
            let manager = entry.manager.as_deref().unwrap_or_default();
            let applies = entry.operation.as_deref() == Some("Apply");
            match entry.subresource.as_deref().filter(|subresource| !subresource.is_empty()) {
                None if applies && manager == FIELD_MANAGER => managers.ours.push(fields),
                None => managers.others.push((manager.to_owned(), fields)),
                Some(subresource) => managers.others.push((format!("{manager} ({subresource})"), fields)),
            }
        }
        Some(managers)
    }

    /// Whether all that is desired at a path is still Kogge's, as it was when Kogge applied it.
    pub(crate) fn are_we(&self, desired: &Value, path: &[String]) -> bool {
        self.ours.iter().any(|fields| {
            let Some(desired_there) = value_at(desired, path) else { return false };
            fields_at(fields, desired, path).is_some_and(|fields| covers(fields, desired_there))
        })
    }

    /// Another manager that has written at a path, or below it.
    pub(crate) fn other(&self, desired: &Value, path: &[String]) -> Option<&str> {
        let mut others = self.others.iter();
        let found = others.find(|(_, fields)| fields_at(fields, desired, path).is_some());
        found.map(|(manager, _)| manager.as_str())
    }
}

fn value_at<'v>(value: &'v Value, path: &[String]) -> Option<&'v Value> {
    path.iter().try_fold(value, |value, step| match value {
        Value::Array(items) => items.get(step.parse::<usize>().ok()?),
        other => other.get(step),
    })
}

/// The fields that a manager has at a path; those above it, where it has all that is below them.
fn fields_at<'f>(fields: &'f Value, value: &Value, path: &[String]) -> Option<&'f Value> {
    let map = fields.as_object()?;
    let Some((step, rest)) = path.split_first() else { return Some(fields) };
    if map.is_empty() {
        return Some(fields);
    }
    if let Value::Array(items) = value {
        let item = items.get(step.parse::<usize>().ok()?)?;
        fields_at(fields_of_item(map, item)?, item, rest)
    } else {
        let below = value.get(step).unwrap_or(&Value::Null);
        fields_at(map.get(&format!("f:{step}"))?, below, rest)
    }
}

/// Whether fields comprise a value. A leaf has all that is below it.
fn covers(fields: &Value, value: &Value) -> bool {
    let Some(map) = fields.as_object() else { return false };
    match value {
        _ if map.is_empty() => true,
        Value::Object(value) => value
            .iter()
            .filter(|(_, value)| !is_dropped(value))
            .all(|(key, value)| map.get(&format!("f:{key}")).is_some_and(|fields| covers(fields, value))),
        Value::Array(items) => {
            items.iter().all(|item| fields_of_item(map, item).is_some_and(|fields| covers(fields, item)))
        }
        _ => true,
    }
}

/// The fields of a list's item, which is told by its keys (`k:{"name":"server"}`) or by its value (`v:"x"`).
fn fields_of_item<'f>(fields: &'f Map<String, Value>, item: &Value) -> Option<&'f Value> {
    let parsed = |text: &str| serde_json::from_str::<Value>(text).ok();
    let is_it = |name: &str| match (name.strip_prefix("k:"), name.strip_prefix("v:")) {
        (Some(keys), _) => parsed(keys).is_some_and(|keys| {
            // A key that was not given was defaulted, such as a port's protocol.
            let mut keys = keys.as_object().into_iter().flatten();
            keys.all(|(key, value)| item.get(key).is_none_or(|given| given == value))
        }),
        (None, Some(value)) => parsed(value).is_some_and(|value| value == *item),
        (None, None) => false,
    };
    fields.iter().find(|(name, _)| is_it(name)).map(|(_, fields)| fields)
}
