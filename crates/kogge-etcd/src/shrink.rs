//! Taking members away: the leader only after it has handed over, never below a quorum of live voters, never the last
//! voter.

use crate::draft::Draft;
use crate::ground::Ground;
use crate::handover;
use crate::step::Action;
use crate::topology::ListedMember;
use crate::view::CONNECTED_AFTER_SECS;
use crate::votes::quorum;

/// Plans the removal of what does not answer and shall leave, before anything joins: a group of three with one voter
/// down admits nobody. A member without a vote never has to wait either.
pub(crate) fn plan_dead(ground: &Ground<'_>, draft: &mut Draft) {
    let view = ground.view;
    let mut leaving = leaving(ground);
    leaving.retain(|listed| {
        let dead = !view.is_live(listed) && !view.is_heard(listed.id);
        let believed = view.pod_of(listed).is_some_and(|pod| view.is_believed(pod));
        listed.learner || (dead && believed)
    });
    remove_first(ground, &mut leaving, draft);
}

/// Plans the next removal. Additions come first, so that a group never shrinks before its new members vote.
pub(crate) fn plan(ground: &Ground<'_>, additions_done: bool, draft: &mut Draft) {
    let mut leaving = leaving(ground);
    if leaving.is_empty() {
        return;
    }
    if !additions_done {
        draft.wait("members that leave wait for the members that join");
        return;
    }
    remove_first(ground, &mut leaving, draft);
}

fn leaving<'a>(ground: &Ground<'a>) -> Vec<&'a ListedMember> {
    ground.view.members.iter().filter(|listed| ground.is_surplus(listed)).collect()
}

/// What is not live goes first, then who has the most voters beside it in its vdc; the leader goes last.
fn remove_first(ground: &Ground<'_>, leaving: &mut [&ListedMember], draft: &mut Draft) {
    let view = ground.view;
    let votes = view.votes_by_vdc();
    let beside = |listed: &ListedMember| {
        let vdc = view.pod_of(listed).and_then(|pod| view.goal.vdc_of(pod));
        vdc.and_then(|vdc| votes.get(vdc)).copied().unwrap_or_default()
    };
    leaving.sort_by_key(|listed| {
        (
            ground.is_leader(listed),
            view.is_live(listed),
            !listed.learner,
            usize::MAX - beside(listed),
            view.pod_of(listed),
        )
    });
    let Some(listed) = leaving.first() else { return };
    if let Some((placement, reason)) = view.goal.unseen.first_key_value() {
        draft.wait(format!(
            "no member leaves before placement {placement} has been observed completely ({reason})"
        ));
        return;
    }
    let Some(pod) = view.pod_of(listed) else { return };
    let why = if view.goal.member(pod).is_none() {
        format!("the spec does not have {pod} any more")
    } else if listed.learner {
        format!("{pod} has no place in the group")
    } else {
        format!("{pod} shall not vote, and etcd takes a vote only together with the member")
    };
    if ground.is_leader(listed) {
        let stays = |m: &ListedMember| !ground.is_surplus(m);
        handover::plan(ground, &format!("{why} and it is the leader"), stays, draft);
        return;
    }
    remove(ground, listed, &why, draft);
}

/// Plans a removal that leaves a quorum of live voters, or says what is waited for before. Returns whether a step is
/// planned.
pub(crate) fn remove(ground: &Ground<'_>, listed: &ListedMember, why: &str, draft: &mut Draft) -> bool {
    let view = ground.view;
    let Some(pod) = view.pod_of(listed) else { return false };
    let voters = view.voters().count();
    if !listed.learner {
        if voters == 1 {
            draft.wait_member(pod, format!("{pod} is the last voter and stays"), None);
            return false;
        }
        let left = view.live_without(listed.id);
        if left < quorum(voters - 1) {
            draft.wait_member(
                pod,
                format!(
                    "{pod} is not removed: {left} of {} voters would be live without it, and {} are needed",
                    voters - 1,
                    quorum(voters - 1)
                ),
                None,
            );
            return false;
        }
    }
    if let Some(young) = view.just_started().filter(|_| !listed.learner && view.is_live(listed)) {
        draft.wait_member(
            pod,
            format!("{pod} is removed once {young} has served for {CONNECTED_AFTER_SECS} s"),
            None,
        );
        return false;
    }
    draft.step(
        Action::Remove { via: ground.leader.pod.clone(), pod: pod.clone(), member_id: listed.id },
        why,
        format!("no member lists {pod} under this id"),
    );
    true
}
