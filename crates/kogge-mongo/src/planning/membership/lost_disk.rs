//! A member that lost its disk: its vote goes, then its place in the config, then it joins anew under another `_id`.
//!
//! An empty server behind a voter's name has forgotten what it voted for and acknowledged, and the primary still
//! counts what the one before it acknowledged under the same `_id` (MongoDB's manual on resyncing a member speaks
//! of neither; both follow from the replication protocol). So it comes back without a vote, as somebody else.

use kogge_api::gate::Hold;

use crate::goal::MemberGoal;
use crate::membership::Ground;
use crate::plan::Draft;
use crate::recovery::{self, Admission};
use crate::replset::{ConfigMember, majority};
use crate::step::Action;
use crate::topology::{Pod, PodFacts, Replication};
use crate::view::SetView;

impl<'a> SetView<'a> {
    /// Why the gate in a member's pod holds it; none where the server may run.
    pub(crate) fn hold(&self, member: &MemberGoal) -> Option<&'a Hold> {
        self.present_pod(member)?.hold()
    }

    /// Whether a wanted member's disk is empty although it held the set's data: its gate says so, or its server has
    /// passed by the gate and fetches all data again. Only what has been observed several times counts.
    pub(crate) fn lost_disk(&self, member: &MemberGoal) -> bool {
        let believed = self.observations.get(&member.pod).is_some_and(|seen| seen.is_believed());
        believed && member.anchor.initialized && (self.held_empty(member).is_some() || self.syncs_again(member))
    }

    /// The pod whose gate found an empty disk. A member that its peers hear runs, whatever its pod says.
    fn held_empty(&self, member: &MemberGoal) -> Option<&'a PodFacts> {
        let pod = self.present_pod(member)?;
        let held = pod.is_held_empty();
        let heard = self.server(&member.pod).is_some() || self.heard(&member.host).is_some_and(|heard| heard.up);
        (held && !heard).then_some(pod)
    }

    pub(crate) fn present_pod(&self, member: &MemberGoal) -> Option<&'a PodFacts> {
        match &self.observations.get(&member.pod)?.pod {
            Pod::Present(pod) if !pod.terminating => Some(pod),
            _ => None,
        }
    }

    /// A member that held data does its initial sync: its disk was lost, and no gate has noticed.
    fn syncs_again(&self, member: &MemberGoal) -> bool {
        self.server(&member.pod).is_some_and(|server| match &server.replication {
            Replication::Member { status, .. } => status.initial_sync.is_some(),
            _ => false,
        })
    }
}

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
        lost.iter().find(|m| view.held_empty(m).is_some() && recovery::admission(view, m) == Admission::Open);
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
