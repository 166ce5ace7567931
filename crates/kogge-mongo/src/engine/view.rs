//! The plan in the words that all engines share.

use std::collections::{BTreeMap, BTreeSet};

use kogge_api::conditions::{self, Status, database::AVAILABLE};
use kogge_api::status::DrainStatus;
use kogge_engine::{
    Approval, EngineView, Executor as Who, Finding, Group, GroupName, Health, Heard, Listed, MemberView, Millis,
    Step as NeutralStep, Waiting,
};

use super::components::key;
use super::goal::of_role;
use crate::data::executor::Executor;
use crate::data::goal::Goal;
use crate::data::names::SetName;
use crate::data::plan::Plan;
use crate::data::replset::MemberState;
use crate::data::set_status::{MemberStatus, SetStatus};
use crate::data::step::{Action, Step};
use crate::data::topology::{Replication, RouterServer, Server, Topology};
use crate::planner::plan;
use crate::view::routers::listed_shards;

/// The wire protocol of MongoDB 5.0, which has `rotateCertificates`.
const RELOADS_CERTIFICATES: i32 = 13;
/// So many databases are named of those that are still to be moved off a shard.
const NAMED_DATABASES: usize = 100;

pub(super) fn view(goal: &Goal, topology: &Topology, now: Millis) -> EngineView<Step> {
    let plan = plan(goal, topology, now);
    let availability = availability(&plan);
    EngineView {
        groups: plan.sets.iter().map(|(name, set)| (group_name(name), group(set))).collect(),
        availability,
        data_version: plan.feature_compatibility_version,
        reloads_certificates: reloads_certificates(topology),
        refuses_rollout: None,
        waiting_gates: BTreeMap::new(),
        steps: plan.steps.into_iter().map(|taken| step(goal, taken)).collect(),
        waiting: plan
            .waiting
            .into_iter()
            .map(|waiting| Waiting {
                group: waiting.set.as_ref().map(group_name),
                member: waiting.member,
                what: waiting.what,
                since: waiting.since,
            })
            .collect(),
        findings: plan
            .findings
            .into_iter()
            .map(|found| Finding { reason: found.kind.reason(), message: found.message })
            .collect(),
        advice: Vec::new(),
        approvals: plan
            .approvals
            .into_iter()
            .map(|needed| Approval { group: group_name(&needed.set), what: needed.what, hash: needed.hash })
            .collect(),
        listed: Listed {
            members: configured(topology),
            groups: listed_shards(goal, topology, now)
                .map(|shards| shards.into_iter().map(GroupName::new).collect()),
        },
    }
}

fn group_name(set: &SetName) -> GroupName {
    GroupName::new(set.as_str())
}

fn group(set: &SetStatus) -> Group {
    Group {
        component: key(of_role(set.role)),
        initialized: set.initialized,
        joined: set.added_as_shard,
        health: set.health,
        leader: set.primary.clone(),
        draining: set.draining.as_ref().map(|left| DrainStatus {
            databases: left.databases.iter().take(NAMED_DATABASES).cloned().collect(),
            chunks: left.chunks.total,
            jumbo_chunks: left.chunks.jumbo,
        }),
        voters: set.voters,
        healthy_voters: set.healthy_voters,
        ready: set.ready,
        size: set.size,
        quorum_at_risk: set.quorum_at_risk,
        config_version: set.config.map(|config| config.version),
        config_term: set.config.map(|config| config.term),
        members: set.members.iter().map(member).collect(),
    }
}

fn member(member: &MemberStatus) -> MemberView {
    MemberView {
        pod: member.pod.clone(),
        placement: member.placement.clone(),
        vdc: member.vdc.clone(),
        state: member.state.map_or_else(|| "Unknown".to_owned(), |state| state.to_string()),
        is_healthy: matches!(member.state, Some(MemberState::Primary | MemberState::Secondary)),
        in_transition: member.state.is_some_and(MemberState::in_transition),
        listed: member.listed,
        votes: member.votes,
        priority: Some(member.priority.round() as u32),
        lag_ms: member.lag_ms,
        ready: member.ready,
        reason: member.reason.clone(),
        disagreement: member.disagreement.clone(),
    }
}

