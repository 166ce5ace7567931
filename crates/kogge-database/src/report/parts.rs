//! The parts of a database: replica sets, routers, placements.

use std::collections::BTreeMap;

use kogge_api::federated_cluster::{
    Component, DrainStatus, MemberStatus, PlacementStatus, ReplicaSetStatus, RoutersStatus, ShareStatus, WorkState,
};
use kogge_api::names;
use kogge_mongo::{Health, SetStatus};
use kogge_plan::rollout::UseRevision;
use kogge_plan::status::{self, ShareReport};
use kogge_plan::workload::ShareKey;

use crate::plan::DatabasePlan;
use crate::prepared::Prepared;
use crate::shares::{self, view_of};
use crate::template::key_name;

/// How every part stands.
pub(super) struct Parts {
    pub(super) replica_sets: BTreeMap<String, ReplicaSetStatus>,
    pub(super) mongos: RoutersStatus,
    pub(super) placements: BTreeMap<String, PlacementStatus>,
    shares: BTreeMap<ShareKey, ShareReport>,
}

impl Parts {
    pub(super) fn observe(prepared: &Prepared<'_>, plan: &DatabasePlan) -> Self {
        let shares = share_reports(prepared, plan);
        let of = |component: Component| -> BTreeMap<String, ShareStatus> {
            shares
                .iter()
                .filter(|(key, _)| key.component == component)
                .map(|(key, report)| (key.placement.clone(), report.status.clone()))
                .collect()
        };
        let identity = &prepared.observation.identity;
        let replica_sets = plan
            .engine
            .sets
            .iter()
            .map(|(name, set)| {
                let in_queue = plan.in_queue.contains(name);
                let component = shares::component_of(set.role);
                (names::service(&identity.name, component), replica_set(set, in_queue, of(component)))
            })
            .collect();
        let routers = of(Component::Mongos);
        Self {
            replica_sets,
            mongos: RoutersStatus {
                ready: routers.values().map(|share| share.ready).sum(),
                size: routers.values().map(|share| share.size).sum(),
                placement: routers,
            },
            placements: placements(prepared, plan, &shares),
            shares,
        }
    }

    /// Shares that will not become ready by themselves, and why.
    pub(super) fn ill(&self) -> impl Iterator<Item = (&ShareKey, &str)> {
        self.that(|state| state == WorkState::Degraded)
    }

    /// Shares that are not ready yet, and why.
    pub(super) fn starting(&self) -> impl Iterator<Item = (&ShareKey, &str)> {
        self.that(|state| !matches!(state, WorkState::Ready | WorkState::Degraded))
    }

    /// Shares that are not Ready, and why.
    pub(super) fn unready(&self) -> impl Iterator<Item = (&ShareKey, &str)> {
        self.that(|state| state != WorkState::Ready)
    }

    fn that(&self, wanted: fn(WorkState) -> bool) -> impl Iterator<Item = (&ShareKey, &str)> {
        self.shares
            .iter()
            .filter(move |(_, report)| wanted(report.status.status))
            .map(|(key, report)| (key, report.message.as_deref().unwrap_or("it is not ready")))
    }

    /// How all of it stands.
    pub(super) fn state(&self) -> WorkState {
        let sets = self.replica_sets.values().map(|set| set.status);
        status::worst(sets.chain(self.shares.values().map(|report| report.status.status)))
    }

    pub(super) fn primaries_in_words(&self) -> String {
        let primaries: Vec<String> = self
            .replica_sets
            .iter()
            .map(|(name, set)| set.primary.clone().unwrap_or_else(|| format!("{name}: none")))
            .collect();
        primaries.join(", ")
    }
}

/// `ready/size` of all pods.
pub(super) fn summary(placements: &BTreeMap<String, PlacementStatus>) -> String {
    let ready: u32 = placements.values().map(|placement| placement.ready).sum();
    let size: u32 = placements.values().map(|placement| placement.size).sum();
    format!("{ready}/{size}")
}

