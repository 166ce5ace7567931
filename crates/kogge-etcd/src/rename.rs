//! A member whose peer URL in the goal is not the one that the group lists: the list follows the goal.

use crate::draft::Draft;
use crate::ground::Ground;
use crate::step::Action;

/// Plans the next change of a URL. Only of voters: before 3.6.12 and 3.5.31 `MemberUpdate` promotes a learner.
pub(crate) fn plan(ground: &Ground<'_>, draft: &mut Draft) {
    let view = ground.view;
    for (wanted, listed) in view.listed() {
        let pod = &wanted.pod;
        if listed.peer_urls.as_slice() == std::slice::from_ref(&wanted.peer_url) {
            continue;
        }
        if listed.learner || !view.is_believed(ground.leader.pod) {
            draft.wait_member(
                pod,
                format!("the peer URL of {pod} changes once it votes and the group is settled"),
                None,
            );
            continue;
        }
        draft.step(
            Action::UpdatePeerUrl {
                via: ground.leader.pod.clone(),
                pod: pod.clone(),
                member_id: listed.id,
                peer_url: wanted.peer_url.clone(),
            },
            "the spec has another peer URL for it than the group lists",
            format!("the group lists {}", wanted.peer_url),
        );
        return;
    }
}
