//! The kinds of objects that a chart may put on a worker, in one list: what may be rendered is watched, may be pruned,
//! and its rights are granted.

/// A kind of object that a chart may put on a worker. All of them live in a namespace, and none gives rights or holds
/// secrets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ChartKind {
    /// The API group; empty for the core group.
    pub group: &'static str,
    /// The version of the group.
    pub version: &'static str,
    /// The kind, such as `StatefulSet`.
    pub kind: &'static str,
    /// The resource in paths and rules, such as `statefulsets`.
    pub plural: &'static str,
}

/// Every kind that a chart may put on a worker.
pub const CHART_KINDS: [ChartKind; 8] = [
    of("apps", "v1", "Deployment", "deployments"),
    of("apps", "v1", "StatefulSet", "statefulsets"),
    of("batch", "v1", "Job", "jobs"),
    of("", "v1", "ConfigMap", "configmaps"),
    of("", "v1", "Service", "services"),
    of("", "v1", "ServiceAccount", "serviceaccounts"),
    of("networking.k8s.io", "v1", "NetworkPolicy", "networkpolicies"),
    of("policy", "v1", "PodDisruptionBudget", "poddisruptionbudgets"),
];

const fn of(group: &'static str, version: &'static str, kind: &'static str, plural: &'static str) -> ChartKind {
    ChartKind { group, version, kind, plural }
}
