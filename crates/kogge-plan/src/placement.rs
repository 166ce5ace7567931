//! Which worker cluster each placement of a database stands on, and what keeps it from being written.

use std::collections::BTreeMap;

use kogge_api::WorkerCluster;
use kogge_api::conditions::{is_true, worker_cluster};
use kogge_api::worker_cluster::AllowedNamespaces;

use crate::fleet_view::{FleetView, WorkerName, WorkerView};

/// A WorkerCluster as the resolution of placements sees it.
#[derive(Clone, Debug, PartialEq)]
pub struct RegisteredWorker {
    /// Its name.
    pub name: WorkerName,
    /// Its data centre.
    pub vdc: String,
    /// The UID of its `kube-system`; none until it was reached once.
    pub uid: Option<String>,
    /// Its DNS domain.
    pub cluster_domain: String,
    /// The namespaces in which Kogge may hold objects.
    pub allowed_namespaces: AllowedNamespaces,
    /// Whether its user stopped every write to it.
    pub suspended: bool,
    /// Why it is not Ready, in a sentence; none where it is.
    pub not_ready: Option<String>,
}

impl From<&WorkerCluster> for RegisteredWorker {
    fn from(worker: &WorkerCluster) -> Self {
        let status = worker.status.as_ref();
        let conditions = status.map(|s| s.conditions.as_slice()).unwrap_or_default();
        let not_ready = (!is_true(conditions, worker_cluster::READY)).then(|| {
            conditions
                .iter()
                .find(|c| c.type_ == worker_cluster::READY)
                .map_or_else(|| "it was not probed yet".to_owned(), |c| c.message.clone())
        });
        Self {
            name: WorkerName(worker.metadata.name.clone().unwrap_or_default()),
            vdc: worker.spec.vdc.clone(),
            uid: status.and_then(|s| s.uid.clone()),
            cluster_domain: worker.spec.network.cluster_domain.clone(),
            allowed_namespaces: worker.spec.allowed_namespaces.clone(),
            suspended: worker.spec.suspend,
            not_ready,
        }
    }
}

/// A placement as a spec names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestedPlacement<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its data centre.
    pub vdc: &'a str,
    /// The WorkerCluster that it names, where its data centre has several.
    pub worker_cluster: Option<&'a str>,
}

/// Where a placement was put when it was first accepted: it never moves to another cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pinned {
    /// Its WorkerCluster.
    pub worker: Option<WorkerName>,
    /// The UID of that cluster.
    pub uid: Option<String>,
}

/// A placement whose worker cluster is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResolvedPlacement {
    /// The placement.
    pub name: String,
    /// Its data centre.
    pub vdc: String,
    /// Its worker cluster.
    pub worker: WorkerName,
    /// The UID of that cluster; none until it was reached once.
    pub uid: Option<String>,
    /// The DNS domain of that cluster.
    pub cluster_domain: String,
}

