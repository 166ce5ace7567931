//! A planned switchover: the leader leaves the vdcs that the goal names. etcd has no priorities, so a leader that is
//! elected there again is moved again.

use crate::draft::Draft;
use crate::ground::Ground;
use crate::handover::{self, is_away};
use crate::topology::ListedMember;

/// Plans that the leader moves out of the vdcs that the goal names, to a voter that will not be restarted soon: that one
/// would only hand over again.
pub(crate) fn plan(ground: &Ground<'_>, draft: &mut Draft) {
    let view = ground.view;
    let stays = |listed: &ListedMember| {
        let facts = view.pod_of(listed).and_then(|pod| view.present_pod(pod));
        facts.is_some_and(|facts| !facts.outdated()) && suits(ground, listed)
    };
    if is_away(view, ground.leader.pod) && handover::heir(view, stays).is_some() {
        move_out(ground, stays, draft);
    }
}

/// Plans the hand-over that is left when restarts are through or held: to whoever is outside.
pub(crate) fn finish(ground: &Ground<'_>, draft: &mut Draft) {
    let view = ground.view;
    let leader = ground.leader.pod;
    if !is_away(view, leader) || draft.changes_something() {
        return;
    }
    if ground.voters.iter().any(|pod| !is_away(view, pod)) {
        move_out(ground, |listed| suits(ground, listed), draft);
    } else {
        let message = format!("the leader {leader} is to leave its vdc, and no member outside of it may vote");
        draft.wait_member(leader, message, None);
    }
}

fn suits(ground: &Ground<'_>, listed: &ListedMember) -> bool {
    let pod = ground.view.pod_of(listed);
    pod.is_some_and(|pod| !is_away(ground.view, pod)) && !ground.is_surplus(listed)
}

fn move_out(ground: &Ground<'_>, suits: impl Fn(&ListedMember) -> bool, draft: &mut Draft) {
    let vdc = ground.goal.vdc_of(ground.leader.pod).map_or_else(String::new, |vdc| format!(" {vdc}"));
    handover::plan(ground, &format!("the leader is to leave the vdc{vdc}"), suits, draft);
}
