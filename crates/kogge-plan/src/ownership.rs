//! Whose a database is, from what every worker remembers of it. Nothing is written before this has been
//! answered, and "not seen" is never taken for "not there".

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use kogge_api::anchor::{Anchor, Record, SeedsDisagree};
use kogge_api::{ClusterId, Owner};

use crate::anchors;
use crate::fleet_view::{FleetView, Liveness, WorkerName, WorkerView};
use crate::placement::Placements;
use crate::workload::Database;

/// A database as its resource names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The resource; its namespace is that of the database on every worker.
    pub resource: Owner,
    /// The clusterID, of the spec or of the status; none where it has none yet.
    pub cluster_id: Option<ClusterId>,
    /// The epoch in the status; none where it was made, or restored, without one.
    pub epoch: Option<i64>,
    /// The UID of `kube-system` in the control cluster.
    pub control_uid: String,
}

/// What a worker knows of a database.
#[derive(Clone, Debug, PartialEq)]
pub enum WorkerVerdict<R> {
    /// It was seen live and complete, and holds nothing of it.
    Empty,
    /// It was seen live and complete; it holds parts of it but has lost its anchor.
    Unanchored,
    /// It holds an anchor of ours, as last observed.
    Ours(Anchor<R>),
    /// It was not seen, or not all of it; why, in words.
    Unknown(String),
    /// Nothing may be written there.
    Refused(Refusal),
}

/// Whose a database is.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict<R> {
    /// Nobody's: every placement was seen live, complete and empty of it. Only now may it be written.
    New,
    /// Ours: what the anchors of all workers amount to.
    Ours {
        /// The anchors, joined.
        anchor: Box<Anchor<R>>,
    },
    /// Nobody knows yet.
    UnknownYet {
        /// What was not seen, by placement, in words.
        missing: BTreeMap<String, String>,
    },
    /// Not to be written by this control cluster as things stand.
    Refused(Refusal),
}

/// Why nothing may be written, in a sentence that says what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Another control cluster owns it.
    #[error(
        "{worker} holds {name}, which belongs to the control cluster with UID {owner_uid}; choose another name, or end it there first"
    )]
    ForeignOwner {
        /// The worker.
        worker: WorkerName,
        /// The database.
        name: String,
        /// The control cluster that owns it.
        owner_uid: String,
    },
    /// Another database has this name.
    #[error(
        "{worker} holds a database {name} with clusterID {found}, which this resource does not name; to adopt that database, create the resource with spec.clusterID: {found}; for a new one choose another name"
    )]
    ForeignClusterId {
        /// The worker.
        worker: WorkerName,
        /// The database.
        name: String,
        /// The clusterID that was found.
        found: ClusterId,
    },
    /// Another resource of this control cluster owns it.
    #[error(
        "{worker} holds an anchor by which clusterID {cluster_id} belongs to {owner}, so Kogge writes nothing there; choose another name, or remove spec.clusterID from the manifest and create the resource again"
    )]
    AnotherResource {
        /// The worker.
        worker: WorkerName,
        /// The clusterID in the anchor.
        cluster_id: ClusterId,
        /// The resource that owns it.
        owner: Box<Owner>,
    },
    /// A worker has seen a later epoch than the control cluster: it was rolled back.
    #[error(
        "{worker} has epoch {found} of {name} and the control cluster {epoch}: the control cluster was set back; nothing is written until a person says which side is right"
    )]
    EpochAhead {
        /// The worker.
        worker: WorkerName,
        /// The database.
        name: String,
        /// The worker's epoch.
        found: i64,
        /// The control cluster's.
        epoch: i64,
    },
    /// Two workers remember different seeds of a group.
    #[error("the anchors of {name} name two seeds of {component}: {} and {}; correct the wrong anchor by what the group's members themselves list", .seeds[0], .seeds[1])]
    SeedsDisagree {
        /// The database.
        name: String,
        /// The group, by the name of its component.
        component: String,
        /// The seeds.
        seeds: [String; 2],
    },
    /// The placement was put on another cluster.
    #[error(
        "placement {placement} was put on the cluster with UID {pinned}, and WorkerCluster {worker} leads to {found}; let its kubeconfig lead to the first one again"
    )]
    WorkerReplaced {
        /// The placement.
        placement: String,
        /// The WorkerCluster.
        worker: WorkerName,
        /// The UID in the anchors.
        pinned: String,
        /// The UID that was found.
        found: String,
    },
    /// An anchor cannot be read.
    #[error("{worker}: {why}")]
    AnchorUnreadable {
        /// The worker.
        worker: WorkerName,
        /// Why, and what to do.
        why: String,
    },
    /// Parts of the database stand without an anchor anywhere.
    #[error(
        "{worker} holds {count} objects of clusterID {cluster_id}, and no worker an anchor of it; restore an anchor, or remove what is left of that database"
    )]
    LeftBehind {
        /// The worker.
        worker: WorkerName,
        /// The database's identity.
        cluster_id: ClusterId,
        /// How many objects.
        count: usize,
    },
}

