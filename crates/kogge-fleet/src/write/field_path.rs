//! Paths as server-side apply writes them, such as `.spec.ports[name="client"].port`.
//!
//! The notation (structured-merge-diff, `fieldpath/element.go`) does not quote field names, so a name with
//! dots, such as an annotation's, can be told from a path only against the object itself.

use serde_json::Value;

/// Removes the field from the object; false where the path leads nowhere in it.
pub(super) fn remove(value: &mut Value, path: &str) -> bool {
    match value {
        Value::Object(fields) => {
            let Some(rest) = path.strip_prefix('.') else { return false };
            let mut names: Vec<_> = fields.keys().filter(|name| continues(rest, name)).cloned().collect();
            names.sort_by_key(|name| std::cmp::Reverse(name.len()));
            names.into_iter().any(|name| {
                let rest = &rest[name.len()..];
                if rest.is_empty() {
                    return fields.remove(&name).is_some();
                }
                fields.get_mut(&name).is_some_and(|field| remove(field, rest))
            })
        }
        Value::Array(items) => {
            let Some((selector, rest)) = selector(path) else { return false };
            let Some(index) = position(items, selector) else { return false };
            if rest.is_empty() {
                items.remove(index);
                return true;
            }
            items.get_mut(index).is_some_and(|item| remove(item, rest))
        }
        _ => false,
    }
}

fn continues(rest: &str, name: &str) -> bool {
    rest.strip_prefix(name).is_some_and(|after| after.is_empty() || after.starts_with(['.', '[']))
}

/// Splits `[…]rest`, heeding brackets within quoted strings.
fn selector(path: &str) -> Option<(&str, &str)> {
    let inner = path.strip_prefix('[')?;
    let mut quoted = false;
    let mut escaped = false;
    for (at, c) in inner.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            ']' if !quoted => return Some((&inner[..at], &inner[at + 1..])),
            _ => {}
        }
    }
    None
}

/// The item that a selector names: `=value`, an index, or `key=value` pairs.
fn position(items: &[Value], selector: &str) -> Option<usize> {
    if let Some(value) = selector.strip_prefix('=') {
        let value: Value = serde_json::from_str(value).ok()?;
        return items.iter().position(|item| *item == value);
    }
    if let Ok(index) = selector.parse::<usize>() {
        return (index < items.len()).then_some(index);
    }
    let pairs = pairs(selector)?;
    items.iter().position(|item| {
        // A key that the item leaves to its default (a port's protocol) does not speak against it.
        pairs.iter().all(|(key, value)| item.get(key).is_none_or(|found| found == value))
            && pairs.iter().any(|(key, _)| item.get(key).is_some())
    })
}

fn pairs(selector: &str) -> Option<Vec<(String, Value)>> {
    let mut pairs = Vec::new();
    let mut rest = selector;
    while !rest.is_empty() {
        let (key, after) = rest.split_once('=')?;
        let mut values = serde_json::Deserializer::from_str(after).into_iter::<Value>();
        let value = values.next()?.ok()?;
        pairs.push((key.to_owned(), value));
        rest = after[values.byte_offset()..].trim_start_matches(',');
    }
    Some(pairs)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object() -> Value {
        json!({
            "metadata": {"annotations": {"example.com/a.b": "1", "example.com/a": "2"}, "finalizers": ["x", "y"]},
            "spec": {
                "selector": {"app": "a"},
                "ports": [
                    {"name": "a", "port": 1, "protocol": "TCP"},
                    {"name": "b]", "port": 2},
                ],
            }
        })
    }

    fn without(path: &str) -> Value {
        let mut value = object();
        assert!(remove(&mut value, path), "{path}");
        value
    }

    #[test]
    fn names_with_dots_are_found() {
        let value = without(".metadata.annotations.example.com/a.b");
        assert_eq!(value["metadata"]["annotations"], json!({"example.com/a": "2"}));
        let value = without(".metadata.annotations.example.com/a");
        assert_eq!(value["metadata"]["annotations"], json!({"example.com/a.b": "1"}));
    }

    #[test]
    fn items_are_found_by_key_value_and_index() {
        assert_eq!(
            without(".spec.ports[name=\"a\"].port")["spec"]["ports"][0],
            json!({"name": "a", "protocol": "TCP"})
        );
        assert_eq!(without(".spec.ports[name=\"b]\"]")["spec"]["ports"].as_array().unwrap().len(), 1);
        assert_eq!(without(".spec.ports[port=2,protocol=\"TCP\"]")["spec"]["ports"].as_array().unwrap().len(), 1);
        assert_eq!(without(".metadata.finalizers[=\"x\"]")["metadata"]["finalizers"], json!(["y"]));
        assert_eq!(without(".metadata.finalizers[1]")["metadata"]["finalizers"], json!(["x"]));
    }

    #[test]
    fn a_path_that_leads_nowhere_changes_nothing() {
        for path in
            ["", ".", ".spec.nothing", ".spec.ports[name=\"c\"]", ".spec.ports[", ".spec.selector[0]", "spec"]
        {
            let mut value = object();
            assert!(!remove(&mut value, path), "{path}");
            assert_eq!(value, object(), "{path}");
        }
    }
}
