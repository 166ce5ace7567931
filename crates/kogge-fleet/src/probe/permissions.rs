//! Which of the verbs that Kogge needs its credentials do not have.
//!
//! Reviews are POSTs, though they store nothing: they are asked once per connection and again only while
//! something is missing, so that a settled system's audit log shows none (A5).

use std::collections::BTreeSet;
use std::fmt;

use futures::{StreamExt as _, TryStreamExt as _, stream};
use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, ResourceRule, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec,
    SelfSubjectRulesReview, SelfSubjectRulesReviewSpec,
};
use k8s_openapi::api::rbac::v1::PolicyRule;
use kogge_api::worker_cluster::AllowedNamespaces;
use kube::api::PostParams;
use kube::{Api, Client};

use super::{ProbeFailure, RequiredRules};

/// Reviews on their way at a time.
const PARALLEL: usize = 4;

/// One verb on one resource, in a namespace or in the cluster as a whole.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Permission {
    namespace: Option<String>,
    group: String,
    resource: String,
    verb: String,
    name: Option<String>,
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { namespace, group, resource, verb, name } = self;
        write!(f, "{verb} {resource}")?;
        if !group.is_empty() {
            write!(f, ".{group}")?;
        }
        if let Some(name) = name {
            write!(f, " {name:?}")?;
        }
        match namespace {
            Some(namespace) => write!(f, " in namespace {namespace}"),
            None => f.write_str(" in the cluster"),
        }
    }
}

/// The permissions that the credentials lack, in order.
pub(crate) async fn missing(
    client: &Client,
    required: &RequiredRules,
    allowed: &AllowedNamespaces,
    system_namespace: &str,
) -> Result<Vec<Permission>, ProbeFailure> {
    let mut lacking = in_cluster(client, permissions(&required.cluster, None)).await?;
    if allowed.all == Some(true) {
        lacking.extend(in_cluster(client, permissions(&required.namespaced, None)).await?);
    }
    for namespace in allowed.names.iter().flatten() {
        lacking.extend(in_namespace(client, namespace, &required.namespaced).await?);
    }
    if !required.system.is_empty() {
        lacking.extend(in_namespace(client, system_namespace, &required.system).await?);
    }
    Ok(lacking.into_iter().collect())
}

fn permissions(rules: &[PolicyRule], namespace: Option<&str>) -> BTreeSet<Permission> {
    let mut permissions = BTreeSet::new();
    for rule in rules {
        let names: Vec<_> = match rule.resource_names.as_deref() {
            None | Some([]) => vec![None],
            Some(names) => names.iter().cloned().map(Some).collect(),
        };
        for group in rule.api_groups.iter().flatten() {
            for resource in rule.resources.iter().flatten() {
                for verb in &rule.verbs {
                    permissions.extend(names.iter().map(|name| Permission {
                        namespace: namespace.map(str::to_owned),
                        group: group.clone(),
                        resource: resource.clone(),
                        verb: verb.clone(),
                        name: name.clone(),
                    }));
                }
            }
        }
    }
    permissions
}

/// One review tells all rules of a namespace; what an authorizer cannot list is asked one by one.
async fn in_namespace(
    client: &Client,
    namespace: &str,
    rules: &[PolicyRule],
) -> Result<BTreeSet<Permission>, ProbeFailure> {
    let review = SelfSubjectRulesReview {
        spec: SelfSubjectRulesReviewSpec { namespace: Some(namespace.to_owned()) },
        ..SelfSubjectRulesReview::default()
    };
    let api: Api<SelfSubjectRulesReview> = Api::all(client.clone());
    let review = api.create(&PostParams::default(), &review).await.map_err(|e| ProbeFailure::of(&e))?;
    let status = review.status.ok_or(ProbeFailure::NotKubernetes)?;
    let mut lacking = permissions(rules, Some(namespace));
    lacking.retain(|permission| !status.resource_rules.iter().any(|rule| covers(rule, permission)));
    if status.incomplete { in_cluster(client, lacking).await } else { Ok(lacking) }
}

/// Asks for each permission by itself.
async fn in_cluster(
    client: &Client,
    permissions: BTreeSet<Permission>,
) -> Result<BTreeSet<Permission>, ProbeFailure> {
    let answers = stream::iter(permissions).map(async |permission| {
        let allowed = is_allowed(client, &permission).await?;
        Ok::<_, ProbeFailure>((!allowed).then_some(permission))
    });
    answers.buffer_unordered(PARALLEL).try_filter_map(async |lacking| Ok(lacking)).try_collect().await
}