impl Refusal {
    /// A stable word in CamelCase.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::ForeignOwner { .. } => "ForeignOwner",
            Self::ForeignClusterId { .. } => "ForeignClusterID",
            Self::AnotherResource { .. } => "AnotherResource",
            Self::EpochAhead { .. } => "EpochAhead",
            Self::SeedsDisagree { .. } => "SeedsDisagree",
            Self::WorkerReplaced { .. } => "WorkerReplaced",
            Self::AnchorUnreadable { .. } => "AnchorUnreadable",
            Self::LeftBehind { .. } => "LeftBehind",
        }
    }

    /// Whether it stops the writes to every worker, not only to the one that was found so.
    fn stops_all(&self) -> bool {
        matches!(self, Self::EpochAhead { .. } | Self::SeedsDisagree { .. })
    }
}

/// Whose a database is, as a whole and by worker.
#[derive(Clone, Debug, PartialEq)]
pub struct Ownership<R> {
    /// As a whole.
    pub overall: Verdict<R>,
    /// By worker.
    pub workers: BTreeMap<WorkerName, WorkerVerdict<R>>,
}

impl<R> Ownership<R> {
    /// Whether objects of the database may be written to a worker.
    pub fn may_write(&self, worker: &WorkerName) -> bool {
        matches!(self.overall, Verdict::New | Verdict::Ours { .. })
            && matches!(
                self.workers.get(worker),
                Some(WorkerVerdict::Empty | WorkerVerdict::Unanchored | WorkerVerdict::Ours(_))
            )
    }

    /// The refusals of single workers, where the rest may go on.
    pub fn refusals(&self) -> impl Iterator<Item = &Refusal> {
        self.workers.values().filter_map(|verdict| match verdict {
            WorkerVerdict::Refused(refusal) => Some(refusal),
            _ => None,
        })
    }

    /// The UID that a placement was put on, where an anchor names one.
    pub fn pinned_uid(&self, placement: &str) -> Option<&str> {
        match &self.overall {
            Verdict::Ours { anchor } => anchor.worker_uids.get(placement).map(String::as_str),
            _ => None,
        }
    }
}

impl<R> fmt::Display for Verdict<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::New => f.write_str("new: every placement was seen empty of it"),
            Self::Ours { anchor } => write!(f, "ours, at epoch {}", anchor.epoch),
            Self::UnknownYet { missing } => {
                let missing: Vec<String> = missing.iter().map(|(p, why)| format!("{p} ({why})")).collect();
                write!(f, "not written before every placement was seen; missing: {}", missing.join(", "))
            }
            Self::Refused(refusal) => refusal.fmt(f),
        }
    }
}

/// Answers whose a database is, from its placements and what was observed of their workers.
pub fn assess<R: Record>(identity: &Identity, placements: &Placements, fleet: &FleetView) -> Ownership<R> {
    let names: BTreeSet<&WorkerName> = placements.resolved.values().map(|p| &p.worker).collect();
    let mut workers: BTreeMap<WorkerName, WorkerVerdict<R>> =
        names.into_iter().map(|name| (name.clone(), judge(identity, name, fleet.workers.get(name)))).collect();
    doubt_invalid(placements, &mut workers);
    let overall = match joined(identity, &workers) {
        Err(refusal) => Verdict::Refused(refusal),
        Ok(Some(anchor)) => {
            refuse_replaced(&anchor, placements, fleet, &mut workers);
            Verdict::Ours { anchor: Box::new(anchor) }
        }
        // An edit may have replaced every placement: the workers that they left remember the database.
        Ok(None) => match joined(identity, &elsewhere(identity, &workers, fleet)) {
            Err(refusal) => Verdict::Refused(refusal),
            Ok(Some(anchor)) => Verdict::Ours { anchor: Box::new(anchor) },
            Ok(None) => first_sight(identity, placements, &workers, fleet),
        },
    };
    Ownership { overall, workers }
}

