//! A member that the config lists under one `_id` while the anchors have reserved a later one for it: two
//! reservations crossed while part of the fleet was not seen. The later one stands, because a record that falls
//! behind another must never win; so the member leaves, and joins under it.

use crate::data::goal::MemberGoal;
use crate::data::replset::ConfigMember;
use crate::data::step::Action;
use crate::planning::draft::Draft;
use crate::planning::membership::ground::Ground;
use crate::planning::membership::shrink;

/// Whether the anchors have reserved a later `_id` than the config has.
pub(crate) fn is_renumbered(wanted: &MemberGoal, listed: &ConfigMember) -> bool {
    !wanted.anchor.initialized && wanted.anchor.member_id.is_some_and(|reserved| reserved > listed.id)
}

/// Plans the next step for such a member: its vote goes first. Returns whether there is one.
pub(crate) fn plan(ground: &Ground<'_>, draft: &mut Draft<'_>) -> bool {
    let renumbered = ground.listed().find(|(wanted, listed)| is_renumbered(wanted, listed));
    let Some((_, listed)) = renumbered else { return false };
    if listed.votes > 0 {
        shrink::demote(ground, listed, "the anchors have reserved another id for it", draft);
    } else {
        draft.step(
            Action::RemoveMember { change: ground.change(listed) },
            "the anchors have reserved another id for it: it joins again under that one",
            "the new config to be held by a majority",
        );
    }
    true
}
