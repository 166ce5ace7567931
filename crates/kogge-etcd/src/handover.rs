//! Hand-overs of the leadership: only to a voter that can take it, never by force.

use std::cmp::Reverse;

use crate::draft::Draft;
use crate::ground::Ground;
use crate::names::PodName;
use crate::step::Action;
use crate::topology::{ListedMember, PodFacts};
use crate::view::GroupView;

/// The voter that suits best and can take over: live, with small lag, outside of the vdcs that the leader shall not be
/// in, and not about to be restarted itself.
pub(crate) fn heir<'a>(
    view: &GroupView<'a>,
    suits: impl Fn(&ListedMember) -> bool,
) -> Option<(&'a PodName, &'a ListedMember)> {
    let leader = view.leader?;
    let voters = view.voters().filter(|m| m.id != leader.state.member_id && view.caught_up(m) && suits(m));
    let known = voters.filter_map(|m| Some((view.pod_of(m)?, m)));
    known.min_by_key(|(pod, listed)| {
        let outdated = view.present_pod(pod).is_none_or(PodFacts::outdated);
        (is_away(view, pod), outdated, view.lag(listed), Reverse(view.serving(pod).map(|s| s.applied_index)), *pod)
    })
}

/// Whether the leader shall not be where a pod runs.
pub(crate) fn is_away(view: &GroupView<'_>, pod: &PodName) -> bool {
    view.goal.vdc_of(pod).is_some_and(|vdc| view.goal.away_from.contains(vdc))
}

/// Plans that the leader hands over to a voter that suits, or says what is waited for.
pub(crate) fn plan(ground: &Ground<'_>, why: &str, suits: impl Fn(&ListedMember) -> bool, draft: &mut Draft) {
    let leader = ground.leader.pod;
    match heir(ground.view, suits) {
        Some((to, listed)) => draft.step(
            Action::MoveLeader { via: leader.clone(), to: to.clone(), member_id: listed.id },
            format!("{why}, and {to} follows it closely"),
            format!("{to} leads"),
        ),
        None => draft.wait_member(
            leader,
            format!("the leader {leader} has no live voter with small lag to hand over to"),
            None,
        ),
    }
}