/// What workers remember of the database on which no placement of the spec stands.
fn elsewhere<R: Record>(
    identity: &Identity,
    placed: &BTreeMap<WorkerName, WorkerVerdict<R>>,
    fleet: &FleetView,
) -> BTreeMap<WorkerName, WorkerVerdict<R>> {
    let others = fleet.workers.iter().filter(|(name, _)| !placed.contains_key(*name));
    let judged = others.map(|(name, view)| (name.clone(), judge(identity, name, Some(view))));
    judged.filter(|(_, verdict)| matches!(verdict, WorkerVerdict::Ours(_))).collect()
}

/// A worker that a placement must not stand on was not looked at for it: where its namespace is not allowed,
/// nothing in it is watched.
fn doubt_invalid<R>(placements: &Placements, workers: &mut BTreeMap<WorkerName, WorkerVerdict<R>>) {
    for (name, error) in placements.errors.iter().filter(|(_, error)| error.is_invalid_spec()) {
        let verdict = placements.resolved.get(name).and_then(|p| workers.get_mut(&p.worker));
        if let Some(verdict @ (WorkerVerdict::Empty | WorkerVerdict::Unanchored)) = verdict {
            *verdict = WorkerVerdict::Unknown(error.to_string());
        }
    }
}

fn judge<R: Record>(identity: &Identity, name: &WorkerName, view: Option<&WorkerView>) -> WorkerVerdict<R> {
    let Some(view) = view else {
        return WorkerVerdict::Unknown(format!("{name} was not reached yet"));
    };
    let unseen = unseen(name, view);
    // An anchor that was seen once says whose the worker's part is, even when the worker is silent now.
    match owned(identity, name, view).map(|anchor| anchor.and_then(|anchor| not_ahead(identity, name, anchor))) {
        Some(Err(refusal)) => WorkerVerdict::Refused(refusal),
        Some(Ok(anchor)) => WorkerVerdict::Ours(anchor),
        None => match unseen {
            Some(why) => WorkerVerdict::Unknown(why),
            None if held(identity, view) > 0 => WorkerVerdict::Unanchored,
            None => WorkerVerdict::Empty,
        },
    }
}

/// The anchor of the database on a worker, or why it says that the worker's part is another's; none where the worker
/// was seen without one.
pub fn owned<R: Record>(
    identity: &Identity,
    worker: &WorkerName,
    view: &WorkerView,
) -> Option<Result<Anchor<R>, Refusal>> {
    let Owner { namespace, name, .. } = &identity.resource;
    let observed = anchors::observed(view, namespace, name, identity.cluster_id.as_ref())?;
    let readable =
        observed.map_err(|error| Refusal::AnchorUnreadable { worker: worker.clone(), why: error.to_string() });
    Some(readable.and_then(|anchor| check(identity, worker, anchor)))
}

/// Why a view says nothing about what is not in it.
fn unseen(name: &WorkerName, view: &WorkerView) -> Option<String> {
    match &view.liveness {
        Liveness::Silent { message, .. } => Some(format!("{name} is silent: {message}")),
        Liveness::Live if !view.complete => Some(format!("{name} is not wholly listed yet")),
        Liveness::Live if view.uid.is_none() => Some(format!("{name} has not told its UID yet")),
        Liveness::Live => None,
    }
}

/// How many objects of the database a worker holds.
fn held(identity: &Identity, view: &WorkerView) -> usize {
    let Some(id) = &identity.cluster_id else { return 0 };
    let Owner { namespace, name, .. } = &identity.resource;
    Database { name, namespace, cluster_id: id }.objects(view).count()
}

