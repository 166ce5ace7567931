//! A member that lost its disk: its vote goes, then its place in the config, then it joins anew under another `_id`.
//!
//! An empty server behind a voter's name has forgotten what it voted for and acknowledged, and the primary still
//! counts what the one before it acknowledged under the same `_id` (MongoDB's manual on resyncing a member speaks
//! of neither; both follow from the replication protocol). So it comes back without a vote, as somebody else.

use crate::data::goal::MemberGoal;
use crate::data::replset::{ConfigMember, majority};
use crate::data::step::Action;
use crate::planning::admission::{self, Admission};
use crate::planning::draft::Draft;
use crate::planning::membership::ground::Ground;

/// Plans the next step for a member that lost its disk. Votes go first, of all of them, one after another: until
/// then each counts as a voter that is missing. Returns whether a step is planned.
pub(crate) fn plan(ground: &Ground<'_>, draft: &mut Draft<'_>) -> bool {
    let lost: Vec<&MemberGoal> =
        ground.view.set.ordered_members().into_iter().filter(|member| ground.view.lost_disk(member)).collect();
    let listed: Vec<&ConfigMember> = lost.iter().filter_map(|member| ground.view.entry(member)).collect();
    if let Some(voter) = listed.iter().find(|listed| listed.votes > 0) {
        return demote(ground, voter, draft);
    }
    if let Some(listed) = listed.first() {
        draft.step(
            Action::RemoveMember { change: ground.change(listed) },
            "its disk is empty although it held data: it joins again under another id",
            "the new config to be held by a majority",
        );
        return true;
    }
    readmit(ground, &lost, draft)
}

fn demote(ground: &Ground<'_>, voter: &ConfigMember, draft: &mut Draft<'_>) -> bool {
    let (healthy, voters) = ground.view.voters();
    if healthy < majority(voters) {
        draft.wait(format!(
            "more healthy voters before {} loses its vote with its disk: {healthy} of {voters} are healthy",
            voter.host
        ));
        return false;
    }
    draft.step(
        Action::Demote { change: ground.change(voter) },
        "its disk is empty although it held data: it must not vote before it holds the data again",
        "the new config to be held by a majority",
    );
    true
}

/// Gives a member that was taken out another id, and lets its gate look again once it has one.
fn readmit(ground: &Ground<'_>, lost: &[&MemberGoal], draft: &mut Draft<'_>) -> bool {
    let view = ground.view;
    let spent =
        lost.iter().find(|m| view.held_empty(m).is_some() && admission::admission(view, m) == Admission::Open);
    if let Some(member) = spent {
        ground.reserve_id(member, member.anchor.member_id, draft);
        return true;
    }
    let waiting = view.set.ordered_members().into_iter().find_map(|member| {
        let admitted =
            !member.anchor.initialized && member.anchor.member_id.is_some() && view.entry(member).is_none();
        Some((member, view.held_empty(member).filter(|_| admitted)?))
    });
    let Some((member, pod)) = waiting else { return false };
    draft.step(
        Action::RestartPod { pod: member.pod.clone(), uid: pod.uid.clone() },
        "it is admitted under another id, and its gate reads the anchor at once when its pod starts",
        format!("{} to start with its empty disk", member.pod),
    );
    true
}
