//! Short hashes of canonical JSON: equal for equal content, whatever order its keys were written in.

use std::fmt::Write as _;

use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

/// Bytes of the digest that a short hash shows: sixteen hexadecimal digits.
const SHOWN: usize = 8;

/// JSON without blanks and with every map's keys sorted, whatever `serde_json` was built to keep.
pub fn canonical_json(value: &Value) -> String {
    let mut text = String::new();
    write_canonical(value, &mut text);
    text
}

fn write_canonical(value: &Value, out: &mut String) {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_by_key(|(key, _)| *key);
            out.push('{');
            for (index, (key, value)) in entries.into_iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                out.push_str(&Value::from(key.as_str()).to_string());
                out.push(':');
                write_canonical(value, out);
            }
            out.push('}');
        }
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_canonical(item, out);
            }
            out.push(']');
        }
        scalar => out.push_str(&scalar.to_string()),
    }
}

/// The first sixteen hexadecimal digits of the SHA-256 of the canonical JSON.
pub fn short_hash(value: &Value) -> String {
    let digest = Sha256::digest(canonical_json(value).as_bytes());
    digest.iter().take(SHOWN).fold(String::with_capacity(2 * SHOWN), |mut hex, byte| {
        // Writing to a String cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// The short hash of anything that serialises.
pub fn short_hash_of(value: &impl Serialize) -> Result<String, serde_json::Error> {
    Ok(short_hash(&serde_json::to_value(value)?))
}

/// The hash of a spec that an epoch stands for. The clusterID is left out: Kogge fills it in by itself, and
/// that is no change by the user.
pub fn spec_hash(spec: &impl Serialize) -> Result<String, serde_json::Error> {
    let mut value = serde_json::to_value(spec)?;
    if let Some(map) = value.as_object_mut() {
        map.remove("clusterID");
    }
    Ok(short_hash(&value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_order_of_keys_carries_no_meaning_and_that_of_lists_does() {
        let one: Value = serde_json::from_str(r#"{"b":{"y":1,"x":[1,2]},"a":"é\n"}"#).unwrap();
        let two: Value = serde_json::from_str(r#"{"a":"é\n","b":{"x":[1,2],"y":1}}"#).unwrap();
        assert_eq!(canonical_json(&one), "{\"a\":\"é\\n\",\"b\":{\"x\":[1,2],\"y\":1}}");
        assert_eq!(short_hash(&one), short_hash(&two));
        assert_ne!(short_hash(&json!([1, 2])), short_hash(&json!([2, 1])));
        assert_eq!(short_hash(&json!({})), "44136fa355b3678a", "as `printf {{}} | sha256sum` has it");
    }
}
