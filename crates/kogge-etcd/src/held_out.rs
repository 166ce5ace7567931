//! Members that the group went on without: they join again only empty, under another id, and once you let them.

use std::collections::BTreeSet;

use crate::draft::Draft;
use crate::goal::{Goal, MemberGoal};
use crate::names::PodName;
use crate::outcome::FindingKind;
use crate::step::Action;
use crate::view::GroupView;

/// The wanted members that are held out.
pub(crate) fn pods(goal: &Goal) -> BTreeSet<&PodName> {
    goal.members.iter().filter(|m| is_held_out(goal, m)).map(|m| &m.pod).collect()
}

fn is_held_out(goal: &Goal, member: &MemberGoal) -> bool {
    let recovery = &goal.recovery;
    let fenced = recovery.fenced.get(&member.pod);
    // Another id than then shows that it has joined again.
    fenced.is_some_and(|then| {
        !recovery.readmitted.contains(&member.pod) && member.anchor.member_id.is_none_or(|id| id == *then)
    })
}

/// Says who is held out, and restarts the servers that still run for the group that lost its majority, so that their
/// gates hold them.
pub(crate) fn plan(view: &GroupView<'_>, draft: &mut Draft) {
    let goal = view.goal;
    let seed = goal.seed.as_ref().map(|seed| &seed.pod);
    for (pod, cluster) in view.former.iter().filter(|(pod, _)| Some(**pod) != seed) {
        if let Some(facts) = view.present_pod(pod).filter(|_| !draft.changes_something()) {
            draft.step(
                Action::RestartPod { pod: (*pod).clone(), uid: facts.uid.clone() },
                format!("its server still runs for cluster {cluster}, which {} was restored from", goal.database),
                format!("the gate of {pod} holds its server"),
            );
        }
    }
    let held: Vec<&MemberGoal> = goal.ordered_members().into_iter().filter(|m| is_held_out(goal, m)).collect();
    for member in &held {
        let pod = &member.pod;
        draft.finding_on(
            FindingKind::HeldOut,
            pod,
            format!(
                "{} went on without {pod} and may never have had what its disk holds; remove its placement from the spec, \
                 or let it join again empty: delete its volume, then run `kogge recover --readmit {}`",
                goal.database, member.vdc
            ),
        );
        draft.wait_member(pod, format!("{pod} is held out of the group until you let it join again"), None);
    }
}
