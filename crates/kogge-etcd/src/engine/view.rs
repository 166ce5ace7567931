//! The plan in the words that all engines share.

use std::collections::{BTreeMap, BTreeSet};

use kogge_api::conditions::{self, Status, database::AVAILABLE};
use kogge_engine::{
    Approval, EngineView, Executor as Who, Finding, Group, GroupName, Health, Heard, Listed, MemberView, Millis,
    Pod, PodName, Step as NeutralStep, Waiting,
};

use super::components::component;
use crate::goal::{Goal, MemberGoal, Start};
use crate::outcome::{Finding as Found, FindingKind, GroupStatus, MemberState, MemberStatus, Plan};
use crate::plan::plan;
use crate::step::{Action, Executor, Step};
use crate::topology::{Server, Topology};

pub(super) fn view(goal: &Goal, topology: &Topology, now: Millis) -> EngineView<Step> {
    let plan = plan(goal, topology, now);
    let name = group_name(goal);
    let (advice, findings): (Vec<_>, Vec<_>) = plan.findings.iter().partition(|found| found.kind.is_advice());
    EngineView {
        availability: availability(&plan, &name),
        data_version: plan.group.cluster_version.map(|series| series.to_string()),
        // They are read at every handshake.
        reloads_certificates: true,
        refuses_rollout: refuses_rollout(goal, &plan),
        listed: listed(topology, &name),
        waiting_gates: waiting_gates(goal, topology),
        waiting: plan
            .waiting
            .iter()
            .map(|waiting| Waiting {
                group: Some(name.clone()),
                member: waiting.member.clone(),
                what: waiting.message.clone(),
                since: waiting.since,
            })
            .collect(),
        findings: findings.into_iter().map(finding).collect(),
        advice: advice.into_iter().map(finding).collect(),
        approvals: plan
            .approvals
            .iter()
            .map(|needed| Approval {
                group: name.clone(),
                what: needed.message.clone(),
                hash: needed.hash.clone(),
            })
            .collect(),
        groups: [(name.clone(), group(&plan.group))].into(),
        steps: plan.steps.into_iter().map(|taken| step(&name, taken)).collect(),
    }
}

fn finding(found: &Found) -> Finding {
    Finding { reason: found.kind.reason(), message: found.message.clone() }
}

/// As [`names::group`](kogge_api::names::group) has it: the goal's token begins with the clusterID.
pub(super) fn group_name(goal: &Goal) -> GroupName {
    GroupName::new(format!("{}-{}-{}", goal.database, component().key, goal.uid))
}

fn group(group: &GroupStatus) -> Group {
    let members = group.members.iter();
    Group {
        component: component().key,
        initialized: group.initialized,
        joined: None,
        health: group.health,
        leader: group.leader.clone(),
        draining: None,
        voters: group.voters,
        healthy_voters: group.live_voters,
        ready: group.ready,
        size: group.size,
        quorum_at_risk: group.quorum_at_risk,
        config_version: None,
        config_term: None,
        members: members.map(member).collect(),
    }
}

fn member(member: &MemberStatus) -> MemberView {
    let votes = matches!(member.state, MemberState::Leader | MemberState::Follower);
    MemberView {
        pod: member.pod.clone(),
        placement: member.placement.clone(),
        vdc: member.vdc.clone(),
        state: format!("{:?}", member.state),
        is_healthy: matches!(member.state, MemberState::Leader | MemberState::Follower | MemberState::Learner),
        in_transition: false,
        listed: member.member_id.is_some(),
        votes: votes.into(),
        priority: None,
        // How far it is behind is counted in entries, not in time.
        lag_ms: None,
        ready: member.ready,
        reason: member.reason.clone(),
        disagreement: None,
    }
}

