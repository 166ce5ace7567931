//! Members of ours that their config calls by another host than the goal: renamed one at a time, the primary
//! last, and while all members are healthy nothing else is changed meanwhile. Repairs come first: what is broken could
//! wait for the rename as the rename waits for it.

use crate::data::goal::{Goal, MemberGoal};
use crate::data::replset::{ConfigMember, ReplConfig};
use crate::data::step::{Action, Change};
use crate::data::topology::Replication;
use crate::planning::draft::Draft;
use crate::planning::handover;
use crate::planning::membership::ground::Ground;
use crate::view::SetView;

/// Plans the next rename through the primary. Returns whether nothing else is to be planned: one is left, and every
/// member that the config lists is healthy.
pub(crate) fn plan(ground: &Ground<'_>, draft: &mut Draft<'_>) -> bool {
    let view = ground.view;
    let members = view.set.ordered_members().into_iter();
    let misnamed: Vec<(&MemberGoal, &ConfigMember)> = members
        .filter_map(|wanted| Some((wanted, view.entry(wanted)?)))
        .filter(|(wanted, listed)| listed.host != wanted.host)
        .collect();
    let is_primary = |wanted: &MemberGoal| &wanted.pod == ground.primary.pod;
    let Some((wanted, listed)) = misnamed.iter().min_by_key(|(wanted, listed)| (is_primary(wanted), listed.id))
    else {
        return false;
    };
    if let Some(broken) = ground.config.members.iter().find(|m| !view.healthy(&m.host)) {
        draft.wait_member(&wanted.pod, format!("{} to be healthy before it is renamed", broken.host), None);
        return false;
    }
    if let Err(obstacle) = resolves(view, wanted) {
        draft.wait_member(&wanted.pod, obstacle, None);
    } else if is_primary(wanted) && handover::has_successor(view, ground.primary.pod) {
        handover::step_down(
            ground.view,
            ground.primary.pod,
            "the config has another host for it than the goal",
            |_| true,
            draft,
        );
    } else {
        rename(ground.change(listed), wanted, false, draft);
    }
    true
}

/// Plans the rename of a member that is its whole set and does not find itself in its config: there is no
/// primary that could take the change, and no other vote that could be passed over. Returns whether it is so.
pub(crate) fn plan_alone(goal: &Goal, view: &SetView<'_>, draft: &mut Draft<'_>) -> bool {
    let Some((wanted, config, listed)) = alone(view) else { return false };
    if let Some((placement, reason)) = goal.unseen.first_key_value() {
        draft.wait(format!("the first complete view of placement {placement}: {reason}"));
    } else if let Err(obstacle) = resolves(view, wanted) {
        draft.wait_member(&wanted.pod, obstacle, None);
    } else {
        let change =
            Change { via: wanted.pod.clone(), base: config.stamp, id: listed.id, host: listed.host.clone() };
        rename(change, wanted, true, draft);
    }
    true
}

/// The one member that the anchors know to hold the set's data, where its config lists it alone, by the `_id`
/// that the anchors have, and under a host that nobody has now.
fn alone<'a>(view: &'a SetView<'_>) -> Option<(&'a MemberGoal, &'a ReplConfig, &'a ConfigMember)> {
    let mut holders = view.set.members.iter().filter(|m| m.anchor.initialized);
    let (holder, others) = (holders.next()?, holders.next());
    if others.is_some() || !view.set.leaving.is_empty() {
        return None;
    }
    let Replication::Removed { config: Some(config) } = &view.server(&holder.pod)?.replication else {
        return None;
    };
    let [listed] = config.members.as_slice() else { return None };
    let ours = Some(listed.id) == holder.anchor.member_id && view.set.pod_of(&listed.host).is_none();
    ours.then_some((holder, config, listed))
}

fn resolves(view: &SetView<'_>, wanted: &MemberGoal) -> Result<(), String> {
    let pod = view.observations.get(&wanted.pod).and_then(|seen| seen.pod.facts());
    match pod {
        Some(pod) if pod.running && !pod.terminating && pod.resolves_everywhere => Ok(()),
        Some(pod) if pod.running && !pod.terminating => {
            Err(format!("its name {} to resolve in every vdc", wanted.host))
        }
        _ => Err("its pod to run".to_owned()),
    }
}

fn rename(change: Change, wanted: &MemberGoal, alone: bool, draft: &mut Draft<'_>) {
    draft.step(
        Action::SetHost { change, to: wanted.host.clone(), alone },
        format!("its server answers as {} and the config has another host for it", wanted.pod),
        format!("{} to be found under {}", wanted.pod, wanted.host),
    );
}
