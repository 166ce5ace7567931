//! What Kogge must be allowed to do, cluster by cluster: no more than it does (A11).
//!
//! Every grant says why it is there. `kogge worker join` makes Roles of the workers' grants, `config/rbac/`
//! holds those of the control cluster, `docs/reference/rbac.md` lists all of them, and a worker's probe asks
//! for exactly these.

mod objects;

use std::collections::BTreeSet;

use k8s_openapi::api::rbac::v1::PolicyRule;
use kube_core::{ApiResource, GroupVersionKind};

pub use objects::{OPERATOR, WORKER, cluster_role, cluster_role_binding, role, role_binding, service_account};

use crate::worker_cluster::Access;
use crate::{CHART_KINDS, GROUP};

/// A kind of object, whatever its version.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupKind {
    /// The API group; empty for the core group.
    pub group: String,
    /// The kind, such as `StatefulSet`.
    pub kind: String,
}

impl GroupKind {
    /// A kind of a group.
    pub fn new(group: &str, kind: &str) -> Self {
        Self { group: group.to_owned(), kind: kind.to_owned() }
    }

    /// The kind of an object with that `apiVersion` and `kind`.
    pub fn of(api_version: &str, kind: &str) -> Self {
        Self::new(api_version.split_once('/').map_or("", |(group, _)| group), kind)
    }

    /// Its name in a URL and in a Role: lower case, plural.
    pub fn resource(&self) -> String {
        ApiResource::from_gvk(&GroupVersionKind::gvk(&self.group, "v1", &self.kind)).plural
    }

    fn key(&self) -> Resource {
        (self.group.clone(), self.resource())
    }
}

/// A rule of a Role, and what it is for.
#[derive(Clone, Debug, PartialEq)]
pub struct Grant {
    /// The rule.
    pub rule: PolicyRule,
    /// What Kogge does with it, in words.
    pub why: &'static str,
}

/// The rules alone, as a Role holds them.
pub fn rules(grants: Vec<Grant>) -> Vec<PolicyRule> {
    grants.into_iter().map(|grant| grant.rule).collect()
}

/// Reading one by one, and watching.
const READ: [&str; 3] = ["get", "list", "watch"];
/// Watching, server-side apply, which is a `patch`, and a `create` where the object is not there yet, and
/// deletion of what no chart renders any more (A1).
const OWN: [&str; 6] = ["get", "list", "watch", "create", "patch", "delete"];

/// What Kogge does in a namespace of a worker that holds databases, when the charts render those kinds.
///
/// Every kind that a chart may render is watched, whether or not one does: what an earlier version of a chart rendered
/// must be seen to be pruned.
///
/// There is neither `update` nor `deletecollection`: Kogge writes by server-side apply and deletes single
/// objects whose UID it has seen.
pub fn worker_grants(rendered: &BTreeSet<GroupKind>, access: Access) -> Vec<Grant> {
    let own = [
        grant("", &["configmaps"], &OWN, "The anchor, and the configuration that charts render."),
        grant(
            "",
            &["secrets"],
            &OWN,
            "The keyfile and the certificates of members and routers. They are watched by their metadata only.",
        ),
        grant("", &["services"], &OWN, "The names of members and routers."),
        grant("discovery.k8s.io", &["endpointslices"], &OWN, "The addresses of members in other clusters."),
    ];
    let covered: BTreeSet<Resource> =
        own.iter().flat_map(|g| resources(&g.rule)).chain(pods_and_claims()).collect();
    let rendered: BTreeSet<Resource> =
        rendered.iter().map(GroupKind::key).filter(|key| !covered.contains(key)).collect();
    let watched = CHART_KINDS.map(|chart| GroupKind::new(chart.group, chart.kind).key());
    let unused = watched.iter().filter(|key| !rendered.contains(key) && !covered.contains(key));
    let charts = (rendered.iter().map(|key| on(key, &OWN, "Rendered by a chart.")))
        .chain(unused.map(|key| on(key, &READ, "Watched, though no chart renders it.")))
        .collect::<Vec<_>>();
    let members = [
        grant(
            "",
            &["pods"],
            &["get", "list", "watch", "patch", "delete"],
            "Members as they run; one is deleted when a rollout restarts it, and annotated where its gate waits \
             for the anchor.",
        ),
        grant(
            "",
            &["persistentvolumeclaims"],
            &["get", "list", "watch", "delete"],
            "Members' disks as they are; deleted only after a finished cool-off with `deletion.data: Delete`.",
        ),
        grant(
            "",
            &["events"],
            &["list"],
            "Why the pods of a StatefulSet cannot be created; read only while some are missing.",
        ),
    ];
    let reach = match access {
        // Members that have not joined yet are reached by it either way.
        Access::PortForward | Access::Direct => grant(
            "",
            &["pods/portforward"],
            &["get", "create"],
            "The way to the members. The API server checks `get` for a WebSocket and, from 1.35 on, `create`.",
        ),
    };
    own.into_iter().chain(charts).chain(members).chain([reach]).collect()
}

