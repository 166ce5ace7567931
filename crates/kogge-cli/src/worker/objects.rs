//! The objects that a join makes, on the worker and in the control cluster.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::{Namespace, Secret};
use k8s_openapi::api::rbac::v1::PolicyRule;
use kogge_api::labels::{MANAGED_BY, MANAGER};
use kogge_api::rbac::{self, GroupKind, WORKER};
use kogge_api::worker_cluster::{Access, AllowedNamespaces};
use kogge_api::{GROUP, VERSION};
use kube::api::ObjectMeta;
use serde_json::json;

use super::belonging::mark;
use crate::cluster::Manifest;

/// The Secret on the worker that its controller fills with the first token.
pub(super) const TOKEN_SECRET: &str = "kogge-worker-token";
/// The type of such Secrets.
pub(super) const TOKEN_TYPE: &str = "kubernetes.io/service-account-token";
/// The annotation that says whose token it is.
pub(super) const TOKEN_OWNER: &str = "kubernetes.io/service-account.name";
/// The key of the control cluster's Secret that holds the kubeconfig.
pub(super) const KUBECONFIG_KEY: &str = "kubeconfig";

/// What the operator needs on the worker, in the order in which it can be made.
pub(super) fn on_worker(
    system_namespace: &str,
    allowed: &AllowedNamespaces,
    rendered: &BTreeSet<GroupKind>,
    token_secret: &str,
    control_uid: &str,
) -> anyhow::Result<Vec<Manifest>> {
    let namespaces: Vec<&str> = allowed.names.iter().flatten().map(String::as_str).collect();
    let rules = rbac::worker_rules(rendered, Access::PortForward);
    let mut manifests = Vec::new();
    for name in std::iter::once(system_namespace).chain(namespaces.iter().copied()).collect::<BTreeSet<_>>() {
        manifests.push(Manifest::of(&namespace(name))?);
    }
    let mut account = rbac::service_account(WORKER, system_namespace);
    mark(&mut account.metadata, control_uid);
    manifests.push(Manifest::of(&account)?);
    manifests.push(Manifest::of(&self::token_secret(token_secret, system_namespace))?);
    let everywhere: Vec<PolicyRule> = if allowed.all == Some(true) { rules.clone() } else { Vec::new() };
    let cluster_rules = rbac::identity_rules().into_iter().chain(everywhere).collect();
    manifests.push(Manifest::of(&rbac::cluster_role(WORKER, cluster_rules))?);
    let mut binding = rbac::cluster_role_binding(WORKER, system_namespace);
    mark(&mut binding.metadata, control_uid);
    manifests.push(Manifest::of(&binding)?);
    let mut by_namespace: BTreeMap<&str, Vec<PolicyRule>> = BTreeMap::new();
    by_namespace.entry(system_namespace).or_default().extend(rbac::system_rules());
    for name in namespaces {
        by_namespace.entry(name).or_default().extend(rules.clone());
    }
    for (name, rules) in by_namespace {
        manifests.push(Manifest::of(&rbac::role(WORKER, name, rules))?);
        manifests.push(Manifest::of(&rbac::role_binding(WORKER, name, system_namespace))?);
    }
    Ok(manifests)
}

/// The Secret with the kubeconfig, in Kogge's namespace of the control cluster.
pub(super) fn kubeconfig_secret(name: &str, key: &str, system_namespace: &str, kubeconfig: &str) -> Secret {
    Secret {
        metadata: meta(name, Some(system_namespace)),
        type_: Some("Opaque".to_owned()),
        data: Some([(key.to_owned(), ByteString(kubeconfig.as_bytes().to_vec()))].into()),
        ..Secret::default()
    }
}

