//! A planned switchover: primaries leave the vdcs that the goal names, and do not come back while it names them.
//! Votes stay as they are. The members there keep a priority above 0, so that one of them takes over where
//! nobody else is left.

use crate::data::goal::{Goal, MemberGoal};
use crate::data::replset::{ConfigMember, LOWERED_PRIORITY};
use crate::planning::draft::Draft;
use crate::planning::handover;
use crate::planning::membership::ground::Ground;
use crate::planning::membership::priority::{has_outside, is_away, may_lead, priority, set_priority};

/// Plans what moves the primary out of the vdcs: priorities first, so that the office does not go to another
/// member there. While a member is on its way to health there is no reconfiguration, and the primary still moves
/// where nobody inside could inherit.
pub(crate) fn plan(goal: &Goal, ground: &Ground<'_>, disturbed: bool, draft: &mut Draft<'_>) {
    if !ground.listed().any(|(wanted, _)| is_away(goal, wanted)) {
        return;
    }
    if !has_outside(goal, ground) {
        draft.wait("a voter that may become primary outside of the vdcs that primaries move away from");
        return;
    }
    if disturbed {
        if let Some(wanted) = inheritor(goal, ground) {
            draft.wait_member(&wanted.pod, "the set to be undisturbed before its priority is lowered", None);
            return;
        }
    } else if returned(goal, ground)
        .chain(inside(goal, ground))
        .any(|(wanted, listed)| set_priority(goal, ground, wanted, listed, draft))
    {
        return;
    }
    // A member that is about to be restarted would only hand the office back.
    let stays = |m: &ConfigMember| may_lead(goal, ground, m) && !ground.view.is_outdated(&m.host);
    if primary_is_inside(goal, ground) && handover::heir(ground.view, ground.primary.pod, stays).is_some() {
        step_down(ground, stays, draft);
    }
}

/// Plans the step-down that is left when restarts are through or held: to whoever is outside.
pub(crate) fn finish(goal: &Goal, ground: &Ground<'_>, draft: &mut Draft<'_>) {
    let free = !draft.changes_something() && inheritor(goal, ground).is_none();
    if free && primary_is_inside(goal, ground) && has_outside(goal, ground) {
        step_down(ground, |m| may_lead(goal, ground, m), draft);
    }
}

/// The members in the vdcs that could become primary, and what the config says of them.
fn inside<'a>(goal: &'a Goal, ground: &'a Ground<'_>) -> impl Iterator<Item = (&'a MemberGoal, &'a ConfigMember)> {
    ground.listed().filter(|(wanted, listed)| is_away(goal, wanted) && listed.votes > 0 && listed.priority > 0.0)
}

/// The members outside whose priority is still lowered by an earlier switchover. Theirs comes first: among equals the
/// office would go round inside the vdcs for ever.
fn returned<'a>(
    goal: &'a Goal,
    ground: &'a Ground<'_>,
) -> impl Iterator<Item = (&'a MemberGoal, &'a ConfigMember)> {
    ground.listed().filter(|(wanted, listed)| {
        !is_away(goal, wanted) && ground.voters.contains(&wanted.pod) && listed.priority == LOWERED_PRIORITY
    })
}

/// A member in the vdcs that could take over from the primary, because its priority is not below that of those outside.
fn inheritor<'a>(goal: &'a Goal, ground: &'a Ground<'_>) -> Option<&'a MemberGoal> {
    let outside = ground.config.voters().filter(|m| may_lead(goal, ground, m) && ground.view.healthy(&m.host));
    let highest = outside.map(|m| m.priority).reduce(f64::max)?;
    let mut others = inside(goal, ground).filter(|(wanted, _)| &wanted.pod != ground.primary.pod);
    let found = others.find(|(wanted, listed)| {
        let lowered = (listed.priority - priority(goal, ground, wanted)).abs() < f64::EPSILON;
        (!lowered || listed.priority >= highest) && ground.view.healthy(&wanted.host)
    });
    found.map(|(wanted, _)| wanted)
}

fn step_down(ground: &Ground<'_>, suits: impl Fn(&ConfigMember) -> bool, draft: &mut Draft<'_>) {
    handover::step_down(ground.view, ground.primary.pod, "primaries move away from its vdc", suits, draft);
}

fn primary_is_inside(goal: &Goal, ground: &Ground<'_>) -> bool {
    ground.view.set.members.iter().any(|m| &m.pod == ground.primary.pod && is_away(goal, m))
}
