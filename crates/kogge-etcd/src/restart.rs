//! Rolling restarts: which pod is next, and what holds it back.

use crate::draft::Draft;
use crate::goal::MemberGoal;
use crate::ground::Ground;
use crate::handover;
use crate::names::PodName;
use crate::outcome::FindingKind;
use crate::step::Action;
use crate::topology::{ListedMember, Pod, PodFacts, Server};
use crate::view::{CONNECTED_AFTER_SECS, GroupView};
use crate::votes::quorum;
use crate::{alarms, version_rules};

/// Plans the restart of a member that does not work and is outdated. There is nothing to lose, so nothing holds it back:
/// a broken template must not keep its own repair away.
pub(crate) fn broken(view: &GroupView<'_>, draft: &mut Draft) {
    let mut broken: Vec<_> = outdated(view).filter(|(pod, _)| is_broken(view, pod)).collect();
    broken.sort_by_key(|(pod, _)| rank(view, pod));
    if let Some((pod, facts)) = broken.first() {
        restart(pod, facts, "its template has changed and it does not work, so nothing is lost", draft);
    }
}

/// Whether a member does nothing for the group, as several observations in a row say. A learner in its first sync is left
/// alone, as is a server that has just been allowed to start.
fn is_broken(view: &GroupView<'_>, pod: &PodName) -> bool {
    if !view.is_believed(pod) {
        return false;
    }
    // Who sees nobody's list does not know who is listed.
    let Some(listed) = view.entry(pod) else { return view.leader.is_some() || !view.initiated() };
    let (live, voters) = view.live_voters();
    match view.observations.get(pod).map(|seen| &seen.server) {
        // It may be fetching what it missed, it may lead, and a leader that few follow may need it.
        Some(Server::PeerOnly(_)) => {
            let needed = view.leader_pod() == Some(pod) || (view.leader.is_some() && live < quorum(voters));
            !listed.learner && !needed && !view.is_heard(listed.id)
        }
        Some(Server::Serving(_)) => view.leader.is_some() && !view.is_live(listed),
        Some(Server::Unreachable { .. }) => {
            !view.is_heard(listed.id) && view.present_pod(pod).is_some_and(|facts| !facts.ready)
        }
        None => false,
    }
}

/// Plans the next restart of a member that works and is outdated, or the hand-over before it.
pub(crate) fn healthy(ground: Option<&Ground<'_>>, view: &GroupView<'_>, draft: &mut Draft) {
    let mut next: Vec<_> = outdated(view).collect();
    if next.is_empty() {
        return;
    }
    let Some(ground) = ground else {
        draft.wait("restarts wait for a leader that is followed by a quorum");
        return;
    };
    if let Some(obstacle) = obstacle(ground, draft) {
        draft.wait(format!("restarts wait: {obstacle}"));
        return;
    }
    next.sort_by_key(|(pod, facts)| (facts.ready, turn(ground, pod), rank(view, pod)));
    let Some((pod, facts)) = next.first() else { return };
    let (live, voters) = view.live_voters();
    let votes = view.entry(pod).is_some_and(|listed| !listed.learner);
    match turn(ground, pod) {
        Turn::Leader if voters > 1 => {
            let why = format!("{pod} is to be restarted and is the leader");
            // One that leaves may lead for a while where nobody else can.
            let stays = |listed: &ListedMember| !ground.is_surplus(listed);
            let any = handover::heir(view, stays).is_none();
            handover::plan(ground, &why, |listed| any || stays(listed), draft);
        }
        // A group of one or two has no quorum without one of them, however long it waits.
        _ if votes && voters > 2 && live - 1 < quorum(voters) => draft.wait_member(
            pod,
            format!("{pod} is not restarted: {} of {voters} voters would be live without it", live - 1),
            None,
        ),
        _ => restart(pod, facts, "its template has changed and all other members are live", draft),
    }
}

/// When a member is restarted: the leader last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Turn {
    WithoutVote,
    Follower,
    Leader,
}

