//! Whether members that were declared lost may join again.

use kogge_api::gate::Disk;

use crate::data::goal::MemberGoal;
use crate::data::topology::PodFacts;
use crate::view::SetView;

/// Whether a member that the config does not list may join.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Admission {
    /// Nothing stands against it.
    Open,
    /// The set went on without it, and nobody said that it may come back.
    HeldOut,
    /// It may come back, under an `_id` that is still to be reserved.
    Anew,
    /// It may come back, and still holds its old data.
    Unwiped,
}

/// Whether a wanted member that the config does not list may join.
pub(crate) fn admission(view: &SetView<'_>, member: &MemberGoal) -> Admission {
    let recovery = &view.set.recovery;
    let Some(lost_as) = recovery.fenced.get(&member.pod) else { return Admission::Open };
    if member.anchor.member_id.is_some_and(|id| id > *lost_as) {
        let disk = view.present_pod(member).and_then(PodFacts::disk);
        let wiped = matches!(disk, Some(Disk::Empty | Disk::Unused));
        return if wiped || !view.answers(&member.pod) { Admission::Open } else { Admission::Unwiped };
    }
    if recovery.readmitted.contains(&member.pod) { Admission::Anew } else { Admission::HeldOut }
}

/// Whether the set goes on without a wanted member.
pub(crate) fn is_held_out(view: &SetView<'_>, member: &MemberGoal) -> bool {
    view.entry(member).is_none() && admission(view, member) == Admission::HeldOut
}
