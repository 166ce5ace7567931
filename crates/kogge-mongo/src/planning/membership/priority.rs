//! Who may lead: the priority of each voter, and to whom the primary may hand over.

use crate::data::goal::{Goal, MemberGoal};
use crate::data::replset::{ConfigMember, LOWERED_PRIORITY};
use crate::data::step::Action;
use crate::planning::draft::Draft;
use crate::planning::handover;
use crate::planning::membership::ground::{Ground, HELD};

/// The priority that a voter shall have now.
pub(crate) fn priority(goal: &Goal, ground: &Ground<'_>, member: &MemberGoal) -> f64 {
    if member.priority > 0 && is_away(goal, member) && has_outside(goal, ground) {
        LOWERED_PRIORITY
    } else {
        f64::from(member.priority)
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

pub(super) fn is_away(goal: &Goal, member: &MemberGoal) -> bool {
    goal.away_from.contains(&member.vdc)
}

pub(super) fn has_outside(goal: &Goal, ground: &Ground<'_>) -> bool {
    let mut members = ground.view.set.members.iter();
    members.any(|m| !is_away(goal, m) && m.electable() && ground.voters.contains(&m.pod))
}

/// Sets the priority of a healthy voter; a primary hands over before its priority becomes 0 (code 104). Returns
/// whether anything is left to do.
pub(crate) fn set_priority(
    goal: &Goal,
    ground: &Ground<'_>,
    wanted: &MemberGoal,
    listed: &ConfigMember,
    draft: &mut Draft<'_>,
) -> bool {
    let priority = priority(goal, ground, wanted);
    if (listed.priority - priority).abs() < f64::EPSILON || !ground.view.healthy(&wanted.host) {
        return false;
    }
    if wanted.priority == 0 && &wanted.pod == ground.primary.pod {
        handover::step_down(ground.view, ground.primary.pod, "its priority becomes 0", |_| true, draft);
        return true;
    }
    let change = ground.change(listed);
    if priority == LOWERED_PRIORITY {
        draft.step(Action::LowerPriority { change }, "primaries move away from its vdc", HELD);
    } else {
        draft.step(
            Action::SetPriority { change, priority: wanted.priority },
            format!("its placement has priority {} and the config says {}", wanted.priority, listed.priority),
            HELD,
        );
    }
    true
}
