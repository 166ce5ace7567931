//! The custom resource definitions as an API server takes them.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSONSchemaProps, ValidationRule,
};
use kube_core::CustomResourceExt as _;

use crate::{FederatedCluster, FederatedEtcd, WorkerCluster};

/// Every definition of the group, in the order of their kinds.
pub fn all() -> Vec<CustomResourceDefinition> {
    vec![
        named(
            FederatedCluster::crd(),
            24,
            "metadata.name of a FederatedCluster must be 1 to 24 lower-case letters, digits and dashes, a letter \
             first: it becomes part of every member's host name",
        ),
        named(
            FederatedEtcd::crd(),
            24,
            "metadata.name of a FederatedEtcd must be 1 to 24 lower-case letters, digits and dashes, a letter first: \
             it becomes part of every member's host name",
        ),
        named(
            WorkerCluster::crd(),
            63,
            "metadata.name of a WorkerCluster must be 1 to 63 lower-case letters, digits and dashes, a letter first",
        ),
    ]
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
