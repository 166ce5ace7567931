//! Taking votes and members away: never the primary, never below a majority, never the last one.

use crate::goal::Goal;
use crate::membership::Ground;
use crate::plan::Draft;
use crate::replset::{ConfigMember, MAX_VOTERS, majority};
use crate::step::Action;

/// Plans the next demotion or removal. Additions come first, so that a set never shrinks before its
/// new members vote; only a set with seven voters gives up a vote before the next one is given.
pub(crate) fn plan(goal: &Goal, ground: &Ground<'_>, additions_done: bool, draft: &mut Draft<'_>) {
    let set = ground.view.set;
    let mut surplus: Vec<&ConfigMember> = ground.config.voters().collect();
    surplus.retain(|m| set.pod_of(&m.host).is_some_and(|pod| !ground.voters.contains(pod)));
    let leaving = |m: &&ConfigMember| set.leaving.iter().any(|l| l.host == m.host);
    let removable = ground.config.members.iter().find(|m| leaving(m) && m.votes == 0);
    if surplus.is_empty() && removable.is_none() {
        return;
    }
    let makes_room = ground.config.voters().count() >= MAX_VOTERS && !surplus.is_empty();
    if !additions_done && !makes_room {
        draft.wait("the members that join before any leaves");
        return;
    }
    if let Some((placement, reason)) = goal.unseen.first_key_value() {
        draft.wait(format!("the first complete view of placement {placement} before any member leaves: {reason}"));
        return;
    }
    // Unhealthy ones first, the primary last.
    surplus.sort_by_key(|m| (is_primary(ground, m), ground.view.healthy(&m.host), m.id));
    if let Some(member) = surplus.first() {
        demote(ground, member, draft);
    } else if let Some(member) = removable {
        draft.step(
            Action::RemoveMember { change: ground.change(member) },
            "the goal does not have it and it has no vote any more",
            "the new config to be held by a majority",
        );
    }
}

/// Plans a step-down of the primary, if a voter can take over.
pub(crate) fn step_down(ground: &Ground<'_>, why: &str, draft: &mut Draft<'_>) {
    let heir = ground.config.voters().find(|m| {
        !is_primary(ground, m)
            && m.priority > 0.0
            && !m.arbiter
            && ground.view.healthy(&m.host)
            && ground.view.caught_up(&m.host)
    });
    let pod = ground.primary.pod;
    match heir {
        Some(_) => draft.step(
            Action::StepDown { pod: pod.clone() },
            format!("it is the primary and {why}"),
            "another member to become PRIMARY",
        ),
        None => draft.wait_member(pod, "an electable secondary with small lag to hand over to", None),
    }
}

fn demote(ground: &Ground<'_>, member: &ConfigMember, draft: &mut Draft<'_>) {
    if is_primary(ground, member) {
        step_down(ground, "loses its vote", draft);
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
    draft.step(
        Action::Demote { change: ground.change(member) },
        "it is not among the allotted voters",
        "the new config to be held by a majority",
    );
}

fn is_primary(ground: &Ground<'_>, member: &ConfigMember) -> bool {
    ground.view.set.pod_of(&member.host) == Some(ground.primary.pod)
}
