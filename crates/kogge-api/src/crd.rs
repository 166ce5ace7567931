//! The custom resource definitions as an API server takes them.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSONSchemaProps, ValidationRule,
};
use kube_core::CustomResourceExt as _;

use crate::{FederatedCluster, FederatedEtcd, WorkerCluster};

/// Every definition of the group, in the order of their kinds.
pub fn all() -> Vec<CustomResourceDefinition> {
    vec![
        identified(named(
            FederatedCluster::crd(),
            24,
            "metadata.name of a FederatedCluster must be 1 to 24 lower-case letters, digits and dashes, a letter \
             first: it becomes part of every member's host name",
        )),
        identified(named(
            FederatedEtcd::crd(),
            24,
            "metadata.name of a FederatedEtcd must be 1 to 24 lower-case letters, digits and dashes, a letter first: \
             it becomes part of every member's host name",
        )),
        named(
            WorkerCluster::crd(),
            63,
            "metadata.name of a WorkerCluster must be 1 to 63 lower-case letters, digits and dashes, a letter first",
        ),
    ]
}

/// Adds the rule that a database keeps its clusterID: whoever replaces the resource by a manifest without it changes
/// nothing by that, for the status has it as well, and it may not come back as another.
fn identified(mut crd: CustomResourceDefinition) -> CustomResourceDefinition {
    let roots =
        crd.spec.versions.iter_mut().filter_map(|version| version.schema.as_mut()?.open_api_v3_schema.as_mut());
    for root in roots {
        root.x_kubernetes_validations.get_or_insert_default().push(ValidationRule {
            rule: "!has(self.status) || !has(self.status.clusterID) || !has(self.spec.clusterID) || \
                   self.spec.clusterID == self.status.clusterID"
                .to_owned(),
            message: Some(
                "spec.clusterID cannot change: leave it out, or write the one in status.clusterID".to_owned(),
            ),
            message_expression: Some(
                "'spec.clusterID cannot change: leave it out, or write ' + self.status.clusterID".to_owned(),
            ),
            ..ValidationRule::default()
        });
    }
    crd
}

/// Adds the rule on the object's own name, which stands at the root of the schema.
fn named(mut crd: CustomResourceDefinition, max: usize, message: &str) -> CustomResourceDefinition {
    for version in &mut crd.spec.versions {
        let schema = version.schema.get_or_insert_default();
        let root = schema.open_api_v3_schema.get_or_insert_with(JSONSchemaProps::default);
        root.x_kubernetes_validations.get_or_insert_default().push(ValidationRule {
            rule: format!(
                "self.metadata.name.size() <= {max} && self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')"
            ),
            message: Some(message.to_owned()),
            ..ValidationRule::default()
        });
    }
    crd
}

#[cfg(test)]
mod tests {
    use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
        JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
    };

    use super::*;

    /// The paths under a schema that hold more than anybody said they may.
    fn unbounded(path: &str, schema: &JSONSchemaProps, found: &mut Vec<String>) {
        let refuse = |bounded: bool, found: &mut Vec<String>| {
            if !bounded {
                found.push(path.to_owned());
            }
        };
        let has_rule = schema.x_kubernetes_validations.as_ref().is_some_and(|rules| !rules.is_empty());
        match schema.type_.as_deref() {
            _ if schema.enum_.is_some() => {}
            Some("boolean") => {}
            Some("integer" | "number") => refuse(schema.minimum.is_some() && schema.maximum.is_some(), found),
            Some("string") => refuse(schema.max_length.is_some(), found),
            Some("array") => {
                refuse(schema.max_items.is_some(), found);
                match &schema.items {
                    Some(JSONSchemaPropsOrArray::Schema(items)) => unbounded(&format!("{path}[]"), items, found),
                    _ => refuse(false, found),
                }
            }
            Some("object") => {
                let is_free = schema.x_kubernetes_preserve_unknown_fields == Some(true);
                match &schema.additional_properties {
                    Some(JSONSchemaPropsOrBool::Schema(values)) => {
                        refuse(schema.max_properties.is_some() && has_rule, found);
                        unbounded(&format!("{path}{{}}"), values, found);
                    }
                    Some(JSONSchemaPropsOrBool::Bool(_)) => refuse(false, found),
                    None => refuse(!is_free || schema.max_properties.is_some(), found),
                }
                for (name, property) in schema.properties.iter().flatten() {
                    unbounded(&format!("{path}.{name}"), property, found);
                }
            }
            None if schema.x_kubernetes_int_or_string == Some(true) => {
                refuse(schema.max_length.is_some() || has_rule, found);
            }
            _ => refuse(false, found),
        }
    }

    fn spec(crd: &CustomResourceDefinition) -> JSONSchemaProps {
        let schema = crd.spec.versions[0].schema.as_ref().and_then(|schema| schema.open_api_v3_schema.as_ref());
        schema.unwrap().properties.as_ref().unwrap()["spec"].clone()
    }

    #[test]
    fn field_20_every_field_of_a_spec_is_bounded() {
        for crd in all() {
            let mut found = Vec::new();
            unbounded("spec", &spec(&crd), &mut found);
            assert!(found.is_empty(), "{}: no bound in the schema of {found:?}", crd.spec.names.kind);
        }
    }

    #[test]
    fn the_walk_finds_what_has_no_bound() {
        let schema: JSONSchemaProps = serde_json::from_value(serde_json::json!({"type": "object", "properties": {
            "number": {"type": "integer", "minimum": 0},
            "text": {"type": "string"},
            "list": {"type": "array", "maxItems": 3, "items": {"type": "string"}},
            "map": {"type": "object", "additionalProperties": {"type": "string", "maxLength": 3}},
            "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
            "either": {"x-kubernetes-int-or-string": true},
            "fine": {"type": "integer", "minimum": 0, "maximum": 9},
        }}))
        .unwrap();
        let mut found = Vec::new();
        unbounded("spec", &schema, &mut found);
        found.sort();
        assert_eq!(found, ["spec.either", "spec.free", "spec.list[]", "spec.map", "spec.number", "spec.text"]);
    }

    /// Whatever number the schema lets through can be decoded.
    #[test]
    fn field_20_the_largest_numbers_are_decoded() {
        let most = serde_json::json!({
            "apiVersion": "kogge.dev/v1alpha1", "kind": "FederatedCluster", "metadata": {"name": "db"},
            "spec": {
                "mongos": {"replicasPerPlacement": 50},
                "shard": {"shardCount": 128, "membersPerPlacement": 7, "resources": {"limits": {"cpu": 9_223_372_036_854_775_807_i64, "memory": 1.5}}},
                "placement": [{"name": "a", "vdc": "a", "priority": 1000}],
                "rollout": {"soak": "24h"},
                "deletion": {"coolOff": "8760h"},
                "security": {"rotation": {
                    "keyfile": crate::limits::ROTATION, "passwords": crate::limits::ROTATION, "grace": "720h",
                }},
            },
        });
        let read: FederatedCluster = serde_json::from_value(most).unwrap();
        assert_eq!(read.spec.security.rotation.keyfile, 2_147_483_647);
    }
}