/// The rules of [`worker_grants`].
pub fn worker_rules(rendered: &BTreeSet<GroupKind>, access: Access) -> Vec<PolicyRule> {
    rules(worker_grants(rendered, access))
}

/// What Kogge does in its own namespace on a worker.
pub fn system_grants() -> Vec<Grant> {
    vec![
        grant("", &["configmaps"], &OWN, "The copies of the anchors, which outlive a database's namespace."),
        grant("", &["secrets"], &OWN, "The copies of the keyfiles, which outlive a database's namespace."),
    ]
}

/// The rules of [`system_grants`].
pub fn system_rules() -> Vec<PolicyRule> {
    rules(system_grants())
}

/// What Kogge reads of a worker as a whole.
pub fn identity_grants() -> Vec<Grant> {
    vec![kube_system(), version()]
}

/// The rules of [`identity_grants`].
pub fn identity_rules() -> Vec<PolicyRule> {
    rules(identity_grants())
}

/// What the operator does anywhere in the control cluster.
pub fn control_grants() -> Vec<Grant> {
    vec![
        grant(
            GROUP,
            &["federatedclusters", "federatedetcds", "workerclusters"],
            &["get", "list", "watch", "patch"],
            "The resources themselves; `clusterID`, the pinned chart version and the finalizer are written into them.",
        ),
        grant(
            GROUP,
            &["federatedclusters/status", "federatedetcds/status", "workerclusters/status"],
            &["patch"],
            "What Kogge saw and waits for.",
        ),
        grant(
            "",
            &["secrets"],
            &["get", "create", "patch", "delete"],
            "The administrator's credentials, beside the database's resource in whatever namespace it is.",
        ),
        grant(
            "events.k8s.io",
            &["events"],
            &["create", "patch"],
            "What happened, on the resource that the user looks at.",
        ),
        grant(
            "",
            &["namespaces"],
            &["get"],
            "The UID of `kube-system`, and whether a database's namespace is being deleted: then its countdown halts.",
        ),
        Grant {
            rule: PolicyRule {
                resource_names: Some(vec![
                    "federatedclusters.kogge.dev".to_owned(),
                    "federatedetcds.kogge.dev".to_owned(),
                ]),
                ..rule("apiextensions.k8s.io", &["customresourcedefinitions"], &["get"])
            },
            why: "Whether a definition is being deleted: then the countdowns of its kind halt.",
        },
        version(),
    ]
}

/// What the operator does in its own namespace of the control cluster.
pub fn control_system_grants() -> Vec<Grant> {
    vec![
        grant(
            "",
            &["secrets"],
            &OWN,
            "The workers' kubeconfigs, which are watched, and the databases' own secrets, which are kept.",
        ),
        grant(
            "",
            &["configmaps"],
            &["get", "list", "create", "patch", "delete"],
            "Tombstones of databases that were deleted on purpose.",
        ),
        grant(
            "apps",
            &["controllerrevisions"],
            &["get", "list", "watch", "create", "delete"],
            "The revisions of templates: made once, watched, kept for every rollout, never changed.",
        ),
        grant(
            "coordination.k8s.io",
            &["leases"],
            &["get", "create", "update"],
            "Leadership: one replica acts (A7).",
        ),
    ]
}

fn kube_system() -> Grant {
    Grant {
        rule: PolicyRule {
            resource_names: Some(vec!["kube-system".to_owned()]),
            ..rule("", &["namespaces"], &["get"])
        },
        why: "The UID of `kube-system` is the identity of the cluster.",
    }
}

fn version() -> Grant {
    Grant {
        rule: PolicyRule {
            non_resource_urls: Some(vec!["/version".to_owned()]),
            verbs: vec!["get".to_owned()],
            ..PolicyRule::default()
        },
        why: "Whether the API server answers, and its version.",
    }
}

/// A group and a resource.
type Resource = (String, String);

fn on((group, resource): &Resource, verbs: &[&str], why: &'static str) -> Grant {
    grant(group, &[resource], verbs, why)
}

fn pods_and_claims() -> [Resource; 2] {
    ["pods", "persistentvolumeclaims"].map(|resource| (String::new(), resource.to_owned()))
}

fn resources(rule: &PolicyRule) -> Vec<Resource> {
    let groups = rule.api_groups.iter().flatten();
    groups.flat_map(|group| rule.resources.iter().flatten().map(|r| (group.clone(), r.clone()))).collect()
}

fn grant(group: &str, resources: &[&str], verbs: &[&str], why: &'static str) -> Grant {
    Grant { rule: rule(group, resources, verbs), why }
}

fn rule(group: &str, resources: &[&str], verbs: &[&str]) -> PolicyRule {
    PolicyRule {
        api_groups: Some(vec![group.to_owned()]),
        resources: Some(owned(resources)),
        verbs: owned(verbs),
        ..PolicyRule::default()
    }
}

fn owned(words: &[&str]) -> Vec<String> {
    words.iter().map(|&word| word.to_owned()).collect()
}

#[cfg(test)]
mod tests;
