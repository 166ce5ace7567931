//! Types: every field that a template renders is one that Kubernetes knows, and of its type.

use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// A field that does not fit its kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    /// Its path, such as `spec.template.spec.containers[0].image`.
    pub(crate) path: String,
    message: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.message)
    }
}

/// Reads a value as a type of Kubernetes' and back again: what is lost on the way is a field that the type
/// does not have.
pub(crate) fn read_as<T: DeserializeOwned + Serialize>(value: &Value) -> Result<(), Fault> {
    let typed: T = serde_path_to_error::deserialize(value)
        .map_err(|error| Fault { path: error.path().to_string(), message: error.inner().to_string() })?;
    let back =
        serde_json::to_value(typed).map_err(|error| Fault { path: String::new(), message: error.to_string() })?;
    lost(value, &back, "").map_or(Ok(()), |path| {
        Err(Fault { path, message: "there is no such field; check its name and its place".to_owned() })
    })
}

/// The first field that is in one value and not in the other.
fn lost(value: &Value, back: &Value, path: &str) -> Option<String> {
    match (value, back) {
        (Value::Object(map), Value::Object(kept)) => map.iter().find_map(|(key, inner)| {
            let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            match kept.get(key) {
                Some(kept) => lost(inner, kept, &path),
                None => (!inner.is_null()).then_some(path),
            }
        }),
        (Value::Array(items), Value::Array(kept)) => items
            .iter()
            .zip(kept)
            .enumerate()
            .find_map(|(index, (inner, kept))| lost(inner, kept, &format!("{path}[{index}]"))),
        _ => None,
    }
}