fn turn(ground: &Ground<'_>, pod: &PodName) -> Turn {
    match ground.view.entry(pod) {
        Some(listed) if ground.is_leader(listed) => Turn::Leader,
        Some(listed) if !listed.learner => Turn::Follower,
        Some(_) | None => Turn::WithoutVote,
    }
}

/// The order within a rollout: by placement, those that leave last, then by name.
fn rank<'a>(view: &GroupView<'a>, pod: &'a PodName) -> impl Ord + use<'a> {
    let placement = view.goal.member(pod).map(|member| view.goal.rollout_rank(&member.placement));
    (placement.is_none(), placement, pod.rank())
}

/// The members whose pods are of another template than the present one. Those that leave are among them only while
/// members of two minor releases run: nobody joins until that is over, and nobody leaves before.
fn outdated<'a>(view: &GroupView<'a>) -> impl Iterator<Item = (&'a PodName, &'a PodFacts)> {
    let mixed = version_rules::may_join(view).is_err();
    let leaving = view.goal.leaving.iter().filter(move |_| mixed).filter_map(|leaving| {
        let facts = view.present_pod(&leaving.pod)?;
        (facts.outdated() && view.entry(&leaving.pod).is_some()).then_some((&leaving.pod, facts))
    });
    let leaving: Vec<_> = leaving.collect();
    view.outdated().map(|(member, facts)| (&member.pod, facts)).chain(leaving)
}

/// What keeps every working member from being restarted, as a sentence.
fn obstacle(ground: &Ground<'_>, draft: &Draft) -> Option<String> {
    let view = ground.view;
    if let Some((placement, reason)) = view.goal.unseen.first_key_value() {
        return Some(format!("placement {placement} has not been observed completely ({reason})"));
    }
    if let Err((_, message)) = version_rules::verdict(view) {
        return Some(message);
    }
    if let Some(alarm) = alarms::holds_restarts(view) {
        return Some(alarm);
    }
    // Only one that has a place in the group can be waited for.
    let without_place = |pod| {
        let placeless = [FindingKind::Surplus, FindingKind::HeldOut];
        draft.findings.iter().any(|f| placeless.contains(&f.kind) && f.member.as_ref() == Some(pod))
    };
    let ordered = view.goal.ordered_members().into_iter().filter(|member| !without_place(&member.pod));
    ordered.into_iter().find_map(|member| member_obstacle(view, member)).or_else(|| {
        let young = view.just_started()?;
        Some(format!("{young} has served for less than {CONNECTED_AFTER_SECS} s"))
    })
}

fn member_obstacle(view: &GroupView<'_>, member: &MemberGoal) -> Option<String> {
    let pod = &member.pod;
    let Some(listed) = view.entry(pod) else {
        // While members of two minor releases run nobody joins, and the rollout is what ends that.
        return version_rules::may_join(view).is_ok().then(|| format!("{pod} has not joined the group"));
    };
    match view.observations.get(pod).map(|seen| &seen.pod) {
        None => return Some(format!("{pod} has not been observed yet")),
        Some(Pod::Unknown { reason }) => return Some(format!("the pod {pod} is not observed ({reason})")),
        Some(Pod::Absent) => return Some(format!("the pod {pod} does not exist")),
        Some(Pod::Present(facts)) if facts.terminating => return Some(format!("the pod {pod} is terminating")),
        // One that is outdated itself may be unready because of its template.
        Some(Pod::Present(facts)) if !facts.ready && !facts.outdated() => {
            return Some(format!("the pod {pod} is not ready"));
        }
        Some(Pod::Present(facts)) if !facts.resolves_everywhere => {
            return Some(format!("the name in {} does not resolve in every vdc", member.peer_url));
        }
        Some(Pod::Present(_)) => {}
    }
    if !view.is_live(listed) {
        return Some(view.trouble(pod));
    }
    (!view.caught_up(listed)).then(|| format!("{pod} is too far behind the leader"))
}

fn restart(pod: &PodName, facts: &PodFacts, reason: &str, draft: &mut Draft) {
    draft.step(
        Action::RestartPod { pod: pod.clone(), uid: facts.uid.clone() },
        reason,
        format!("{pod} follows the leader again and resolves in every vdc"),
    );
}
