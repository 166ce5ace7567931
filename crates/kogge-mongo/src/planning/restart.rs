//! Rolling restarts: which pod is next, and what holds it back.

use kogge_api::gate::Disk;

use crate::data::goal::{Goal, MemberGoal};
use crate::data::names::SetName;
use crate::data::replset::{MemberState, majority};
use crate::data::step::Action;
use crate::data::topology::{Pod, PodFacts, Server};
use crate::planning::draft::Draft;
use crate::planning::handover;
use crate::view::SetView;

/// Plans the restart of a member that is unhealthy and outdated. There is nothing to lose, so no gate
/// holds it back: a broken template must not keep its own repair away.
pub(crate) fn unhealthy(goal: &Goal, view: &SetView<'_>, draft: &mut Draft<'_>) {
    let mut broken: Vec<_> = outdated(view).filter(|(member, pod)| is_broken(view, member, pod)).collect();
    broken.sort_by_key(|(member, _)| goal.rollout_rank(&member.placement));
    if let Some((member, pod)) = broken.first() {
        restart(member, pod, "it is outdated and not healthy, so nothing is lost", draft);
    }
}

/// Plans the next restart of a healthy outdated member, or the step-down before it. `held` names the
/// earlier set that is not through yet.
pub(crate) fn healthy(goal: &Goal, view: &SetView<'_>, held: &mut Option<SetName>, draft: &mut Draft<'_>) {
    let mut next: Vec<_> = outdated(view).collect();
    let obstacle = obstacle(goal, view);
    if next.is_empty() {
        if obstacle.is_some() {
            held.get_or_insert_with(|| view.set.name.clone());
        }
        return;
    }
    let held_by = held.get_or_insert_with(|| view.set.name.clone()).clone();
    if held_by != view.set.name {
        draft.wait(format!("{held_by} to be restarted and healthy before its own restarts"));
        return;
    }
    if draft.changes_something() {
        return;
    }
    if let Some(obstacle) = obstacle {
        draft.wait(format!("its restarts are held: {obstacle}"));
        return;
    }
    next.sort_by(|(a, a_pod), (b, b_pod)| {
        (a_pod.ready, turn(view, a), goal.rollout_rank(&a.placement))
            .cmp(&(b_pod.ready, turn(view, b), goal.rollout_rank(&b.placement)))
            .then_with(|| a.pod.natural_cmp(&b.pod))
    });
    if let Some((member, pod)) = next.first() {
        let is_primary = turn(view, member) == Turn::Primary;
        if is_primary && handover::has_successor(view, &member.pod) {
            handover::step_down(view, &member.pod, "it is outdated", |_| true, draft);
        } else if let Some(obstacle) = costs_the_majority(view, member) {
            draft.wait(format!("its restarts are held: {obstacle}"));
        } else if !is_primary {
            restart(member, pod, "its template has changed and all other members are healthy", draft);
        } else {
            let why = "its template has changed and nobody else may become primary: it becomes primary again";
            restart(member, pod, why, draft);
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Turn {
    NonVoter,
    Secondary,
    Primary,
}

fn turn(view: &SetView<'_>, member: &MemberGoal) -> Turn {
    let votes = view.config.and_then(|config| config.by_host(&member.host)).map_or(0, |listed| listed.votes);
    if view.primary_pod() == Some(&member.pod) {
        Turn::Primary
    } else if votes > 0 {
        Turn::Secondary
    } else {
        Turn::NonVoter
    }
}

fn outdated<'a>(view: &'a SetView<'_>) -> impl Iterator<Item = (&'a MemberGoal, &'a PodFacts)> {
    let ordered = view.set.ordered_members().into_iter();
    ordered.filter_map(|member| {
        let pod = view.observations.get(&member.pod)?.pod.facts()?;
        (pod.outdated() && !pod.terminating).then_some((member, pod))
    })
}

/// Its pod is not ready, or its server itself says that it is no working member; a member that is on
/// its way to health is left alone.
fn is_broken(view: &SetView<'_>, member: &MemberGoal, pod: &PodFacts) -> bool {
    // Where every member starts at once nobody tells the config; whoever starts on its data is in it.
    let joined = view.entry(member).is_some() || pod.disk() == Some(Disk::Data);
    match view.state_of(&member.host) {
        Some(state) if state.healthy() => false,
        Some(state) if state.in_transition() && joined => false,
        _ => !pod.ready || view.server(&member.pod).is_some(),
    }
}

/// What keeps every healthy member of the set from being restarted, as a sentence.
fn obstacle(goal: &Goal, view: &SetView<'_>) -> Option<String> {
    if let Some((placement, reason)) = goal.unseen.first_key_value() {
        return Some(format!("placement {placement} has not been seen completely: {reason}"));
    }
    if view.primary.is_none() {
        return Some("no primary answers".to_owned());
    }
    let ordered = view.set.ordered_members();
    ordered.into_iter().find_map(|member| member_obstacle(view, member)).or_else(|| spreading(view))
}

/// The newest config, where it is known not to have reached a majority: nothing that changes the config is planned
/// before it has, so what keeps its majority without the member may be still to come. The number of voters may be even,
/// or a voter that is down may be next to lose its vote.
fn spreading(view: &SetView<'_>) -> Option<String> {
    let config = view.config?;
    let (holding, voters) = view.spread(config);
    (holding < majority(voters)).then(|| {
        format!("only {holding} of {voters} voters hold the config of {}, not yet a majority", config.stamp)
    })
}

/// That the restart of a voter would leave no healthy majority. Every wanted member is healthy by now; a voter that
/// leaves, or is not ours, may be down. Where every voter is healthy the set is just that small, and there is nothing to
/// wait for.
fn costs_the_majority(view: &SetView<'_>, member: &MemberGoal) -> Option<String> {
    if turn(view, member) == Turn::NonVoter {
        return None;
    }
    let (healthy, voters) = view.voters();
    let left = healthy.saturating_sub(1);
    (healthy < voters && left < majority(voters))
        .then(|| format!("without {} only {left} of {voters} voters would be healthy", member.pod))
}

fn member_obstacle(view: &SetView<'_>, member: &MemberGoal) -> Option<String> {
    let pod = &member.pod;
    let Some(seen) = view.observations.get(pod) else {
        return Some(format!("{pod} has not been observed"));
    };
    match &seen.pod {
        Pod::Unknown { reason } => return Some(format!("the pod of {pod} is not seen: {reason}")),
        Pod::Absent => return Some(format!("{pod} has no pod")),
        Pod::Present(facts) if facts.terminating => return Some(format!("{pod} is ending")),
        // What is outdated itself may be unready because of its template.
        Pod::Present(facts) if !facts.ready && !facts.outdated() => {
            return Some(format!("{pod} is not ready"));
        }
        Pod::Present(facts) if !facts.resolves_everywhere => {
            return Some(format!("{} does not resolve in every vdc", member.host));
        }
        Pod::Present(_) => {}
    }
    if let Server::Unreachable { reason, .. } = &seen.server {
        return Some(format!("{pod} does not answer: {reason}"));
    }
    if view.config.is_none_or(|config| config.by_host(&member.host).is_none()) {
        return Some(format!("{pod} has not joined"));
    }
    match view.state_of(&member.host) {
        Some(MemberState::Primary | MemberState::Secondary) if view.caught_up(&member.host) => None,
        Some(MemberState::Secondary) => Some(format!("{pod} has not caught up")),
        Some(state) => Some(format!("{pod} is {state}")),
        None => Some(format!("the state of {pod} is not known")),
    }
}

fn restart(member: &MemberGoal, pod: &PodFacts, reason: &str, draft: &mut Draft<'_>) {
    draft.step(
        Action::RestartPod { pod: member.pod.clone(), uid: pod.uid.clone() },
        reason,
        format!("{} to be healthy again and to resolve in every vdc", member.pod),
    );
}
