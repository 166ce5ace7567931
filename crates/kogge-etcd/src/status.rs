//! How the group is, for people.

use std::collections::BTreeSet;

use kogge_engine::Health;

use crate::draft::Draft;
use crate::goal::MemberGoal;
use crate::names::Vdc;
use crate::outcome::{FindingKind, GroupStatus, MemberState, MemberStatus};
use crate::topology::Pod;
use crate::version_rules;
use crate::view::GroupView;
use crate::votes::quorum;

/// Describes the group from the same view that its steps were planned on.
pub(crate) fn of_group(view: &GroupView<'_>, draft: &Draft) -> GroupStatus {
    let members: Vec<MemberStatus> =
        view.goal.ordered_members().into_iter().map(|m| of_member(view, draft, m)).collect();
    let surplus =
        |pod| draft.findings.iter().any(|f| f.kind == FindingKind::Surplus && f.member.as_ref() == Some(pod));
    let ready = members.iter().filter(|m| m.ready).count();
    let expected = members.iter().filter(|m| !surplus(&m.pod)).count();
    let leader = view.leader_pod().cloned();
    let (live, voters) = view.live_voters();
    let initialized = view.initiated();
    let observed = !view.servers.is_empty();
    let settled = draft.steps.is_empty() && draft.waiting.is_empty();
    let sick = members.iter().any(|m| m.state == MemberState::Silent);
    let health = match (initialized, observed) {
        (false, _) => Health::Pending,
        (true, false) => Health::Unknown,
        (true, true) if leader.is_none() => Health::Unavailable,
        (true, true) if settled && ready >= expected => Health::Ready,
        (true, true) if sick => Health::Degraded,
        (true, true) => Health::Progressing,
    };
    GroupStatus {
        initialized,
        health,
        cluster_id: view.goal.seed.as_ref().map(|seed| seed.cluster_id),
        leader,
        cluster_version: version_rules::agreed(view),
        voters,
        live_voters: live,
        learners: view.members.len() - voters,
        ready,
        size: members.len(),
        quorum_at_risk: live < voters && live.saturating_sub(1) < quorum(voters),
        critical_vdcs: critical_vdcs(view),
        members,
    }
}

/// Vdcs whose loss would leave fewer live voters than a quorum.
fn critical_vdcs(view: &GroupView<'_>) -> BTreeSet<Vdc> {
    let (live, voters) = view.live_voters();
    let in_vdc = |vdc: &Vdc| {
        let inside = view.voters().filter(|m| view.pod_of(m).and_then(|pod| view.goal.vdc_of(pod)) == Some(vdc));
        inside.filter(|m| view.is_live(m)).count()
    };
    let vdcs = view.votes_by_vdc().into_keys();
    vdcs.filter(|vdc| live.saturating_sub(in_vdc(vdc)) < quorum(voters)).collect()
}

fn of_member(view: &GroupView<'_>, draft: &Draft, member: &MemberGoal) -> MemberStatus {
    let pod = &member.pod;
    let listed = view.entry(pod);
    let state = match listed {
        None => MemberState::Unlisted,
        Some(listed) if !view.is_live(listed) => MemberState::Silent,
        Some(_) if view.leader_pod() == Some(pod) => MemberState::Leader,
        Some(listed) if listed.learner => MemberState::Learner,
        Some(_) => MemberState::Follower,
    };
    let reason = why_not_ready(view, draft, member, state);
    MemberStatus {
        pod: pod.clone(),
        placement: member.placement.clone(),
        vdc: member.vdc.clone(),
        member_id: listed.map(|listed| listed.id),
        state,
        lag: listed.and_then(|listed| view.lag(listed)),
        version: view.servers.get(pod).and_then(|server| server.version()),
        db_size: view.serving(pod).map(|state| state.db_size),
        ready: reason.is_none(),
        reason,
    }
}

fn why_not_ready(view: &GroupView<'_>, draft: &Draft, member: &MemberGoal, state: MemberState) -> Option<String> {
    let pod = &member.pod;
    if let Some(waiting) = draft.waiting.iter().find(|waiting| waiting.member.as_ref() == Some(pod)) {
        return Some(waiting.message.clone());
    }
    match view.observations.get(pod).map(|seen| &seen.pod) {
        None => return Some(format!("{pod} has not been observed yet")),
        Some(Pod::Unknown { reason }) => return Some(format!("the pod {pod} is not observed ({reason})")),
        Some(Pod::Absent) => return Some(format!("the pod {pod} does not exist")),
        Some(Pod::Present(facts)) if facts.terminating => return Some(format!("the pod {pod} is terminating")),
        Some(Pod::Present(facts)) if !facts.ready => return Some(format!("the pod {pod} is not ready")),
        Some(Pod::Present(_)) => {}
    }
    match state {
        MemberState::Leader | MemberState::Follower | MemberState::Learner => None,
        MemberState::Silent => Some(view.trouble(pod)),
        MemberState::Unlisted => Some(format!("{pod} has not joined the group")),
    }
}
