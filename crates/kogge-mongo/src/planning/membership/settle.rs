//! What changes no vote: who is hidden, priorities, tags.

use crate::data::goal::{Goal, MemberGoal};
use crate::data::replset::ConfigMember;
use crate::data::step::Action;
use crate::planning::draft::Draft;
use crate::planning::membership::ground::{Ground, HELD};
use crate::planning::membership::priority::set_priority;

/// Plans the next change, if one is left.
pub(crate) fn plan(goal: &Goal, ground: &Ground<'_>, draft: &mut Draft<'_>) {
    for (wanted, listed) in ground.listed() {
        if set_hidden(ground, wanted, listed, draft) {
            return;
        }
    }
    for (wanted, listed) in ground.listed() {
        if listed.votes > 0
            && ground.voters.contains(&wanted.pod)
            && set_priority(goal, ground, wanted, listed, draft)
        {
            return;
        }
    }
    for (wanted, listed) in ground.listed() {
        let mut tags = listed.tags.clone();
        tags.extend(wanted.tags());
        if tags != listed.tags {
            let reason = "its tags are not those of its placement and role";
            draft.step(Action::SetTags { change: ground.change(listed), tags }, reason, HELD);
            return;
        }
    }
}

/// Makes a voter electable that shall be and is not yet. Until then its vote counts for a majority that nobody may be
/// left to lead, so this comes before the next vote is given. Returns whether anything is left to do.
pub(crate) fn make_electable(goal: &Goal, ground: &Ground<'_>, draft: &mut Draft<'_>) -> bool {
    ground.listed().any(|(wanted, listed)| {
        let shall_be = wanted.priority > 0 && ground.voters.contains(&wanted.pod);
        let is = listed.votes == 0 || listed.priority > 0.0;
        shall_be && !is && set_priority(goal, ground, wanted, listed, draft)
    })
}

/// Hides a member, or shows it; a member with a priority cannot be hidden (code 93).
pub(crate) fn set_hidden(
    ground: &Ground<'_>,
    wanted: &MemberGoal,
    listed: &ConfigMember,
    draft: &mut Draft<'_>,
) -> bool {
    let hidden = wanted.hidden();
    if hidden == listed.hidden || (hidden && (listed.votes > 0 || listed.priority > 0.0)) {
        return false;
    }
    draft.step(
        Action::SetHidden { change: ground.change(listed), hidden },
        format!("its role is {}", wanted.role),
        HELD,
    );
    true
}
