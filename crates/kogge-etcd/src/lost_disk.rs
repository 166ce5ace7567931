//! A member that lost its disk: removed, recorded as removed, and only then a member that joins, under another id.
//!
//! An empty server under a voter's id has forgotten what it voted for and acknowledged. With `existing` it takes its old
//! id by its URL, and committed writes can be lost.

use crate::draft::Draft;
use crate::first_start::may_have_lost;
use crate::goal::MemberGoal;
use crate::ground::Ground;
use crate::outcome::FindingKind;
use crate::shrink;
use crate::step::Action;
use crate::topology::ListedMember;
use crate::view::GroupView;

/// Whether a listed member's disk does not hold what its server promised under its id: its gate says so, or a pod finds
/// an empty disk where another pod was allowed to start. Only what has been observed several times counts, and a server
/// that answers or that its peers hear runs, whatever its pod says.
pub(crate) fn is_lost(view: &GroupView<'_>, member: &MemberGoal, listed: &ListedMember) -> bool {
    let pod = &member.pod;
    let lost = view.present_pod(pod).is_some_and(|facts| {
        facts.is_held_empty() || (!member.anchor.initialized && may_have_lost(member, facts))
    });
    let recorded = member.anchor.member_id == Some(listed.id);
    lost && recorded && view.is_believed(pod) && !view.answers(pod) && !view.is_heard(listed.id)
}

/// Plans the next step for a member that lost its disk.
pub(crate) fn plan(ground: &Ground<'_>, draft: &mut Draft) {
    let view = ground.view;
    let mut lost: Vec<(&MemberGoal, &ListedMember)> =
        view.listed().filter(|(wanted, listed)| is_lost(view, wanted, listed)).collect();
    for (wanted, _) in &lost {
        let pod = &wanted.pod;
        let what = view.hold(pod).map_or_else(|| "its disk is empty".to_owned(), ToString::to_string);
        draft.finding_on(
            FindingKind::LostDisk,
            pod,
            format!(
                "{pod} held data and its disk is lost ({what}); Kogge removes it and adds it under another id"
            ),
        );
    }
    // Voters first: until then each counts as a voter that is missing.
    lost.sort_by_key(|(_, listed)| listed.learner);
    if let Some((wanted, listed)) = lost.first() {
        let why = format!("the disk of {} is lost, so it must not vote under this id any more", wanted.pod);
        shrink::remove(ground, listed, &why, draft);
        return;
    }
    look_again(view, draft);
}

/// Lets the gate of a member look again whose removal is recorded: it reads the anchor when its pod starts.
fn look_again(view: &GroupView<'_>, draft: &mut Draft) {
    let held = view.goal.ordered_members().into_iter().find_map(|member| {
        let facts = view.present_pod(&member.pod)?;
        let removed = member.anchor.member_id.is_none() && view.entry(&member.pod).is_none();
        (removed && facts.is_held_empty() && view.is_believed(&member.pod)).then_some((member, facts))
    });
    if let Some((member, facts)) = held {
        draft.step(
            Action::RestartPod { pod: member.pod.clone(), uid: facts.uid.clone() },
            "its former id is removed, and its gate reads the record when the pod starts",
            format!("the gate of {} reports an empty disk", member.pod),
        );
    }
}