/// `ready/size` by placement.
pub(super) fn in_words(placements: &BTreeMap<String, PlacementStatus>) -> String {
    let words: Vec<String> = placements.iter().map(|(name, p)| format!("{name} {}/{}", p.ready, p.size)).collect();
    words.join(", ")
}

fn share_reports(prepared: &Prepared<'_>, plan: &DatabasePlan) -> BTreeMap<ShareKey, ShareReport> {
    let observation = &prepared.observation;
    prepared
        .placed
        .iter()
        .map(|share| {
            let key = shares::key(share);
            let worker = observation.placements.resolved.get(&key.placement).map(|placement| &placement.worker);
            let view = worker.filter(|worker| observation.is_seen(worker));
            let view = view.and_then(|worker| observation.fleet.workers.get(worker));
            let desired = observation.rollout.shares.get(&key_name(&key)).map(|r| r.revision.as_str());
            let revision = match plan.rollout.use_revision.get(&key) {
                Some(UseRevision::Keep(running)) => Some(running.as_str()),
                Some(UseRevision::Desired) | None => desired,
            };
            let report = status::share(view, observation.identity.database(), &key, share.replicas, revision);
            (key, report)
        })
        .collect()
}

fn placements(
    prepared: &Prepared<'_>,
    plan: &DatabasePlan,
    shares: &BTreeMap<ShareKey, ShareReport>,
) -> BTreeMap<String, PlacementStatus> {
    let observation = &prepared.observation;
    observation
        .cluster
        .spec
        .placement
        .iter()
        .map(|placement| {
            let of_it: Vec<(&ShareKey, &ShareReport)> =
                shares.iter().filter(|(key, _)| key.placement == placement.name).collect();
            let reports: Vec<ShareReport> = of_it.iter().map(|(_, report)| (*report).clone()).collect();
            let worker = observation.placements.resolved.get(&placement.name).map(|p| &p.worker);
            let view = view_of(observation.fleet, &observation.placements, &placement.name);
            let mut status = status::placement(worker, view, &reports);
            if let Some(error) = observation.placements.errors.get(&placement.name) {
                status.message = Some(error.to_string());
                status.status = status::worst([status.status, WorkState::Degraded]);
            }
            let rolled = of_it
                .iter()
                .all(|(key, _)| matches!(plan.rollout.use_revision.get(key), Some(UseRevision::Desired) | None));
            status.revision = rolled.then(|| observation.rollout.chart_version.clone());
            (placement.name.clone(), status)
        })
        .collect()
}

fn replica_set(set: &SetStatus, in_queue: bool, placement: BTreeMap<String, ShareStatus>) -> ReplicaSetStatus {
    ReplicaSetStatus {
        initialized: set.initialized,
        added_as_shard: set.added_as_shard == Some(true),
        in_queue,
        read_only: set.initialized && set.primary.is_none(),
        ready: count(set.ready),
        size: count(set.size),
        status: match set.health {
            Health::Ready => WorkState::Ready,
            Health::Progressing | Health::Pending => WorkState::Progressing,
            Health::Degraded | Health::Unavailable => WorkState::Degraded,
            Health::Unknown => WorkState::Unknown,
        },
        primary: set.primary.as_ref().map(ToString::to_string),
        draining: set.draining.as_ref().map(|left| DrainStatus {
            databases: left.databases.iter().take(100).cloned().collect(),
            chunks: left.chunks.total,
            jumbo_chunks: left.chunks.jumbo,
        }),
        members: set.members.iter().map(member).collect(),
        placement,
    }
}

fn member(member: &kogge_mongo::MemberStatus) -> MemberStatus {
    MemberStatus {
        name: member.pod.to_string(),
        vdc: member.vdc.to_string(),
        state: member.state.map_or_else(|| "Unknown".to_owned(), |state| state.to_string()),
        votes: member.votes,
        priority: member.priority.round() as u32,
        ready: member.ready,
        reason: member.reason.clone(),
        disagreement: member.disagreement.clone(),
    }
}

fn count(members: usize) -> u32 {
    u32::try_from(members).unwrap_or(u32::MAX)
}
