//! A lost majority: what you may decide about it.
//!
//! Without a quorum nothing can be changed by the group's own means. Kogge restores the group from the survivor that
//! knows the most committed entries, under a fresh token: the lost members, should they come back and serve on among
//! themselves, have another cluster id and are turned away. (`--force-new-cluster` would keep the id.) It is planned only
//! where you declared vdcs lost and cut off, nothing that is observed contradicts that, and the hash of exactly this step
//! was approved. The group's incarnation rises with it, so that an approval is good for one recovery.

use std::cmp::Reverse;
use std::fmt::Write as _;

use crate::approval;
use crate::draft::Draft;
use crate::goal::{MemberGoal, SeedSource};
use crate::identity;
use crate::names::PodName;
use crate::outcome::{Approval, FindingKind};
use crate::step::Action;
use crate::topology::{ListedMember, Pod};
use crate::view::GroupView;
use crate::votes::quorum;

const RECORDED: &str = "every anchor holds the record";

/// Plans the one recovery that was approved, or says what to approve, or why there is nothing to. Returns whether a
/// step is planned.
pub(crate) fn plan(view: &GroupView<'_>, draft: &mut Draft) -> bool {
    let lost = lost(view);
    if lost.is_empty() || view.leader_pod().is_some() {
        return false;
    }
    let survivors = view.voters().filter(|m| !is_lost(view, m)).count();
    if survivors >= quorum(view.voters().count()) {
        return false;
    }
    match check_gone(view, &lost).and_then(|()| Ground::find(view, lost)) {
        Ok(ground) => ground.ask_or_restore(view, draft),
        Err(obstacle) => {
            draft.finding(FindingKind::RecoveryRefused, format!("Kogge forces nothing: {obstacle}"));
            draft.wait(format!("the recovery of {} is held up: {obstacle}", view.goal.database));
            false
        }
    }
}

fn is_lost(view: &GroupView<'_>, listed: &ListedMember) -> bool {
    view.pod_of(listed).is_some_and(|pod| view.goal.recovery.lost.contains(pod))
}

/// The listed members that were declared lost.
fn lost<'a>(view: &GroupView<'a>) -> Vec<(&'a PodName, &'a ListedMember)> {
    let lost = view.members.iter().filter(|m| is_lost(view, m));
    lost.filter_map(|m| Some((view.pod_of(m)?, m))).collect()
}

/// Looks for signs of life: what was declared lost must be silent for everybody.
fn check_gone(view: &GroupView<'_>, lost: &[(&PodName, &ListedMember)]) -> Result<(), String> {
    for (pod, listed) in lost {
        if view.answers(pod) {
            return Err(format!("{pod} was declared lost and responds; cut its vdc off, or withdraw the request"));
        }
        if let Some(Pod::Present(facts)) = view.observations.get(*pod).map(|seen| &seen.pod)
            && facts.running
        {
            return Err(format!(
                "{pod} was declared lost and its pod runs; stop it there, or withdraw the request"
            ));
        }
        if view.is_heard(listed.id) {
            return Err(format!(
                "{pod} was declared lost and is connected to a survivor; cut its vdc off, or withdraw the request"
            ));
        }
    }
    Ok(())
}

/// What a recovery starts from.
struct Ground<'a> {
    lost: Vec<(&'a PodName, &'a ListedMember)>,
    /// The survivors that tell how far they are: those that vote, the newest first, then the others.
    survivors: Vec<(&'a MemberGoal, u64)>,
}

