//! Taking votes and members away: never the primary, never below a majority, never the last one.

use crate::data::goal::Goal;
use crate::data::names::MemberId;
use crate::data::replset::{ConfigMember, MAX_VOTERS, majority};
use crate::data::step::Action;
use crate::planning::draft::Draft;
use crate::planning::handover;
use crate::planning::membership::ground::Ground;
use crate::planning::membership::priority;

/// Plans the next demotion or removal. Additions come first, so that a set never shrinks before its
/// new members vote; only a set with seven voters gives up a vote before the next one is given, and one with as many members as
/// MongoDB allows gives up a member before the next one joins.
pub(crate) fn plan(goal: &Goal, ground: &Ground<'_>, additions_done: bool, draft: &mut Draft<'_>) {
    let set = ground.view.set;
    let mut surplus: Vec<&ConfigMember> = ground.config.voters().collect();
    surplus.retain(|m| ground.view.pod_of(&m.host).is_some_and(|pod| !ground.voters.contains(pod)));
    let leaving = |m: &&ConfigMember| set.leaving.iter().any(|l| ground.view.pod_of(&m.host) == Some(&l.pod));
    let removable = ground.config.members.iter().find(leaving);
    if surplus.is_empty() && removable.is_none() {
        return;
    }
    let makes_room = ground.is_full() || (ground.config.voters().count() >= MAX_VOTERS && !surplus.is_empty());
    if !additions_done && !makes_room {
        draft.wait("the members that join before any leaves");
        return;
    }
    if let Some((placement, reason)) = goal.unseen.first_key_value() {
        draft.wait(format!("the first complete view of placement {placement} before any member leaves: {reason}"));
        return;
    }
    if move_primary_out(ground, &surplus, additions_done, draft) {
        return;
    }
    // Unhealthy ones first, the primary last.
    surplus.sort_by_key(|m| (is_primary(ground, m), ground.view.healthy(&m.host), m.id));
    if let Some(member) = surplus.first() {
        demote(ground, member, "it is not among the allotted voters", draft);
    } else if let Some(member) = removable {
        if spend_id(ground, member, draft) {
            return;
        }
        draft.step(
            Action::RemoveMember { change: ground.change(member) },
            "the goal does not have it and it has no vote any more",
            "the new config to be held by a majority",
        );
    }
}

/// Plans that another `_id` is recorded for a member that leaves before it held data. Wanted again before its record
/// is gone, it would take the one that it had for unused. Returns whether there is something to record.
fn spend_id(ground: &Ground<'_>, member: &ConfigMember, draft: &mut Draft<'_>) -> bool {
    let pod = ground.view.pod_of(&member.host);
    let leaving = ground.view.set.leaving.iter().find(|leaving| Some(&leaving.pod) == pod);
    let Some(leaving) = leaving.filter(|m| !m.anchor.initialized && m.anchor.member_id == Some(member.id)) else {
        return false;
    };
    let next = MemberId(ground.next_member_id());
    if next.0 >= MemberId::END {
        return false;
    }
    draft.step(
        Action::ReserveMemberId { pod: leaving.pod.clone(), member_id: next, lost_as: None },
        "it leaves before it held data, and nobody may take its id for unused",
        "the record in every anchor",
    );
    true
}

/// Plans that a primary among those that lose their votes hands over to a member that stays, before any of them
/// is touched. Only where nobody that stays can take over and room must be made for those that join, the others go
/// first.
fn move_primary_out(
    ground: &Ground<'_>,
    surplus: &[&ConfigMember],
    additions_done: bool,
    draft: &mut Draft<'_>,
) -> bool {
    if !surplus.iter().any(|m| is_primary(ground, m)) {
        return false;
    }
    let stays = |m: &ConfigMember| priority::may_lead(ground.goal, ground, m);
    let heir = handover::heir(ground.view, ground.primary.pod, stays);
    if heir.is_none() && !additions_done {
        return false;
    }
    let inside = surplus.iter().filter(|m| !is_primary(ground, m) && m.priority > 0.0);
    let inside = inside.filter(|m| ground.view.healthy(&m.host)).min_by_key(|m| m.id);
    if let Some(member) = inside.filter(|_| heir.is_some()) {
        draft.step(
            Action::SetPriority { change: ground.change(member), priority: 0 },
            "it loses its vote as the primary does, and a member that stays becomes primary",
            "the new config to be held by a majority",
        );
    } else {
        handover::step_down(ground.view, ground.primary.pod, "it loses its vote", stays, draft);
    }
    true
}

/// Plans that a member loses its vote, or says what is waited for before: never the primary, never below a
/// majority.
pub(crate) fn demote(ground: &Ground<'_>, member: &ConfigMember, why: &str, draft: &mut Draft<'_>) {
    if is_primary(ground, member) {
        handover::step_down(ground.view, ground.primary.pod, "it loses its vote", |_| true, draft);
        return;
    }
    let (healthy, voters) = ground.view.voters();
    let left = healthy - usize::from(ground.view.healthy(&member.host));
    if left < majority(voters - 1) {
        draft.wait(format!(
            "more healthy voters: without {} only {left} of {} would be left",
            member.host,
            voters - 1
        ));
        return;
    }
    if !ground.votes_may_change(draft) {
        return;
    }
    draft.step(Action::Demote { change: ground.change(member) }, why, "the new config to be held by a majority");
}

fn is_primary(ground: &Ground<'_>, member: &ConfigMember) -> bool {
    ground.view.pod_of(&member.host) == Some(ground.primary.pod)
}