/// Compares the whole identity: control cluster, kind, namespace, name and clusterID.
fn check<R>(identity: &Identity, worker: &WorkerName, anchor: Anchor<R>) -> Result<Anchor<R>, Refusal> {
    let (worker, name) = (worker.clone(), identity.resource.name.clone());
    if anchor.owner_uid != identity.control_uid {
        return Err(Refusal::ForeignOwner { worker, name, owner_uid: anchor.owner_uid });
    }
    let owner = anchor.resource.clone().unwrap_or_else(|| Owner {
        // An anchor from before anchors named their resource has its name alone.
        name: anchor.name.clone(),
        ..identity.resource.clone()
    });
    if !owner.is_same(&identity.resource) {
        let (cluster_id, owner) = (anchor.cluster_id, Box::new(owner));
        return Err(Refusal::AnotherResource { worker, cluster_id, owner });
    }
    if identity.cluster_id.as_ref() != Some(&anchor.cluster_id) {
        return Err(Refusal::ForeignClusterId { worker, name, found: anchor.cluster_id });
    }
    Ok(anchor)
}

fn not_ahead<R>(identity: &Identity, worker: &WorkerName, anchor: Anchor<R>) -> Result<Anchor<R>, Refusal> {
    match identity.epoch {
        Some(epoch) if anchor.epoch > epoch => {
            let (worker, name) = (worker.clone(), identity.resource.name.clone());
            Err(Refusal::EpochAhead { worker, name, found: anchor.epoch, epoch })
        }
        _ => Ok(anchor),
    }
}

fn joined<R: Record>(
    identity: &Identity,
    workers: &BTreeMap<WorkerName, WorkerVerdict<R>>,
) -> Result<Option<Anchor<R>>, Refusal> {
    let mut joined: Option<Anchor<R>> = None;
    for verdict in workers.values() {
        match verdict {
            WorkerVerdict::Refused(refusal) if refusal.stops_all() => return Err(refusal.clone()),
            WorkerVerdict::Ours(anchor) => match &mut joined {
                None => joined = Some(anchor.clone()),
                Some(all) => all.join(anchor).map_err(|SeedsDisagree { component, seeds }| {
                    Refusal::SeedsDisagree { name: identity.resource.name.clone(), component, seeds }
                })?,
            },
            _ => {}
        }
    }
    Ok(joined)
}

/// Refuses workers whose cluster is not the one that a placement was put on.
fn refuse_replaced<R>(
    anchor: &Anchor<R>,
    placements: &Placements,
    fleet: &FleetView,
    workers: &mut BTreeMap<WorkerName, WorkerVerdict<R>>,
) {
    for placement in placements.resolved.values() {
        let found = fleet.workers.get(&placement.worker).and_then(|view| view.uid.as_ref());
        let (Some(pinned), Some(found)) = (anchor.worker_uids.get(&placement.name), found) else { continue };
        if pinned != found {
            workers.insert(
                placement.worker.clone(),
                WorkerVerdict::Refused(Refusal::WorkerReplaced {
                    placement: placement.name.clone(),
                    worker: placement.worker.clone(),
                    pinned: pinned.clone(),
                    found: found.clone(),
                }),
            );
        }
    }
}

/// The verdict on a database that no anchor knows: new only if nothing is doubtful anywhere.
fn first_sight<R>(
    identity: &Identity,
    placements: &Placements,
    workers: &BTreeMap<WorkerName, WorkerVerdict<R>>,
    fleet: &FleetView,
) -> Verdict<R> {
    let unresolved = placements.errors.iter().filter(|(name, _)| !placements.resolved.contains_key(*name));
    let mut missing: BTreeMap<String, String> =
        unresolved.map(|(name, error)| (name.clone(), error.to_string())).collect();
    for placement in placements.resolved.values() {
        match workers.get(&placement.worker) {
            Some(WorkerVerdict::Refused(refusal)) => return Verdict::Refused(refusal.clone()),
            Some(WorkerVerdict::Unanchored) => {
                if let (Some(id), Some(view)) = (&identity.cluster_id, fleet.workers.get(&placement.worker)) {
                    return Verdict::Refused(Refusal::LeftBehind {
                        worker: placement.worker.clone(),
                        cluster_id: id.clone(),
                        count: held(identity, view),
                    });
                }
            }
            Some(WorkerVerdict::Unknown(why)) => {
                missing.insert(placement.name.clone(), why.clone());
            }
            Some(WorkerVerdict::Empty | WorkerVerdict::Ours(_)) => {}
            None => {
                missing.insert(placement.name.clone(), format!("{} was not reached yet", placement.worker));
            }
        }
    }
    if missing.is_empty() { Verdict::New } else { Verdict::UnknownYet { missing } }
}
