//! Shapes of the schema extensions that make an API server refuse a bad object with a sentence.

use schemars::{Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};

use crate::limits;

/// A CEL rule with the sentence that names the field and the mend.
pub(crate) fn rule(expression: &str, message: &str) -> Value {
    json!({"rule": expression, "message": message})
}

/// `x-kubernetes-list-map-keys` of a list whose entries are told apart by their name.
pub(crate) fn by(key: &str) -> Value {
    json!([key])
}

/// What a container may have: kinds of resources, and a quantity of each.
pub(crate) fn quantities(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "maxProperties": limits::RESOURCES,
        "additionalProperties": {
            "description": "A quantity, such as 2, 500m or 4Gi.",
            "x-kubernetes-int-or-string": true,
            "maxLength": 32,
        },
        "x-kubernetes-validations": [rule(
            "self.all(name, name.size() >= 1 && name.size() <= 253)",
            "resources: the name of a resource must have 1 to 253 characters, such as cpu or memory",
        )],
    })
}

/// A map of anything, however deep. `additionalProperties` must not stand beside it: the API server would then
/// prune what is nested in it.
pub(crate) fn free_form(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "maxProperties": limits::VALUES,
        "x-kubernetes-preserve-unknown-fields": true,
    })
}
