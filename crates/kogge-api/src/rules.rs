//! Shapes of the schema extensions that make an API server refuse a bad object with a sentence.

use schemars::{Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};

/// A CEL rule with the sentence that names the field and the mend.
pub(crate) fn rule(expression: &str, message: &str) -> Value {
    json!({"rule": expression, "message": message})
}

/// `x-kubernetes-list-map-keys` of a list whose entries are told apart by their name.
pub(crate) fn by(key: &str) -> Value {
    json!([key])
}

/// A map of anything, however deep. `additionalProperties` must not stand beside it: the API server would then
/// prune what is nested in it.
pub(crate) fn free_form(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "object", "x-kubernetes-preserve-unknown-fields": true})
}