impl<'a> Ground<'a> {
    fn find(view: &GroupView<'a>, lost: Vec<(&'a PodName, &'a ListedMember)>) -> Result<Self, String> {
        if !view.goal.recovery.cut_off {
            let pods: Vec<&str> = lost.iter().map(|(pod, _)| pod.as_str()).collect();
            return Err(format!(
                "it is not declared that {} can never come back by themselves; stop them or cut their vdc off, then set \
                 fenced: true",
                pods.join(", ")
            ));
        }
        let mut survivors = Vec::new();
        for listed in view.members.iter().filter(|m| !is_lost(view, m)) {
            let pod = view.pod_of(listed).ok_or_else(|| format!("member {} is not in the spec", listed.id))?;
            let index = view.servers.get(pod).and_then(|server| server.raft_index());
            let Some(index) = index.filter(|_| view.is_believed(pod)) else {
                // What never voted can be joined again later.
                if listed.learner {
                    continue;
                }
                return Err(format!(
                    "the raft index of {pod} is not known; bring it back, or declare its vdc lost too"
                ));
            };
            survivors.extend(view.goal.member(pod).map(|member| (member, index, listed.learner)));
        }
        survivors.sort_by_key(|(member, index, learner)| {
            (*learner, Reverse(*index), view.goal.away_from.contains(&member.vdc), member.pod.clone())
        });
        match survivors.first() {
            Some((.., false)) => {
                let survivors = survivors.into_iter().map(|(member, index, _)| (member, index)).collect();
                Ok(Self { lost, survivors })
            }
            // A learner's log has no vote of its own, so no server can lead alone on it.
            Some((member, ..)) => Err(format!(
                "no voter is left that responds, and {} is a learner, which cannot be restored from; restore a snapshot \
                 into a new database",
                member.pod
            )),
            None => Err("no wanted member is left that responds".to_owned()),
        }
    }

    fn ask_or_restore(&self, view: &GroupView<'_>, draft: &mut Draft) -> bool {
        let goal = view.goal;
        let (Some((newest, index)), Some(seed)) = (self.survivors.first(), &goal.seed) else { return false };
        let hash = hash(view, newest);
        if !goal.recovery.approved.contains(&hash) {
            draft.approvals.push(Approval { message: self.message(newest, *index), hash });
            draft.wait(format!("the recovery of {} is not approved yet", goal.database));
            return false;
        }
        for (pod, _, anchor) in goal.known().filter(|(pod, ..)| **pod != newest.pod) {
            // What the survivor does not list may still be recorded, and must not count as the new group's.
            if let Some(member_id) = view.entry(pod).map(|listed| listed.id).or(anchor.member_id) {
                draft.step(
                    Action::FenceMember { pod: pod.clone(), member_id },
                    format!("{} goes on from the disk of {} alone", goal.database, newest.pod),
                    RECORDED,
                );
            }
        }
        let source = SeedSource::OwnDisk { of: seed.cluster_id };
        let next = identity::seed(goal, &newest.pod, &newest.peer_url, seed.incarnation + 1, source);
        draft.step(
            Action::RecordSeed { seed: next },
            format!("the majority is lost with {}, and you approved the recovery", self.in_words()),
            RECORDED,
        );
        true
    }

    fn in_words(&self) -> String {
        let words: Vec<String> = self.lost.iter().map(|(pod, m)| format!("{pod} (member {})", m.id)).collect();
        words.join(", ")
    }

    fn message(&self, newest: &MemberGoal, index: u64) -> String {
        let mut text = format!(
            "go on without {}, as a new cluster that is restored from the disk of {}; what was acknowledged after raft index \
             {index} and is not in its log is lost, and all other members join again empty",
            self.in_words(),
            newest.pod
        );
        for (member, index) in self.survivors.iter().skip(1) {
            // Writing to a String cannot fail.
            let _ = write!(text, "; {} is at {index}", member.pod);
        }
        text
    }
}

/// What is approved: this group as it is, the members that were declared lost, and whose disk is used.
fn hash(view: &GroupView<'_>, newest: &MemberGoal) -> String {
    let mut words = format!("restore\n{}\n", view.goal.database);
    if let Some(seed) = &view.goal.seed {
        let _ = write!(words, "{} {}\n{}\n", seed.incarnation, seed.cluster_id, newest.pod);
    }
    let mut ids: Vec<_> = view.members.iter().map(|m| (m.id, m.learner, is_lost(view, m))).collect();
    ids.sort_unstable();
    for (id, learner, lost) in ids {
        let _ = writeln!(words, "{id} {learner} {lost}");
    }
    approval::hash(&words)
}
