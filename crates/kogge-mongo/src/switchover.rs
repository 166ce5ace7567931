//! A planned switchover: primaries leave the vdcs that the goal names, and do not come back while it names them.
//! Votes stay as they are. The members there keep a priority above 0, so that one of them takes over where
//! nobody else is left.

use crate::goal::{Goal, MemberGoal};
use crate::handover;
use crate::membership::Ground;
use crate::plan::Draft;
use crate::replset::{ConfigMember, LOWERED_PRIORITY};
use crate::settle;
use crate::view::SetView;

/// The priority that a voter shall have now.
pub(crate) fn priority(goal: &Goal, ground: &Ground<'_>, member: &MemberGoal) -> f64 {
    if member.priority > 0 && is_away(goal, member) && has_outside(goal, ground) {
        LOWERED_PRIORITY
    } else {
        f64::from(member.priority)
    }
}

/// Plans what moves the primary out of the vdcs: priorities first, so that the office does not go to another
/// member there. While a member is on its way to health there is no reconfiguration, and the primary still moves
/// where nobody inside could inherit.
pub(crate) fn plan(goal: &Goal, ground: &Ground<'_>, disturbed: bool, draft: &mut Draft<'_>) {
    let mut inside = ground.listed().filter(|(wanted, _)| is_away(goal, wanted)).peekable();
    if inside.peek().is_none() {
        return;
    }
    if !has_outside(goal, ground) {
        draft.wait("a voter that may become primary outside of the vdcs that primaries move away from");
        return;
    }
    for (wanted, listed) in inside {
        if listed.votes == 0 || listed.priority == 0.0 {
            continue;
        }
        let lowered = (listed.priority - priority(goal, ground, wanted)).abs() < f64::EPSILON;
        if disturbed && !lowered && ground.view.healthy(&wanted.host) && &wanted.pod != ground.primary.pod {
            draft.wait_member(&wanted.pod, "the set to be undisturbed before its priority is lowered", None);
            return;
        }
        if !disturbed && settle::set_priority(goal, ground, wanted, listed, draft) {
            return;
        }
    }
    // A member that is about to be restarted would only hand the office back.
    let stays = |m: &ConfigMember| is_outside(goal, ground.view, m) && !ground.view.is_outdated(&m.host);
    if primary_is_inside(goal, ground.view) && handover::heir(ground.view, ground.primary.pod, stays).is_some() {
        step_down(ground.view, stays, draft);
    }
}

/// Plans the step-down that is left when restarts are through or held: to whoever is outside.
pub(crate) fn finish(goal: &Goal, view: &SetView<'_>, draft: &mut Draft<'_>) {
    if !draft.changes_something() && primary_is_inside(goal, view) && some_voter_outside(goal, view) {
        step_down(view, |m| is_outside(goal, view, m), draft);
    }
}

fn step_down(view: &SetView<'_>, suits: impl Fn(&ConfigMember) -> bool, draft: &mut Draft<'_>) {
    if let Some(primary) = view.primary {
        handover::step_down(view, primary.pod, "primaries move away from its vdc", suits, draft);
    }
}

fn primary_is_inside(goal: &Goal, view: &SetView<'_>) -> bool {
    let pod = view.primary.map(|primary| primary.pod);
    view.set.members.iter().any(|m| Some(&m.pod) == pod && is_away(goal, m))
}

fn is_outside(goal: &Goal, view: &SetView<'_>, member: &ConfigMember) -> bool {
    view.set.member_by_host(&member.host).is_some_and(|wanted| !is_away(goal, wanted))
}

fn some_voter_outside(goal: &Goal, view: &SetView<'_>) -> bool {
    view.config.is_some_and(|config| config.voters().any(|m| m.priority > 0.0 && is_outside(goal, view, m)))
}

fn is_away(goal: &Goal, member: &MemberGoal) -> bool {
    goal.away_from.contains(&member.vdc)
}

fn has_outside(goal: &Goal, ground: &Ground<'_>) -> bool {
    let mut members = ground.view.set.members.iter();
    members.any(|m| !is_away(goal, m) && m.electable() && ground.voters.contains(&m.pod))
}
