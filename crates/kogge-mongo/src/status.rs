//! How a set stands, for people.

use kogge_engine::Health;

use crate::data::goal::{Goal, MemberGoal};
use crate::data::replset::{MemberState, majority};
use crate::data::set_status::{MemberStatus, SetStatus};
use crate::data::topology::{Millis, Pod, Topology};
use crate::planning::draft::Draft;
use crate::planning::sharding;
use crate::view::SetView;
use crate::view::{disagreement, routers};

/// Describes a set from the same view that its steps were planned on.
pub(crate) fn of_set(
    goal: &Goal,
    view: &SetView<'_>,
    topology: &Topology,
    draft: &Draft<'_>,
    now: Millis,
) -> SetStatus {
    let ordered = view.set.ordered_members().into_iter();
    let members: Vec<MemberStatus> = ordered.map(|m| of_member(view, draft, m)).collect();
    let ready = members.iter().filter(|m| m.ready).count();
    let primary = view.primary_pod().cloned();
    let (healthy, voters) = view.voters();
    let held_data = view.set.members.iter().any(|m| m.anchor.initialized);
    let initialized = view.initiated() || held_data;
    let observed = view.set.members.iter().any(|m| view.server(&m.pod).is_some());
    let settled = draft.steps.is_empty() && draft.waiting.is_empty();
    let sick = members.iter().any(|m| m.state.is_some_and(|s| !s.healthy() && !s.in_transition()));
    let health = match (initialized, observed, &primary) {
        (false, _, _) if held_data || !observed => Health::Unknown,
        (false, _, _) => Health::Pending,
        (true, false, _) => Health::Unknown,
        (true, true, None) => Health::Unavailable,
        (true, true, Some(_)) if settled && ready == members.len() => Health::Ready,
        (true, true, Some(_)) if sick => Health::Degraded,
        (true, true, Some(_)) => Health::Progressing,
    };
    SetStatus {
        role: view.set.role,
        initialized,
        added_as_shard: routers::added(goal, view.set, topology, now),
        health,
        primary,
        draining: sharding::drain::left(goal, view, topology, now),
        voters,
        healthy_voters: healthy,
        config: view.config.map(|config| config.stamp),
        ready,
        size: members.len(),
        quorum_at_risk: healthy < voters && healthy.saturating_sub(1) < majority(voters),
        members,
    }
}

fn of_member(view: &SetView<'_>, draft: &Draft<'_>, member: &MemberGoal) -> MemberStatus {
    let listed = view.entry(member);
    let state = view.state_of(listed.map_or(&member.host, |listed| &listed.host));
    let reason = why_not_ready(view, draft, member, state, listed.is_some());
    MemberStatus {
        pod: member.pod.clone(),
        placement: member.placement.clone(),
        vdc: member.vdc.clone(),
        state,
        listed: listed.is_some(),
        votes: listed.map_or(0, |m| m.votes),
        priority: listed.map_or(0.0, |m| m.priority),
        lag_ms: view.lag_ms(&member.host),
        ready: reason.is_none(),
        reason,
        disagreement: disagreement::of_member(view, member),
    }
}

fn why_not_ready(
    view: &SetView<'_>,
    draft: &Draft<'_>,
    member: &MemberGoal,
    state: Option<MemberState>,
    listed: bool,
) -> Option<String> {
    if let Some(waiting) = draft.waiting.iter().find(|waiting| waiting.member.as_ref() == Some(&member.pod)) {
        return Some(format!("waits for {}", waiting.what));
    }
    let Some(seen) = view.observations.get(&member.pod) else {
        return Some("was not observed yet".to_owned());
    };
    match &seen.pod {
        Pod::Unknown { reason } => return Some(format!("its pod is not seen: {reason}")),
        Pod::Absent => return Some("its pod does not exist".to_owned()),
        Pod::Present(pod) if pod.terminating => return Some("its pod is ending".to_owned()),
        Pod::Present(pod) if !pod.ready => return Some("its pod is not ready".to_owned()),
        Pod::Present(_) => {}
    }
    if view.server(&member.pod).is_none() {
        return Some("its server was not observed lately".to_owned());
    }
    if !listed {
        return Some("has not joined the set".to_owned());
    }
    match state {
        Some(MemberState::Primary | MemberState::Secondary) => None,
        Some(state) => Some(format!("is {state}")),
        None => Some("its state is not known".to_owned()),
    }
}
