//! Whether an observed object already has everything that is desired of it. The API server fills in
//! defaults, drops zero values and rewrites quantities; none of that is a difference.

use serde_json::Value;

use crate::quantity;

/// Maps whose values are quantities.
const QUANTITY_MAPS: [&str; 6] = ["requests", "limits", "capacity", "hard", "overhead", "allocatable"];
/// Fields that are quantities.
const QUANTITY_FIELDS: [&str; 3] = ["sizeLimit", "divisor", "storage"];

/// A field: the keys of maps and the indices of lists that lead to it.
pub(crate) type Path = Vec<String>;

/// The fields that are desired and not observed so; none where `observed` covers `desired`.
///
/// Maps may have more keys than desired. Lists have the same length and are compared by index; where their lengths
/// differ, the list as a whole is the difference.
pub(crate) fn differences(desired: &Value, observed: Option<&Value>) -> Vec<Path> {
    let mut found = Vec::new();
    compare(desired, observed, &mut Vec::new(), &mut found);
    found
}

fn compare(desired: &Value, observed: Option<&Value>, path: &mut Path, found: &mut Vec<Path>) {
    let Some(observed) = observed.filter(|value| !value.is_null()) else {
        if !is_dropped(desired) {
            found.push(path.clone());
        }
        return;
    };
    let mut step = |path: &mut Path, name: String, desired: &Value, observed: Option<&Value>| {
        path.push(name);
        compare(desired, observed, path, found);
        path.pop();
    };
    let is_equal = match (desired, observed) {
        (Value::Null, _) => true,
        (Value::Object(desired), Value::Object(observed)) => {
            desired.iter().for_each(|(key, value)| step(path, key.clone(), value, observed.get(key)));
            return;
        }
        (Value::Array(desired), Value::Array(observed)) if desired.len() == observed.len() => {
            let items = desired.iter().zip(observed).enumerate();
            items.for_each(|(index, (desired, observed))| step(path, index.to_string(), desired, Some(observed)));
            return;
        }
        (Value::Number(one), Value::Number(other)) => one == other || one.as_f64() == other.as_f64(),
        _ => desired == observed || (is_quantity(path) && equal_quantities(desired, observed)),
    };
    if !is_equal {
        found.push(path.clone());
    }
}

/// Whether the API server stores a value by leaving it out, as Go's `omitempty` does.
pub(crate) fn is_dropped(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Bool(true) => false,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(map) => map.values().all(is_dropped),
    }
}

fn is_quantity(path: &[String]) -> bool {
    let field = path.last().map(String::as_str).unwrap_or_default();
    let map = path.len().checked_sub(2).map(|index| path[index].as_str()).unwrap_or_default();
    QUANTITY_FIELDS.contains(&field) || QUANTITY_MAPS.contains(&map)
}

fn equal_quantities(one: &Value, other: &Value) -> bool {
    let text = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    matches!((text(one), text(other)), (Some(one), Some(other)) if quantity::equal(&one, &other))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use serde_json::json;

    #[rstest]
    #[case::defaults(json!({"a": 1}), json!({"a": 1, "b": {"c": 2}}))]
    #[case::defaults_in_lists(json!({"l": [{"a": 1}]}), json!({"l": [{"a": 1, "b": 2}]}))]
    #[case::empty(json!({"a": {}, "b": [], "c": null, "d": "", "e": 0, "f": false}), json!({}))]
    #[case::empty_map_and_filled(json!({"emptyDir": {}}), json!({"emptyDir": {"medium": "Memory"}}))]
    #[case::empty_inside(json!({"securityContext": {"x": {}}}), json!({}))]
    #[case::cpu(json!({"limits": {"cpu": "1000m"}}), json!({"limits": {"cpu": "1"}}))]
    #[case::cpu_as_a_number(json!({"limits": {"cpu": 1}}), json!({"limits": {"cpu": "1"}}))]
    #[case::memory(json!({"requests": {"memory": "1024Mi"}}), json!({"requests": {"memory": "1Gi"}}))]
    #[case::size_limit(json!({"emptyDir": {"sizeLimit": "1024Ki"}}), json!({"emptyDir": {"sizeLimit": "1Mi"}}))]
    #[case::numbers(json!({"a": 1.0}), json!({"a": 1}))]
    fn is_covered(#[case] desired: Value, #[case] observed: Value) {
        assert_eq!(differences(&desired, Some(&observed)), Vec::<Path>::new());
    }

    #[rstest]
    #[case::missing(json!({"a": {"b": 1}}), json!({"a": {}}), "a.b")]
    #[case::changed(json!({"a": {"b": 1}}), json!({"a": {"b": 2}}), "a.b")]
    #[case::shorter(json!({"l": [1]}), json!({"l": [1, 2]}), "l")]
    #[case::emptied(json!({"l": []}), json!({"l": [1]}), "l")]
    #[case::order(json!({"l": [1, 2]}), json!({"l": [1, 3]}), "l.1")]
    #[case::deep(json!({"c": [{"e": [{"n": "x", "v": "1"}]}]}), json!({"c": [{"e": [{"n": "x", "v": "2"}]}]}), "c.0.e.0.v")]
    #[case::quantity(json!({"limits": {"cpu": "1000m"}}), json!({"limits": {"cpu": "2"}}), "limits.cpu")]
    #[case::text_that_looks_like_a_quantity(json!({"data": {"x": "1000m"}}), json!({"data": {"x": "1"}}), "data.x")]
    #[case::port_of_another_type(json!({"targetPort": 80}), json!({"targetPort": "80"}), "targetPort")]
    #[case::kind_of_value(json!({"a": {"b": 1}}), json!({"a": [1]}), "a")]
    #[case::flag(json!({"a": true}), json!({}), "a")]
    #[case::zero_against_one(json!({"replicas": 0}), json!({"replicas": 1}), "replicas")]
    fn is_not_covered(#[case] desired: Value, #[case] observed: Value, #[case] path: &str) {
        let found: Vec<String> =
            differences(&desired, Some(&observed)).iter().map(|path| path.join(".")).collect();
        assert_eq!(found, [path]);
    }
}