/// The WorkerCluster, with what was asked for and nothing else: defaults are the API server's to fill in, and
/// what a user changes later stays the user's.
pub(super) fn worker_cluster(
    name: &str,
    vdc: &str,
    allowed: &AllowedNamespaces,
    labels: &BTreeMap<String, String>,
) -> anyhow::Result<Manifest> {
    Manifest::of(&json!({
        "apiVersion": format!("{GROUP}/{VERSION}"),
        "kind": "WorkerCluster",
        "metadata": {"name": name, "labels": labels},
        "spec": {
            "vdc": vdc,
            "kubeconfig": {"secretRef": {"name": name, "key": KUBECONFIG_KEY}},
            "allowedNamespaces": allowed,
        },
    }))
}

fn namespace(name: &str) -> Namespace {
    Namespace {
        metadata: ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() },
        ..Namespace::default()
    }
}

/// A token that does not expire with a pod or an hour: the operator lives in another cluster.
pub(super) fn token_secret(name: &str, system_namespace: &str) -> Secret {
    let mut metadata = meta(name, Some(system_namespace));
    metadata.annotations = Some([(TOKEN_OWNER.to_owned(), WORKER.to_owned())].into());
    Secret { metadata, type_: Some(TOKEN_TYPE.to_owned()), ..Secret::default() }
}

fn meta(name: &str, namespace: Option<&str>) -> ObjectMeta {
    ObjectMeta {
        name: Some(name.to_owned()),
        namespace: namespace.map(str::to_owned),
        labels: Some([(MANAGED_BY.to_owned(), MANAGER.to_owned())].into()),
        ..ObjectMeta::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(allowed: &AllowedNamespaces) -> Vec<String> {
        let rendered = [GroupKind::new("apps", "StatefulSet")].into();
        on_worker("kogge-system", allowed, &rendered, TOKEN_SECRET, "uid-of-control")
            .unwrap()
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    #[test]
    fn listed_namespaces_get_a_role_each() {
        let names = Some(vec!["databases".to_owned(), "more".to_owned()]);
        assert_eq!(
            shown(&AllowedNamespaces { names, all: None }),
            [
                "Namespace databases",
                "Namespace kogge-system",
                "Namespace more",
                "ServiceAccount kogge-system/kogge-worker",
                "Secret kogge-system/kogge-worker-token",
                "ClusterRole kogge-worker",
                "ClusterRoleBinding kogge-worker",
                "Role databases/kogge-worker",
                "RoleBinding databases/kogge-worker",
                "Role kogge-system/kogge-worker",
                "RoleBinding kogge-system/kogge-worker",
                "Role more/kogge-worker",
                "RoleBinding more/kogge-worker",
            ]
        );
    }

    #[test]
    fn field_08_what_a_join_makes_says_for_which_control_cluster() {
        let some = AllowedNamespaces { names: Some(vec!["databases".to_owned()]), all: None };
        let made = on_worker("kogge-system", &some, &BTreeSet::new(), TOKEN_SECRET, "uid-of-control").unwrap();
        for object in ["ServiceAccount kogge-system/kogge-worker", "ClusterRoleBinding kogge-worker"] {
            let manifest = made.iter().find(|manifest| manifest.to_string() == object).unwrap();
            assert!(manifest.to_yaml().unwrap().contains("kogge.dev/control-uid: uid-of-control"), "{object}");
        }
    }

    #[test]
    fn rights_everywhere_stand_in_the_cluster_role() {
        let rendered = [GroupKind::new("apps", "StatefulSet")].into();
        let has_statefulsets = |allowed: &AllowedNamespaces, kind: &str| {
            on_worker("kogge-system", allowed, &rendered, TOKEN_SECRET, "uid-of-control")
                .unwrap()
                .iter()
                .filter(|manifest| manifest.to_string().starts_with(kind))
                .any(|manifest| manifest.to_yaml().unwrap().contains("statefulsets"))
        };
        let all = AllowedNamespaces { names: None, all: Some(true) };
        let some = AllowedNamespaces { names: Some(vec!["databases".to_owned()]), all: None };
        assert!(has_statefulsets(&all, "ClusterRole "));
        assert!(!has_statefulsets(&all, "Role "));
        assert!(!has_statefulsets(&some, "ClusterRole "));
        assert!(has_statefulsets(&some, "Role "));
    }
}
