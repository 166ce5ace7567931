//! A planned switchover: primaries leave the vdcs that the goal names, and do not come back while it names them.
//! Votes stay as they are. The members there keep a priority above 0, so that one of them takes over where
//! nobody else is left.

use crate::goal::{Goal, MemberGoal};
use crate::handover;
use crate::membership::Ground;
use crate::plan::Draft;
use crate::replset::{ConfigMember, LOWERED_PRIORITY};
use crate::settle;

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
    let stays = |m: &ConfigMember| may_lead(goal, ground, m) && !ground.view.is_outdated(&m.host);
    if primary_is_inside(goal, ground) && handover::heir(ground.view, ground.primary.pod, stays).is_some() {
        step_down(ground, stays, draft);
    }
}

/// Plans the step-down that is left when restarts are through or held: to whoever is outside.
pub(crate) fn finish(goal: &Goal, ground: &Ground<'_>, draft: &mut Draft<'_>) {
    if !draft.changes_something() && primary_is_inside(goal, ground) && has_outside(goal, ground) {
        step_down(ground, |m| may_lead(goal, ground, m), draft);
    }
}

/// Whether a listed member keeps its vote and is not in a vdc that primaries move away from now. Whoever loses its
/// vote would only hand the office back.
pub(crate) fn may_lead(goal: &Goal, ground: &Ground<'_>, member: &ConfigMember) -> bool {
    let wanted = ground.view.set.member_by_host(&member.host);
    wanted.is_some_and(|wanted| {
        ground.voters.contains(&wanted.pod) && !(is_away(goal, wanted) && has_outside(goal, ground))
    })
}

fn step_down(ground: &Ground<'_>, suits: impl Fn(&ConfigMember) -> bool, draft: &mut Draft<'_>) {
    handover::step_down(ground.view, ground.primary.pod, "primaries move away from its vdc", suits, draft);
}

fn primary_is_inside(goal: &Goal, ground: &Ground<'_>) -> bool {
    ground.view.set.members.iter().any(|m| &m.pod == ground.primary.pod && is_away(goal, m))
}

fn is_away(goal: &Goal, member: &MemberGoal) -> bool {
    goal.away_from.contains(&member.vdc)
}

fn has_outside(goal: &Goal, ground: &Ground<'_>) -> bool {
    let mut members = ground.view.set.members.iter();
    members.any(|m| !is_away(goal, m) && m.electable() && ground.voters.contains(&m.pod))
}