fn step(group: &GroupName, step: Step) -> NeutralStep<Step> {
    NeutralStep {
        group: group.clone(),
        name: step.action.name(),
        what: step.action.to_string(),
        reason: step.reason.clone(),
        waits_for: step.waits_for.clone(),
        executor: match (&step.action, step.action.executor()) {
            (Action::RestartPod { pod, uid }, _) => Who::Restart { pod: pod.clone(), uid: uid.clone() },
            (_, Executor::Anchor) => Who::Anchor,
            (_, Executor::Wire | Executor::Kubernetes) => Who::Client,
        },
        burdens: match &step.action {
            Action::AddLearner { pod, .. } | Action::RestartPod { pod, .. } => Some(pod.clone()),
            _ => None,
        },
        payload: step,
    }
}

pub(super) fn heard(topology: &Topology) -> Vec<Heard> {
    let members = topology.members.iter();
    let silent = |server: &Server| match server {
        Server::Unreachable { reason, .. } => Some(reason.clone()),
        Server::PeerOnly(_) | Server::Serving(_) => None,
    };
    members.map(|(pod, seen)| Heard { pod: pod.clone(), kind: "member", silent: silent(&seen.server) }).collect()
}

/// The pods whose URLs any member lists; and whether the group is there, where any member says so.
fn listed(topology: &Topology, group: &GroupName) -> Listed {
    let lists: Vec<_> = topology.members.values().filter_map(|seen| seen.server.members()).collect();
    let urls = lists.iter().flat_map(|members| members.iter()).flat_map(|member| &member.peer_urls);
    let host = |url: &str| url.split_once("://")?.1.split('.').next().map(str::to_owned);
    Listed {
        members: urls.filter_map(|url| host(url.as_str())).collect(),
        groups: (!lists.is_empty()).then(|| BTreeSet::from([group.clone()])),
    }
}

/// The gates that wait for the start which the anchors allow, and the hash of that.
fn waiting_gates(goal: &Goal, topology: &Topology) -> BTreeMap<PodName, String> {
    let waits = |member: &MemberGoal| {
        let start = member.anchor.start.as_ref()?;
        let seen = topology.members.get(&member.pod)?;
        let is_here = matches!(&seen.pod, Pod::Present(facts) if facts.uid == start.uid && facts.running);
        let is_silent = matches!(seen.server, Server::Unreachable { .. });
        (is_here && is_silent).then(|| (member.pod.clone(), start_hash(start)))
    };
    goal.members.iter().filter_map(waits).collect()
}

fn start_hash(start: &Start) -> String {
    let members: Vec<String> = start.initial_cluster.iter().map(|(url, name)| format!("{name}={url}")).collect();
    crate::approval::hash(&format!("start\n{}\n{}\n{}\n", start.state, start.token, members.join(",")))
}

/// A member that starts by itself meanwhile must not find binaries that the group cannot take.
fn refuses_rollout(goal: &Goal, plan: &Plan) -> Option<String> {
    let kinds = [FindingKind::VersionSkipped, FindingKind::VersionBehind, FindingKind::VersionTooOld];
    let why = plan.findings.iter().find(|found| kinds.contains(&found.kind)).map(|found| found.message.clone());
    let unknown = || format!("the members to tell whether version {} can be reached", goal.version);
    plan.accepted_version.is_none().then(|| why.unwrap_or_else(unknown))
}

fn availability(plan: &Plan, name: &GroupName) -> conditions::Finding {
    let finding = |status: Status, reason, message| conditions::Finding::new(AVAILABLE, status, reason, message);
    if plan.available() {
        finding(Status::True, "Serving", "A quorum of the members follows the leader.".to_owned())
    } else if plan.group.health == Health::Unknown {
        finding(Status::Unknown, "MembersNotSeen", format!("Kogge has not observed the members of {name} lately."))
    } else if !plan.group.initialized {
        finding(Status::False, "NotBegun", format!("{name} has not begun yet."))
    } else {
        finding(Status::False, "NoQuorum", format!("{name} has no leader that a quorum of its members follows."))
    }
}
