//! What changes of the group start from: a leader that answers, and a quorum of voters that follow it.

use std::collections::BTreeSet;

use crate::draft::Draft;
use crate::goal::{Goal, MemberRole};
use crate::names::{PodName, Vdc};
use crate::topology::ListedMember;
use crate::view::{GroupView, Leader};
use crate::votes::{Candidate, allot, quorum};

/// A group whose leader answers and is followed by a quorum.
pub(crate) struct Ground<'a> {
    pub(crate) goal: &'a Goal,
    pub(crate) view: &'a GroupView<'a>,
    pub(crate) leader: Leader<'a>,
    /// The pods that shall vote.
    pub(crate) voters: BTreeSet<PodName>,
}

impl<'a> Ground<'a> {
    /// Finds it, or says what is missing.
    pub(crate) fn find(view: &'a GroupView<'a>, held_out: &BTreeSet<&PodName>, draft: &mut Draft) -> Option<Self> {
        let Some(leader) = view.leader else {
            match view.leader_pod() {
                Some(pod) => {
                    draft.wait_member(pod, format!("the leader {}", view.trouble(pod)), view.silent_since(pod));
                }
                None => draft.wait(format!("{} has no known leader", view.goal.database)),
            }
            return None;
        };
        let (live, voters) = view.live_voters();
        if live < quorum(voters) {
            draft.wait(format!(
                "{live} of {voters} voters are seen to follow the leader {}, and changes need {}",
                leader.pod,
                quorum(voters)
            ));
            return None;
        }
        if let Some(pod) = view.another_list(|listed| view.is_live(listed)) {
            draft.wait_member(pod, format!("{pod} does not have the leader's list of members yet"), None);
            return None;
        }
        Some(Self { goal: view.goal, view, leader, voters: voters_of(view, held_out) })
    }

    pub(crate) fn is_leader(&self, listed: &ListedMember) -> bool {
        self.leader.state.member_id == listed.id
    }

    /// Whether a member of ours shall keep the vote that it has, or get one.
    pub(crate) fn shall_vote(&self, pod: &PodName) -> bool {
        self.voters.contains(pod)
    }

    /// Whether a voter is one too many. One that is wanted keeps its vote for parity's sake, because etcd cannot take a
    /// vote without removing the member and its data; it gives it up where the loss of its vdc alone would stop writes
    /// although three vdcs have members that may vote.
    pub(crate) fn is_surplus(&self, listed: &ListedMember) -> bool {
        let Some(pod) = self.view.pod_of(listed) else { return false };
        let Some(wanted) = self.goal.member(pod) else { return true };
        if listed.learner || self.shall_vote(pod) {
            return false;
        }
        wanted.role != MemberRole::Voter || self.is_critical(&wanted.vdc)
    }

    fn is_critical(&self, vdc: &Vdc) -> bool {
        let may_vote = self.goal.members.iter().filter(|m| m.role == MemberRole::Voter);
        let vdcs: BTreeSet<&Vdc> = may_vote.map(|m| &m.vdc).collect();
        let votes = self.view.votes_by_vdc();
        let all = self.view.voters().count();
        let inside = votes.get(vdc).copied().unwrap_or_default();
        vdcs.len() >= 3 && all - inside < quorum(all)
    }
}

/// Who shall vote: the allotment over the wanted voters, beside the votes that are not ours.
fn voters_of(view: &GroupView<'_>, held_out: &BTreeSet<&PodName>) -> BTreeSet<PodName> {
    let wanted = view.goal.members.iter();
    let candidates: Vec<Candidate> = wanted
        .filter(|m| m.role == MemberRole::Voter && !held_out.contains(&m.pod))
        .map(|m| Candidate {
            pod: m.pod.clone(),
            vdc: m.vdc.clone(),
            votes_now: view.entry(&m.pod).is_some_and(|listed| !listed.learner),
        })
        .collect();
    let foreign = view.voters().filter(|listed| view.pod_of(listed).is_none()).count();
    allot(&candidates, foreign)
}
