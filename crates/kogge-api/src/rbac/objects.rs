//! The objects that give a ServiceAccount its rights.

use k8s_openapi::api::core::v1::ServiceAccount;
use k8s_openapi::api::rbac::v1::{
    ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding, RoleRef, Subject,
};
use kube_core::ObjectMeta;

use crate::labels::{MANAGED_BY, MANAGER};

/// The operator's ServiceAccount in the control cluster, and the name of the Roles and bindings for it.
pub const OPERATOR: &str = "kogge";
/// The ServiceAccount on a worker that the operator acts as, and the name of the Roles and bindings for it.
/// It has a name of its own, so that neither ever gains the other's rights. A worker belongs to one control cluster.
pub const WORKER: &str = "kogge-worker";

/// A ServiceAccount.
pub fn service_account(name: &str, namespace: &str) -> ServiceAccount {
    ServiceAccount { metadata: meta(name, Some(namespace)), ..ServiceAccount::default() }
}

/// Rights in one namespace.
pub fn role(name: &str, namespace: &str, rules: Vec<PolicyRule>) -> Role {
    Role { metadata: meta(name, Some(namespace)), rules: Some(rules) }
}

/// Gives the Role `name` to the ServiceAccount `name`, which lives in `account_namespace`.
pub fn role_binding(name: &str, namespace: &str, account_namespace: &str) -> RoleBinding {
    RoleBinding {
        metadata: meta(name, Some(namespace)),
        role_ref: role_ref("Role", name),
        subjects: Some(vec![account(name, account_namespace)]),
    }
}

/// Rights that are not bound to a namespace.
pub fn cluster_role(name: &str, rules: Vec<PolicyRule>) -> ClusterRole {
    ClusterRole { metadata: meta(name, None), rules: Some(rules), aggregation_rule: None }
}

/// Gives the ClusterRole `name` to the ServiceAccount `name`, which lives in `account_namespace`.
pub fn cluster_role_binding(name: &str, account_namespace: &str) -> ClusterRoleBinding {
    ClusterRoleBinding {
        metadata: meta(name, None),
        role_ref: role_ref("ClusterRole", name),
        subjects: Some(vec![account(name, account_namespace)]),
    }
}

fn meta(name: &str, namespace: Option<&str>) -> ObjectMeta {
    ObjectMeta {
        name: Some(name.to_owned()),
        namespace: namespace.map(str::to_owned),
        labels: Some([(MANAGED_BY.to_owned(), MANAGER.to_owned())].into()),
        ..ObjectMeta::default()
    }
}

fn role_ref(kind: &str, name: &str) -> RoleRef {
    RoleRef { api_group: "rbac.authorization.k8s.io".to_owned(), kind: kind.to_owned(), name: name.to_owned() }
}

fn account(name: &str, namespace: &str) -> Subject {
    Subject {
        kind: "ServiceAccount".to_owned(),
        name: name.to_owned(),
        namespace: Some(namespace.to_owned()),
        api_group: None,
    }
}
