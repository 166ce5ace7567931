//! Revisions: templates named by the hash of their inputs.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::context::RenderInput;

/// The name of a rendered template: 16 hexadecimal digits, a valid label value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Revision(String);

impl Revision {
    /// The revision as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The revision that an input renders to. Equal inputs have equal revisions, whatever the order of keys and
/// whichever operator computes it; replicas and storage are no inputs.
pub fn revision(input: &RenderInput<'_>) -> Revision {
    let inputs = serde_json::json!({
        "chart": input.chart.content_hash,
        "context": input.to_context(),
    });
    Revision(short_hash(&inputs, 16))
}

/// The first `digits` hexadecimal digits of the SHA-256 of a value's canonical JSON.
pub(crate) fn short_hash(value: &Value, digits: usize) -> String {
    let mut text = String::new();
    write_canonical(value, &mut text);
    let mut hash = format!("{:x}", Sha256::digest(text.as_bytes()));
    hash.truncate(digits);
    hash
}

/// JSON with sorted keys: the order in a map depends on how a build was put together.
fn write_canonical(value: &Value, text: &mut String) {
    match value {
        Value::Object(map) => {
            let mut keys: Vec<&String> = map.keys().collect();
            keys.sort();
            text.push('{');
            for key in keys {
                text.push_str(&Value::from(key.as_str()).to_string());
                text.push(':');
                write_canonical(&map[key], text);
                text.push(',');
            }
            text.push('}');
        }
        Value::Array(items) => {
            text.push('[');
            for item in items {
                write_canonical(item, text);
                text.push(',');
            }
            text.push(']');
        }
        scalar => text.push_str(&scalar.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_hash_does_not_depend_on_the_order_of_keys() {
        let one: Value = serde_json::from_str(r#"{"a": [1, {"x": 1, "y": 2}], "b": null}"#).unwrap();
        let other: Value = serde_json::from_str(r#"{"b": null, "a": [1, {"y": 2, "x": 1}]}"#).unwrap();
        assert_eq!(short_hash(&one, 16), short_hash(&other, 16));
        assert_ne!(short_hash(&one, 16), short_hash(&json!({"a": [1], "b": null}), 16));
    }

    #[test]
    fn a_string_and_a_number_hash_apart() {
        assert_ne!(short_hash(&json!("1"), 16), short_hash(&json!(1), 16));
    }
}