fn step(goal: &Goal, step: Step) -> NeutralStep<Step> {
    let mut members = goal.sets.iter().filter(|set| set.name == step.set).flat_map(|set| &set.members);
    let burdens = match &step.action {
        Action::AddMember { member, .. } => members.find(|m| m.host == member.host).map(|m| &m.pod),
        Action::RestartPod { pod, .. } => members.find(|m| m.pod == *pod).map(|m| &m.pod),
        _ => None,
    };
    NeutralStep {
        group: group_name(&step.set),
        name: step.action.name(),
        what: step.action.to_string(),
        reason: step.reason.clone(),
        waits_for: step.waits_for.clone(),
        executor: match (&step.action, step.action.executor()) {
            (Action::RestartPod { pod, uid }, _) => Who::Restart { pod: pod.clone(), uid: uid.clone() },
            (_, Executor::Anchor) => Who::Anchor,
            (_, Executor::Wire | Executor::Kubernetes) => Who::Client,
        },
        burdens: burdens.cloned(),
        payload: step,
    }
}

pub(super) fn heard(topology: &Topology) -> Vec<Heard> {
    let members = topology.members.iter().map(|(pod, seen)| match &seen.server {
        Server::Unreachable { reason, .. } => ("member", pod, Some(reason)),
        Server::Reachable(_) => ("member", pod, None),
    });
    let routers = topology.routers.iter().map(|(pod, seen)| match &seen.server {
        RouterServer::Unreachable { reason } => ("router", pod, Some(reason)),
        RouterServer::Serving { .. } => ("router", pod, None),
    });
    let all = members.chain(routers);
    all.map(|(kind, pod, silent)| Heard { pod: pod.clone(), kind, silent: silent.cloned() }).collect()
}

/// Whether every server can read its certificates again without a restart, as its own answer tells: from MongoDB 5.0
/// on. Routers run the members' version where nothing is being rolled out.
fn reloads_certificates(topology: &Topology) -> bool {
    !topology.members.is_empty()
        && topology.members.values().all(|member| match &member.server {
            Server::Reachable(state) => {
                state.hello.max_wire_version.is_some_and(|version| version >= RELOADS_CERTIFICATES)
            }
            Server::Unreachable { .. } => false,
        })
}

/// The pods whose hosts any replica set's config lists.
fn configured(topology: &Topology) -> BTreeSet<String> {
    let configs = topology.members.values().filter_map(|seen| match &seen.server {
        Server::Reachable(state) => match &state.replication {
            Replication::Member { config, .. } => config.as_ref(),
            _ => None,
        },
        Server::Unreachable { .. } => None,
    });
    let hosts = configs.flat_map(|config| &config.members).map(|member| member.host.as_str());
    hosts.filter_map(|host| host.split('.').next()).map(str::to_owned).collect()
}

/// Whether clients are served: the config servers and every shard that the routers list have a primary.
fn availability(plan: &Plan) -> conditions::Finding {
    let finding = |status: Status, reason, message| conditions::Finding::new(AVAILABLE, status, reason, message);
    let without = |is_unknown: bool| -> Vec<&str> {
        let parts = plan.parts().filter(|(_, set)| set.primary.is_none());
        let of_kind = parts.filter(|(_, set)| !is_unknown || set.health == Health::Unknown);
        of_kind.map(|(name, _)| name.as_str()).collect()
    };
    let (unknown, all) = (without(true), without(false));
    if plan.available() {
        let message = "The config servers and every shard have a primary.".to_owned();
        finding(Status::True, "Serving", message)
    } else if !unknown.is_empty() {
        let message = format!("Kogge has not observed these replica sets lately: {}.", unknown.join(", "));
        finding(Status::Unknown, "MembersNotSeen", message)
    } else if all.is_empty() {
        finding(Status::False, "NoShard", "The routers list no shard yet.".to_owned())
    } else {
        finding(Status::False, "NoPrimary", format!("These replica sets have no primary: {}.", all.join(", ")))
    }
}
