//! Objects as they may be shown: what a Secret holds is left out (A12).

use kogge_plan::Object;
use serde_json::Value;

/// What stands in the place of a Secret's content.
const LEFT_OUT: &str = "(left out)";

/// The object as data, a Secret without its content.
pub(super) fn redacted(object: &Object) -> Value {
    let mut object = object.clone();
    if object.types.as_ref().is_none_or(|types| types.kind == "Secret") {
        for field in ["data", "stringData"] {
            match object.data.get_mut(field) {
                Some(Value::Object(entries)) => {
                    entries.values_mut().for_each(|value| *value = LEFT_OUT.into());
                }
                Some(other) => *other = LEFT_OUT.into(),
                None => {}
            }
        }
    }
    serde_json::to_value(&object).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn shown(kind: &str) -> String {
        let object = serde_json::from_value(json!({
            "apiVersion": "v1", "kind": kind, "metadata": { "name": "key" },
            "data": { "keyfile": "aGlkZGVu" }, "stringData": { "password": "hidden" },
        }));
        redacted(&object.unwrap()).to_string()
    }

    #[test]
    fn a12_a_secret_keeps_its_keys_and_loses_its_content() {
        let secret = shown("Secret");
        assert!(!secret.contains("aGlkZGVu") && !secret.contains("hidden"), "{secret}");
        assert!(secret.contains("keyfile") && secret.contains("password"), "{secret}");
        assert!(shown("ConfigMap").contains("aGlkZGVu"));
    }
}
