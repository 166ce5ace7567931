//! The kinds of objects that a chart may put on a worker.

use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{ConfigMap, Service, ServiceAccount};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use serde_json::Value;

use crate::typed::{self, Fault};

/// A kind of object that a chart may put on a worker. Rights on workers are generated from these.
#[derive(Clone, Copy, Debug)]
pub struct WorkerKind {
    /// The API group; empty for the core group.
    pub group: &'static str,
    /// The group and version, such as `apps/v1`.
    pub api_version: &'static str,
    /// The kind, such as `StatefulSet`.
    pub kind: &'static str,
    /// The resource in paths and rules, such as `statefulsets`.
    pub plural: &'static str,
    check: fn(&Value) -> Result<(), Fault>,
}

impl PartialEq for WorkerKind {
    fn eq(&self, other: &Self) -> bool {
        (self.api_version, self.kind) == (other.api_version, other.kind)
    }
}

impl WorkerKind {
    /// Every kind of [`kogge_api::CHART_KINDS`], with its type.
    pub const ALL: &'static [Self] = &[
        Self::new("apps", "apps/v1", "Deployment", "deployments", typed::read_as::<Deployment>),
        Self::new("apps", "apps/v1", "StatefulSet", "statefulsets", typed::read_as::<StatefulSet>),
        Self::new("batch", "batch/v1", "Job", "jobs", typed::read_as::<Job>),
        Self::new("", "v1", "ConfigMap", "configmaps", typed::read_as::<ConfigMap>),
        Self::new("", "v1", "Service", "services", typed::read_as::<Service>),
        Self::new("", "v1", "ServiceAccount", "serviceaccounts", typed::read_as::<ServiceAccount>),
        Self::new(
            "networking.k8s.io",
            "networking.k8s.io/v1",
            "NetworkPolicy",
            "networkpolicies",
            typed::read_as::<NetworkPolicy>,
        ),
        Self::new(
            "policy",
            "policy/v1",
            "PodDisruptionBudget",
            "poddisruptionbudgets",
            typed::read_as::<PodDisruptionBudget>,
        ),
    ];

    const fn new(
        group: &'static str,
        api_version: &'static str,
        kind: &'static str,
        plural: &'static str,
        check: fn(&Value) -> Result<(), Fault>,
    ) -> Self {
        Self { group, api_version, kind, plural, check }
    }
}

/// Whether every field of an object is one that its kind has, and of its type.
pub(crate) fn check(kind: &WorkerKind, value: &Value) -> Result<(), Fault> {
    (kind.check)(value)
}

/// The kinds that a template can render, by the lines that name them; all, where such a line is computed.
pub(crate) fn named_in(template: &str) -> impl Iterator<Item = &'static WorkerKind> {
    let named: Vec<&str> = template
        .lines()
        .filter_map(|line| line.strip_prefix("kind:"))
        .map(|kind| kind.split(" #").next().unwrap_or(kind).trim().trim_matches(['"', '\'']))
        .collect();
    let computed = named.iter().any(|kind| kind.contains("{{"));
    WorkerKind::ALL.iter().filter(move |known| computed || named.contains(&known.kind))
}

/// The kind of an object.
pub(crate) fn of(object: &Value) -> Option<&'static WorkerKind> {
    WorkerKind::ALL.iter().find(|known| object["apiVersion"] == known.api_version && object["kind"] == known.kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(template: &str) -> Vec<&'static str> {
        named_in(template).map(|known| known.kind).collect()
    }

    #[test]
    fn kinds_are_read_from_the_lines_that_name_them() {
        let template = "apiVersion: v1\nkind: Service # names\nspec:\n  kind: Job\n---\nkind: \"StatefulSet\"\n";
        assert_eq!(named(template), ["StatefulSet", "Service"]);
    }

    #[test]
    fn field_28_what_may_be_rendered_is_what_is_watched() {
        let rendered: Vec<_> =
            WorkerKind::ALL.iter().map(|k| (k.group, k.api_version.to_owned(), k.kind, k.plural)).collect();
        let watched = kogge_api::CHART_KINDS.map(|k| {
            let api_version =
                if k.group.is_empty() { k.version.to_owned() } else { format!("{}/{}", k.group, k.version) };
            (k.group, api_version, k.kind, k.plural)
        });
        assert_eq!(rendered, watched);
    }

    #[test]
    fn a_computed_kind_may_be_any() {
        assert_eq!(named("kind: {{values.kind}}\n").len(), WorkerKind::ALL.len());
    }
}
