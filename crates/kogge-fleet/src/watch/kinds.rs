//! What is watched, and how much of it.

use std::collections::BTreeSet;

use kogge_api::worker_cluster::AllowedNamespaces;
use kogge_api::{CHART_KINDS, ChartKind};
use kogge_plan::ObjectKey;
use kube::core::{ApiResource, GroupVersionKind};

/// A kind of which the objects that carry our label are watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct WatchedKind {
    group: &'static str,
    version: &'static str,
    pub(crate) kind: &'static str,
    plural: &'static str,
    /// Whether only the metadata is asked for: a Secret's body never leaves the worker (A12).
    pub(crate) metadata_only: bool,
}

const CONFIG_MAP: WatchedKind = whole("", "v1", "ConfigMap", "configmaps");
const SECRET: WatchedKind = metadata("", "v1", "Secret", "secrets");

/// What a database is made of beside what charts render.
const BESIDE: [WatchedKind; 4] = [
    whole("", "v1", "Pod", "pods"),
    whole("", "v1", "PersistentVolumeClaim", "persistentvolumeclaims"),
    whole("discovery.k8s.io", "v1", "EndpointSlice", "endpointslices"),
    SECRET,
];

/// Every kind that a database is made of: what is written and not watched would be written again and again.
fn kinds() -> impl Iterator<Item = WatchedKind> + Clone {
    let rendered = CHART_KINDS.into_iter();
    rendered.map(|ChartKind { group, version, kind, plural }| whole(group, version, kind, plural)).chain(BESIDE)
}

const fn whole(
    group: &'static str,
    version: &'static str,
    kind: &'static str,
    plural: &'static str,
) -> WatchedKind {
    WatchedKind { group, version, kind, plural, metadata_only: false }
}

const fn metadata(
    group: &'static str,
    version: &'static str,
    kind: &'static str,
    plural: &'static str,
) -> WatchedKind {
    WatchedKind { group, version, kind, plural, metadata_only: true }
}

impl WatchedKind {
    /// The type, as kube wants it.
    pub(crate) fn resource(self) -> ApiResource {
        let gvk = GroupVersionKind::gvk(self.group, self.version, self.kind);
        ApiResource::from_gvk_with_plural(&gvk, self.plural)
    }
}

/// The type of any object that Kogge writes.
pub(crate) fn resource_of(key: &ObjectKey) -> ApiResource {
    let (group, version) = key.api_version.split_once('/').unwrap_or(("", &key.api_version));
    let known = kinds().find(|kind| kind.kind == key.kind && kind.group == group && kind.version == version);
    known.map_or_else(
        || ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, &key.kind)),
        WatchedKind::resource,
    )
}

/// Whether the body of such an object is kept from this process's memory.
pub(crate) fn is_metadata_only(key: &ObjectKey) -> bool {
    key.api_version == "v1" && key.kind == SECRET.kind
}

/// One watch: a kind in a namespace, or in all of them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Slot {
    pub(crate) kind: WatchedKind,
    pub(crate) namespace: Option<String>,
}

impl Slot {
    /// Whether an object is seen by this watch.
    pub(crate) fn holds(&self, key: &ObjectKey) -> bool {
        key.kind == self.kind.kind && (self.namespace.is_none() || self.namespace == key.namespace)
    }

    /// The watch, in words.
    pub(crate) fn name(&self) -> String {
        match &self.namespace {
            Some(namespace) => format!("{} in namespace {namespace}", self.kind.plural),
            None => format!("{} in all namespaces", self.kind.plural),
        }
    }
}

/// The watches of a worker. `system` is Kogge's own namespace there, where it is to be watched.
pub(crate) fn slots(allowed: &AllowedNamespaces, system: Option<&str>) -> BTreeSet<Slot> {
    let all = |namespace: Option<&str>| {
        let namespace = namespace.map(str::to_owned);
        kinds().map(move |kind| Slot { kind, namespace: namespace.clone() })
    };
    if allowed.all == Some(true) {
        return all(None).collect();
    }
    let mut slots: BTreeSet<_> = allowed.names.iter().flatten().flat_map(|name| all(Some(name))).collect();
    if let Some(system) = system {
        slots.extend([CONFIG_MAP, SECRET].map(|kind| Slot { kind, namespace: Some(system.to_owned()) }));
    }
    slots
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_watch_per_kind_and_namespace() {
        let allowed = AllowedNamespaces { names: Some(vec!["a".to_owned(), "b".to_owned()]), all: None };
        assert_eq!(slots(&allowed, None).len(), 2 * kinds().count());
        assert_eq!(slots(&allowed, Some("kogge-system")).len(), 2 * kinds().count() + 2);
        assert_eq!(slots(&allowed, Some("a")).len(), 2 * kinds().count(), "no watch twice");
        let all = AllowedNamespaces { names: None, all: Some(true) };
        assert_eq!(slots(&all, Some("kogge-system")).len(), kinds().count());
    }

    #[test]
    fn bodies_of_secrets_are_not_asked_for() {
        assert!(kinds().filter(|kind| kind.kind == "Secret").all(|kind| kind.metadata_only));
    }

    #[test]
    fn field_28_every_kind_that_charts_may_render_is_watched_once() {
        for chart in CHART_KINDS {
            let watched = kinds().filter(|kind| (kind.group, kind.kind) == (chart.group, chart.kind)).count();
            assert_eq!(watched, 1, "{chart:?}");
        }
    }
}
