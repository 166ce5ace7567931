//! What the anchors shall remember of the members, as the group itself lists them.

use crate::draft::Draft;
use crate::goal::MemberGoal;
use crate::ground::Ground;
use crate::names::PodName;
use crate::step::Action;
use crate::topology::Server;
use crate::view::GroupView;

const RECORDED: &str = "every anchor holds the record";

/// Records what a server proves by running: the seed of a group whose anchors were lost, and members that have data.
pub(crate) fn of_servers(view: &GroupView<'_>, draft: &mut Draft) {
    if let Some(seed) = &view.unrecorded_seed {
        draft.step(
            Action::RecordSeed { seed: seed.clone() },
            format!("servers of cluster {} run, whose id follows from this database's token", seed.cluster_id),
            RECORDED,
        );
    }
    for (wanted, listed) in view.listed() {
        let anchor = &wanted.anchor;
        let runs_as = match view.servers.get(&wanted.pod) {
            Some(Server::Serving(state)) => Some(state.member_id),
            // The peer port does not tell the server's own id, and a server without a log does not open it: in the pod that
            // was allowed to start under an id, it is that one.
            Some(Server::PeerOnly(_)) => anchor.member_id.filter(|_| started_here(view, wanted)),
            Some(Server::Unreachable { .. }) | None => None,
        };
        let known = anchor.initialized && anchor.member_id == Some(listed.id);
        if runs_as == Some(listed.id) && !known {
            draft.step(
                Action::MarkInitialized { pod: wanted.pod.clone(), member_id: listed.id },
                "its server runs, and an empty disk behind its name is a lost disk from now on",
                RECORDED,
            );
        }
    }
}

fn started_here(view: &GroupView<'_>, wanted: &MemberGoal) -> bool {
    let start = wanted.anchor.start.as_ref();
    start.is_some_and(|start| view.present_pod(&wanted.pod).is_some_and(|facts| facts.uid == start.uid))
}

/// Records what the group's list proves: ids of members that were added or removed, and members that have left.
pub(crate) fn of_members(ground: &Ground<'_>, draft: &mut Draft) {
    let view = ground.view;
    let believed = view.is_believed(ground.leader.pod);
    for wanted in view.goal.ordered_members() {
        let (pod, anchor) = (&wanted.pod, &wanted.anchor);
        match (view.entry(pod), anchor.member_id) {
            (Some(listed), known) if known != Some(listed.id) => {
                let runs = view.serving(pod).is_some_and(|state| state.member_id == listed.id);
                if !runs && (believed || !anchor.initialized) {
                    draft.step(
                        Action::RecordMember { pod: pod.clone(), member_id: listed.id },
                        format!("the group lists its URL {} under this id", wanted.peer_url),
                        RECORDED,
                    );
                }
            }
            (None, Some(id)) if believed => draft.step(
                Action::RecordRemoved { pod: pod.clone(), member_id: id },
                format!("the group does not list member {id} any more, and never will again"),
                RECORDED,
            ),
            (None, Some(_)) => draft.wait_member(pod, unlisted(pod), None),
            _ => {}
        }
    }
    for leaving in &view.goal.leaving {
        let pod = &leaving.pod;
        if view.entry(pod).is_some() {
            continue;
        }
        if believed {
            let action = Action::ForgetMember { pod: pod.clone() };
            draft.step(action, "the group does not list it any more", RECORDED);
        } else {
            draft.wait_member(pod, unlisted(pod), None);
        }
    }
}

fn unlisted(pod: &PodName) -> String {
    format!("too few observations in a row say that the group does not list {pod} any more")
}
