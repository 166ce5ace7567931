//! The objects that give a ServiceAccount its rights.

use k8s_openapi::api::core::v1::ServiceAccount;
use k8s_openapi::api::rbac::v1::{
    ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding, RoleRef, Subject,
};
use kube_core::ObjectMeta;

use crate::labels::{MANAGED_BY, MANAGER};

/// The name of Kogge's ServiceAccount, and of the Roles and bindings that are made for it.
pub const ACCOUNT: &str = "kogge";

/// Kogge's ServiceAccount.
pub fn service_account(namespace: &str) -> ServiceAccount {
    ServiceAccount { metadata: meta(ACCOUNT, Some(namespace)), ..ServiceAccount::default() }
}

/// Rights in one namespace.
pub fn role(name: &str, namespace: &str, rules: Vec<PolicyRule>) -> Role {
    Role { metadata: meta(name, Some(namespace)), rules: Some(rules) }
}

/// Gives the Role of that name to Kogge's ServiceAccount, which lives in `account_namespace`.
pub fn role_binding(name: &str, namespace: &str, account_namespace: &str) -> RoleBinding {
    RoleBinding {
        metadata: meta(name, Some(namespace)),
        role_ref: role_ref("Role", name),
        subjects: Some(vec![account(account_namespace)]),
    }
}

/// Rights in all namespaces.
pub fn cluster_role(name: &str, rules: Vec<PolicyRule>) -> ClusterRole {
    ClusterRole { metadata: meta(name, None), rules: Some(rules), aggregation_rule: None }
}

/// Gives the ClusterRole of that name to Kogge's ServiceAccount, which lives in `account_namespace`.
pub fn cluster_role_binding(name: &str, account_namespace: &str) -> ClusterRoleBinding {
    ClusterRoleBinding {
        metadata: meta(name, None),
        role_ref: role_ref("ClusterRole", name),
        subjects: Some(vec![account(account_namespace)]),
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

fn account(namespace: &str) -> Subject {
    Subject {
        kind: "ServiceAccount".to_owned(),
        name: ACCOUNT.to_owned(),
        namespace: Some(namespace.to_owned()),
        api_group: None,
    }
}