/// Why a placement cannot be written, in a sentence that says what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlacementError {
    /// No WorkerCluster stands for the data centre.
    #[error(
        "placement {placement}: no WorkerCluster has vdc {vdc:?}; register one with `kogge worker join`, or correct spec.placement[].vdc (known: {known})"
    )]
    UnknownVdc {
        /// The placement.
        placement: String,
        /// The data centre that it names.
        vdc: String,
        /// The data centres that are known.
        known: String,
    },
    /// Several WorkerClusters stand for the data centre.
    #[error(
        "placement {placement}: vdc {vdc:?} has several WorkerClusters ({workers}); name one of them in spec.placement[].workerCluster"
    )]
    AmbiguousVdc {
        /// The placement.
        placement: String,
        /// The data centre.
        vdc: String,
        /// Its WorkerClusters.
        workers: String,
    },
    /// The WorkerCluster that the placement names is not registered.
    #[error(
        "placement {placement}: WorkerCluster {worker} does not exist; register it with `kogge worker join`, or correct spec.placement[].workerCluster"
    )]
    UnknownWorker {
        /// The placement.
        placement: String,
        /// The WorkerCluster that it names.
        worker: WorkerName,
    },
    /// The WorkerCluster that the placement names stands for another data centre.
    #[error(
        "placement {placement}: WorkerCluster {worker} has vdc {found:?} and not {vdc:?}; correct spec.placement[].vdc or .workerCluster"
    )]
    WrongVdc {
        /// The placement.
        placement: String,
        /// The WorkerCluster that it names.
        worker: WorkerName,
        /// The data centre that it names.
        vdc: String,
        /// The data centre of the WorkerCluster.
        found: String,
    },
    /// The cluster behind the WorkerCluster is not the one that the placement was put on.
    #[error(
        "placement {placement}: it was put on the cluster with UID {pinned}, and WorkerCluster {worker} now leads to {found}; let its kubeconfig lead to the first one again, or add a placement for the other one"
    )]
    WorkerReplaced {
        /// The placement.
        placement: String,
        /// The WorkerCluster.
        worker: WorkerName,
        /// The UID that the placement was put on.
        pinned: String,
        /// The UID that was found.
        found: String,
    },
    /// Kogge may not hold objects of this namespace there.
    #[error(
        "placement {placement}: WorkerCluster {worker} does not allow namespace {namespace:?}; add it to its spec.allowedNamespaces.names, and run `kogge worker join` again for its Role"
    )]
    NamespaceNotAllowed {
        /// The placement.
        placement: String,
        /// The WorkerCluster.
        worker: WorkerName,
        /// The database's namespace.
        namespace: String,
    },
    /// The cluster's DNS domain differs from the other placements'.
    #[error(
        "placement {placement}: WorkerCluster {worker} has clusterDomain {found:?} and the other placements {expected:?}; a member has one name in every cluster, so choose a cluster with the same domain"
    )]
    ClusterDomainDiffers {
        /// The placement.
        placement: String,
        /// The WorkerCluster.
        worker: WorkerName,
        /// Its domain.
        found: String,
        /// The domain of the others.
        expected: String,
    },
    /// The worker's user stopped every write to it.
    #[error("placement {placement}: WorkerCluster {worker} is suspended; set its spec.suspend to false to go on")]
    WorkerSuspended {
        /// The placement.
        placement: String,
        /// The WorkerCluster.
        worker: WorkerName,
    },
    /// The worker is not Ready.
    #[error("placement {placement}: WorkerCluster {worker} is not Ready: {why}")]
    WorkerNotReady {
        /// The placement.
        placement: String,
        /// The WorkerCluster.
        worker: WorkerName,
        /// Why.
        why: String,
    },
}

impl PlacementError {
    /// A stable word in CamelCase.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::UnknownVdc { .. } => "UnknownVdc",
            Self::AmbiguousVdc { .. } => "AmbiguousVdc",
            Self::UnknownWorker { .. } => "UnknownWorker",
            Self::WrongVdc { .. } => "WrongVdc",
            Self::WorkerReplaced { .. } => "WorkerReplaced",
            Self::NamespaceNotAllowed { .. } => "NamespaceNotAllowed",
            Self::ClusterDomainDiffers { .. } => "ClusterDomainDiffers",
            Self::WorkerSuspended { .. } => "WorkerSuspended",
            Self::WorkerNotReady { .. } => "WorkerNotReady",
        }
    }

    /// Whether it is the spec, or the registration of workers, that must change; not so where a worker is
    /// only silent or suspended for a while.
    pub fn is_invalid_spec(&self) -> bool {
        !matches!(self, Self::WorkerSuspended { .. } | Self::WorkerNotReady { .. })
    }
}

/// The placements of a database, each with its worker, its error, or both.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Placements {
    /// The placements whose worker is known, by name; an error may stand beside it.
    pub resolved: BTreeMap<String, ResolvedPlacement>,
    /// What keeps a placement from being written, by name.
    pub errors: BTreeMap<String, PlacementError>,
}

impl Placements {
    /// The placements that may be written.
    pub fn writable(&self) -> impl Iterator<Item = &ResolvedPlacement> {
        self.resolved.values().filter(|p| !self.errors.contains_key(&p.name))
    }

    /// The view of a placement's worker, if it has one.
    pub fn view<'a>(&self, fleet: &'a FleetView, placement: &str) -> Option<&'a WorkerView> {
        fleet.workers.get(&self.resolved.get(placement)?.worker)
    }

    /// The placements on a worker.
    pub fn on<'a>(&'a self, worker: &'a WorkerName) -> impl Iterator<Item = &'a ResolvedPlacement> {
        self.resolved.values().filter(move |p| p.worker == *worker)
    }
}

/// Finds the worker of each placement. An error of one placement leaves the others alone.
pub fn resolve<'a>(
    placements: impl IntoIterator<Item = RequestedPlacement<'a>>,
    namespace: &str,
    workers: &[RegisteredWorker],
    pinned: &BTreeMap<String, Pinned>,
) -> Placements {
    let mut result = Placements::default();
    let mut chosen: BTreeMap<&str, &RegisteredWorker> = BTreeMap::new();
    for placement in placements {
        match choose(&placement, workers, pinned.get(placement.name)) {
            Ok(worker) => {
                chosen.insert(placement.name, worker);
                result.resolved.insert(placement.name.to_owned(), resolved(&placement, worker));
            }
            Err(error) => {
                result.errors.insert(placement.name.to_owned(), error);
            }
        }
    }
    let domain = common_domain(&chosen, pinned);
    for (name, worker) in &chosen {
        if let Err(error) = check(name, worker, namespace, domain, pinned.get(*name)) {
            result.errors.insert((*name).to_owned(), error);
        }
    }
    result
}

