//! The parts of a database: groups, routers, placements.

use std::collections::BTreeMap;

use kogge_api::names;
use kogge_api::status::{GroupStatus, MemberStatus, PlacementStatus, RoutersStatus, ShareStatus, WorkState};
use kogge_engine::{ComponentKey, Engine, Group, Health, MemberView};
use kogge_plan::rollout::UseRevision;
use kogge_plan::status::{self, ShareReport};
use kogge_plan::workload::ShareKey;

use crate::missing_pods::{MissingPods, missing, sentence};
use crate::plan::DatabasePlan;
use crate::prepared::Prepared;
use crate::template::key_name;

/// How every part stands.
pub(super) struct Parts {
    pub(super) groups: BTreeMap<String, GroupStatus>,
    pub(super) routers: Option<RoutersStatus>,
    pub(super) placements: BTreeMap<String, PlacementStatus>,
    shares: Vec<(ShareKey, ShareReport)>,
}

impl Parts {
    pub(super) fn observe<E: Engine>(prepared: &Prepared<'_, E>, plan: &DatabasePlan<E>) -> Self {
        let shares = share_reports(prepared, plan);
        let of = |wanted: &dyn Fn(&ComponentKey) -> bool| -> BTreeMap<String, ShareStatus> {
            shares
                .iter()
                .filter(|(key, _)| wanted(&key.component))
                .map(|(key, report)| (key.placement.clone(), report.status.clone()))
                .collect()
        };
        let observation = &prepared.observation;
        let groups = plan
            .engine
            .groups
            .iter()
            .map(|(name, group)| {
                let in_queue = plan.in_queue.contains(name);
                let placement = of(&|component| *component == group.component);
                let service = names::service(&observation.identity.name, &group.component);
                (service, group_status(group, in_queue, placement))
            })
            .collect();
        let is_router = |component: &ComponentKey| {
            let mut components = observation.database.components.iter();
            components.any(|wanted| wanted.key == *component && !wanted.is_group)
        };
        let has_routers = observation.database.components.iter().any(|component| !component.is_group);
        let routers = of(&is_router);
        Self {
            groups,
            routers: has_routers.then(|| RoutersStatus {
                ready: routers.values().map(|share| share.ready).sum(),
                size: routers.values().map(|share| share.size).sum(),
                placement: routers,
            }),
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
        let groups = self.groups.values().map(|group| group.status);
        status::worst(groups.chain(self.shares.iter().map(|(_, report)| report.status.status)))
    }

    pub(super) fn leaders_in_words(&self) -> String {
        let leaders: Vec<String> = self
            .groups
            .iter()
            .map(|(name, group)| group.leader.clone().unwrap_or_else(|| format!("{name}: none")))
            .collect();
        leaders.join(", ")
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

fn share_reports<E: Engine>(prepared: &Prepared<'_, E>, plan: &DatabasePlan<E>) -> Vec<(ShareKey, ShareReport)> {
    let observation = &prepared.observation;
    let missing: BTreeMap<ShareKey, MissingPods> = missing(prepared).into_iter().collect();
    prepared
        .placed
        .iter()
        .map(|share| {
            let key = share.key();
            let worker = observation.placements.resolved.get(&key.placement).map(|placement| &placement.worker);
            let view = worker.filter(|worker| observation.is_seen(worker));
            let view = view.and_then(|worker| observation.fleet.workers.get(worker));
            let desired = observation.rollout.shares.get(&key_name(&key)).map(|r| r.revision.as_str());
            let revision = match plan.rollout.use_revision.get(&key) {
                Some(UseRevision::Keep(running)) => Some(running.as_str()),
                Some(UseRevision::Desired) | None => desired,
            };
            let mut report = status::share(view, observation.identity.database(), &key, share.replicas, revision);
            let failure = missing.get(&key).and_then(|missing| Some((missing, plan.pod_failures.get(missing)?)));
            if let Some((MissingPods { key: set, .. }, why)) = failure {
                report.status.status = status::worst([report.status.status, WorkState::Degraded]);
                report.message = Some(format!("{}: {}", key.component, sentence(set, why)));
            }
            (key, report)
        })
        .collect()
}

fn placements<E: Engine>(
    prepared: &Prepared<'_, E>,
    plan: &DatabasePlan<E>,
    shares: &[(ShareKey, ShareReport)],
) -> BTreeMap<String, PlacementStatus> {
    let observation = &prepared.observation;
    observation
        .database
        .placements
        .iter()
        .map(|placement| {
            let of_it: Vec<&(ShareKey, ShareReport)> =
                shares.iter().filter(|(key, _)| key.placement == placement.name).collect();
            let reports: Vec<ShareReport> = of_it.iter().map(|(_, report)| report.clone()).collect();
            let worker = observation.placements.resolved.get(&placement.name).map(|p| &p.worker);
            let view = observation.placements.view(observation.fleet, &placement.name);
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

fn group_status(group: &Group, in_queue: bool, placement: BTreeMap<String, ShareStatus>) -> GroupStatus {
    GroupStatus {
        initialized: group.initialized,
        joined: group.joined,
        in_queue,
        read_only: group.initialized && group.leader.is_none(),
        ready: count(group.ready),
        size: count(group.size),
        status: match group.health {
            Health::Ready => WorkState::Ready,
            Health::Progressing | Health::Pending => WorkState::Progressing,
            Health::Degraded | Health::Unavailable => WorkState::Degraded,
            Health::Unknown => WorkState::Unknown,
        },
        leader: group.leader.as_ref().map(ToString::to_string),
        draining: group.draining.clone(),
        members: group.members.iter().map(member).collect(),
        placement,
    }
}

fn member(member: &MemberView) -> MemberStatus {
    MemberStatus {
        name: member.pod.to_string(),
        vdc: member.vdc.to_string(),
        state: member.state.clone(),
        votes: member.votes,
        priority: member.priority,
        ready: member.ready,
        reason: member.reason.clone(),
        disagreement: member.disagreement.clone(),
    }
}

fn count(members: usize) -> u32 {
    u32::try_from(members).unwrap_or(u32::MAX)
}
