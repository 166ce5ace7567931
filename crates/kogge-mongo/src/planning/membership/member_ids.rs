//! Who gets which `_id`: recorded before it is used, and never given twice.

use std::collections::BTreeSet;

use crate::data::finding::FindingKind;
use crate::data::goal::MemberGoal;
use crate::data::names::{MemberId, Placement};
use crate::data::replset::majority;
use crate::data::step::Action;
use crate::planning::draft::Draft;
use crate::planning::membership::ground::Ground;

impl Ground<'_> {
    /// Whether the anchors of most placements were seen. Records are written to all that are seen, so any two such
    /// views share one, and an id that one operator used is known to the next.
    fn most_anchors_seen(&self) -> Result<(), String> {
        let unseen = &self.goal.unseen;
        let members = self.goal.sets.iter().flat_map(|set| &set.members).map(|member| &member.placement);
        let all: BTreeSet<&Placement> = members.chain(unseen.keys()).collect();
        match unseen.first_key_value() {
            Some((placement, reason)) if all.len() - unseen.len() < majority(all.len()) => Err(format!(
                "a complete view of most placements before it gets a member id; placement {placement}: {reason}"
            )),
            _ => Ok(()),
        }
    }

    /// The lowest `_id` that was never given.
    pub(crate) fn next_member_id(&self) -> u32 {
        let highest = self.config.members.iter().map(|m| m.id.0).max();
        highest.map_or(0, |id| id + 1).max(self.view.set.next_member_id)
    }

    /// The `_id` that the anchors reserve for a member that is not listed, if nobody can have had it: only the last
    /// one given is sure to be unused, and only while no other member's record names it as well.
    pub(super) fn unused_reservation(&self, wanted: &MemberGoal) -> Option<MemberId> {
        let id = wanted.anchor.member_id.filter(|_| !wanted.anchor.initialized)?;
        let listed = self.config.members.iter().any(|m| m.id == id);
        let mut others = self.view.set.members.iter().filter(|m| m.pod != wanted.pod);
        let shared = others.any(|m| m.anchor.member_id == Some(id));
        (!listed && !shared && id.0 + 1 == self.next_member_id()).then_some(id)
    }

    /// Plans the record of the `_id` that a member will have, and of the one that it lost its disk under.
    pub(crate) fn reserve_id(&self, wanted: &MemberGoal, lost_as: Option<MemberId>, draft: &mut Draft<'_>) {
        if let Err(unseen) = self.most_anchors_seen() {
            draft.wait_member(&wanted.pod, unseen, None);
            return;
        }
        let next = self.next_member_id();
        if next >= MemberId::END {
            draft.finding(
                FindingKind::MemberIdsExhausted,
                format!(
                    "{} has used all {} member ids; no member can be added any more",
                    self.view.set.name,
                    MemberId::END
                ),
            );
            draft.wait_member(&wanted.pod, "a free member id", None);
            return;
        }
        draft.step(
            Action::ReserveMemberId { pod: wanted.pod.clone(), member_id: MemberId(next), lost_as },
            "an id is recorded before its member is added, and never used twice",
            "the record in every anchor",
        );
    }
}