fn resolved(placement: &RequestedPlacement<'_>, worker: &RegisteredWorker) -> ResolvedPlacement {
    ResolvedPlacement {
        name: placement.name.to_owned(),
        vdc: placement.vdc.to_owned(),
        worker: worker.name.clone(),
        uid: worker.uid.clone(),
        cluster_domain: worker.cluster_domain.clone(),
    }
}

fn choose<'w>(
    placement: &RequestedPlacement<'_>,
    workers: &'w [RegisteredWorker],
    pinned: Option<&Pinned>,
) -> Result<&'w RegisteredWorker, PlacementError> {
    if let Some(name) = placement.worker_cluster {
        let name = WorkerName(name.to_owned());
        let Some(worker) = workers.iter().find(|w| w.name == name) else {
            return Err(PlacementError::UnknownWorker { placement: placement.name.to_owned(), worker: name });
        };
        return if worker.vdc == placement.vdc {
            Ok(worker)
        } else {
            Err(PlacementError::WrongVdc {
                placement: placement.name.to_owned(),
                worker: name,
                vdc: placement.vdc.to_owned(),
                found: worker.vdc.clone(),
            })
        };
    }
    let candidates: Vec<_> = workers.iter().filter(|w| w.vdc == placement.vdc).collect();
    // A second WorkerCluster that is registered later must not unsettle a placement that stands.
    let pinned_worker = pinned.and_then(|p| p.worker.as_ref());
    if let Some(worker) = candidates.iter().find(|w| Some(&w.name) == pinned_worker) {
        return Ok(worker);
    }
    match candidates.as_slice() {
        [] => Err(PlacementError::UnknownVdc {
            placement: placement.name.to_owned(),
            vdc: placement.vdc.to_owned(),
            known: listed(workers.iter().map(|w| w.vdc.clone())),
        }),
        [worker] => Ok(worker),
        several => Err(PlacementError::AmbiguousVdc {
            placement: placement.name.to_owned(),
            vdc: placement.vdc.to_owned(),
            workers: listed(several.iter().map(|w| w.name.to_string())),
        }),
    }
}

fn listed(names: impl Iterator<Item = String>) -> String {
    let names: std::collections::BTreeSet<String> = names.collect();
    if names.is_empty() { "none".to_owned() } else { names.into_iter().collect::<Vec<_>>().join(", ") }
}

/// The domain that most placements have, those that stand already before new ones; the first by name where
/// two are as common.
fn common_domain<'w>(
    chosen: &BTreeMap<&str, &'w RegisteredWorker>,
    pinned: &BTreeMap<String, Pinned>,
) -> Option<&'w str> {
    let standing = |name: &str| pinned.get(name).is_some_and(|p| p.uid.is_some());
    let any_standing = chosen.keys().any(|name| standing(name));
    let domains: Vec<&str> = chosen
        .iter()
        .filter(|(name, _)| !any_standing || standing(name))
        .map(|(_, worker)| worker.cluster_domain.as_str())
        .collect();
    let count = |domain: &str| domains.iter().filter(|d| **d == domain).count();
    domains.iter().rev().max_by_key(|domain| count(domain)).copied()
}

fn check(
    placement: &str,
    worker: &RegisteredWorker,
    namespace: &str,
    domain: Option<&str>,
    pinned: Option<&Pinned>,
) -> Result<(), PlacementError> {
    let placement = placement.to_owned();
    let name = worker.name.clone();
    if let (Some(pinned), Some(found)) = (pinned.and_then(|p| p.uid.as_ref()), &worker.uid)
        && pinned != found
    {
        return Err(PlacementError::WorkerReplaced {
            placement,
            worker: name,
            pinned: pinned.clone(),
            found: found.clone(),
        });
    }
    if !worker.allowed_namespaces.allows(namespace) {
        return Err(PlacementError::NamespaceNotAllowed {
            placement,
            worker: name,
            namespace: namespace.to_owned(),
        });
    }
    if let Some(expected) = domain
        && expected != worker.cluster_domain
    {
        return Err(PlacementError::ClusterDomainDiffers {
            placement,
            worker: name,
            found: worker.cluster_domain.clone(),
            expected: expected.to_owned(),
        });
    }
    if worker.suspended {
        return Err(PlacementError::WorkerSuspended { placement, worker: name });
    }
    if let Some(why) = &worker.not_ready {
        return Err(PlacementError::WorkerNotReady { placement, worker: name, why: why.clone() });
    }
    Ok(())
}