async fn is_allowed(client: &Client, permission: &Permission) -> Result<bool, ProbeFailure> {
    let (resource, subresource) = match permission.resource.split_once('/') {
        Some((resource, subresource)) => (resource, Some(subresource.to_owned())),
        None => (permission.resource.as_str(), None),
    };
    let review = SelfSubjectAccessReview {
        spec: SelfSubjectAccessReviewSpec {
            resource_attributes: Some(ResourceAttributes {
                group: Some(permission.group.clone()),
                resource: Some(resource.to_owned()),
                subresource,
                verb: Some(permission.verb.clone()),
                namespace: permission.namespace.clone(),
                name: permission.name.clone(),
                ..ResourceAttributes::default()
            }),
            ..SelfSubjectAccessReviewSpec::default()
        },
        ..SelfSubjectAccessReview::default()
    };
    let api: Api<SelfSubjectAccessReview> = Api::all(client.clone());
    let review = api.create(&PostParams::default(), &review).await.map_err(|e| ProbeFailure::of(&e))?;
    review.status.map(|status| status.allowed).ok_or(ProbeFailure::NotKubernetes)
}

fn covers(rule: &ResourceRule, permission: &Permission) -> bool {
    let has = |list: &[String], item: &str| list.iter().any(|entry| entry == "*" || entry == item);
    let subresource_of_any = permission.resource.split_once('/').map(|(_, sub)| format!("*/{sub}"));
    let resources = rule.resources.as_deref().unwrap_or_default();
    let names = rule.resource_names.as_deref().unwrap_or_default();
    has(&rule.verbs, &permission.verb)
        && has(rule.api_groups.as_deref().unwrap_or_default(), &permission.group)
        && (has(resources, &permission.resource) || subresource_of_any.is_some_and(|any| has(resources, &any)))
        && (names.is_empty() || permission.name.as_ref().is_some_and(|name| names.contains(name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(verbs: &[&str], group: &str, resource: &str, names: &[&str]) -> ResourceRule {
        let owned = |list: &[&str]| list.iter().map(|&item| item.to_owned()).collect::<Vec<_>>();
        ResourceRule {
            verbs: owned(verbs),
            api_groups: Some(owned(&[group])),
            resources: Some(owned(&[resource])),
            resource_names: Some(owned(names)).filter(|names| !names.is_empty()),
        }
    }

    fn wanted(verb: &str, group: &str, resource: &str, name: Option<&str>) -> Permission {
        Permission {
            namespace: Some("databases".to_owned()),
            group: group.to_owned(),
            resource: resource.to_owned(),
            verb: verb.to_owned(),
            name: name.map(str::to_owned),
        }
    }

    #[test]
    fn a_rule_covers_what_it_names_and_no_more() {
        let get_pods = wanted("get", "", "pods", None);
        assert!(covers(&rule(&["get"], "", "pods", &[]), &get_pods));
        assert!(covers(&rule(&["*"], "*", "*", &[]), &get_pods));
        assert!(!covers(&rule(&["list"], "", "pods", &[]), &get_pods));
        assert!(!covers(&rule(&["get"], "apps", "pods", &[]), &get_pods));
        assert!(!covers(&rule(&["get"], "", "pods", &["one"]), &get_pods), "one pod is not all pods");
        assert!(covers(&rule(&["get"], "", "pods", &["one"]), &wanted("get", "", "pods", Some("one"))));
        assert!(covers(
            &rule(&["create"], "", "*/portforward", &[]),
            &wanted("create", "", "pods/portforward", None)
        ));
    }

    #[test]
    fn every_combination_of_a_rule_is_a_permission() {
        let rule = PolicyRule {
            api_groups: Some(vec![String::new(), "apps".to_owned()]),
            resources: Some(vec!["a".to_owned(), "b".to_owned()]),
            verbs: vec!["get".to_owned(), "list".to_owned(), "watch".to_owned()],
            ..PolicyRule::default()
        };
        let all = permissions(&[rule], Some("databases"));
        assert_eq!(all.len(), 12);
        let told: Vec<_> = all.iter().map(ToString::to_string).collect();
        assert!(told.contains(&"watch b.apps in namespace databases".to_owned()), "{told:?}");
    }
}
