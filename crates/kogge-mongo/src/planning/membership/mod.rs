//! A running set towards its members: users, growth, votes, priorities, tags, and only then shrinking.

mod ground;
mod growth;
mod lost_disk;
mod member_ids;
mod priority;
mod rename;
mod renumber;
mod settle;
mod shrink;
pub(crate) mod switchover;

use crate::data::goal::Goal;
use crate::data::replset::MemberState;
use crate::data::step::Action;
use crate::planning::draft::Draft;
use crate::view::SetView;
use crate::view::identity;
use ground::{Ground, find_ground};

/// Plans at most one change of a set that was initiated, and the anchor records that go with it. Returns the ground
/// that it stands on, where the set has a primary that things can be asked of.
pub(crate) fn plan<'a>(
    goal: &'a Goal,
    view: &'a SetView<'a>,
    default_write_concern: bool,
    draft: &mut Draft<'_>,
) -> Option<Ground<'a>> {
    if rename::plan_alone(goal, view, draft) {
        return None;
    }
    let ground = find_ground(goal, view, default_write_concern, draft)?;
    plan_change(&ground, draft);
    Some(ground)
}

/// Repairs first, then the primary's place, then growth, and only then what shrinks the set.
fn plan_change(ground: &Ground<'_>, draft: &mut Draft<'_>) {
    let goal = ground.goal;
    if rename::plan(ground, draft) {
        return;
    }
    ground.mark_initialized(draft);
    ground.forget_left(draft);
    let disturbed = ground.wait_for_listed(draft);
    if lost_disk::plan(ground, draft) || renumber::plan(ground, draft) {
        return;
    }
    switchover::plan(goal, ground, disturbed, draft);
    if disturbed || draft.changes_something() || settle::make_electable(goal, ground, draft) {
        return;
    }
    let additions_done = ground.grow(draft);
    if draft.changes_something() {
        return;
    }
    settle::plan(goal, ground, draft);
    if !draft.changes_something() {
        shrink::plan(goal, ground, additions_done, draft);
    }
}

impl Ground<'_> {
    fn mark_initialized(&self, draft: &mut Draft<'_>) {
        for (wanted, listed) in self.listed() {
            let holds_data =
                matches!(self.view.state_of(&wanted.host), Some(MemberState::Primary | MemberState::Secondary))
                    && self.view.server(&wanted.pod).is_some();
            if holds_data && !wanted.anchor.initialized && !renumber::is_renumbered(wanted, listed) {
                draft.step(
                    Action::MarkInitialized { pod: wanted.pod.clone(), member_id: listed.id },
                    "an empty disk behind its name is a lost disk from now on",
                    "the record in every anchor",
                );
            }
        }
    }

    fn forget_left(&self, draft: &mut Draft<'_>) {
        for leaving in &self.view.set.leaving {
            let pod = &leaving.pod;
            if self.config.members.iter().any(|m| self.view.pod_of(&m.host) == Some(pod)) {
                continue;
            }
            if let Some(place) = identity::recorded(self.view, pod, &leaving.host, leaving.anchor) {
                let what = format!("its answer: the config lists its id as {}, which may be it", place.host);
                draft.wait_member(pod, what, self.view.silent_since(pod));
                continue;
            }
            if !self.view.is_held_by_a_majority(self.config) {
                let what = "a majority of voters to be seen with the config that does not list it";
                draft.wait_member(pod, what, None);
                continue;
            }
            draft.step(
                Action::ForgetMember { pod: pod.clone() },
                "the config does not list it any more",
                "the record in every anchor",
            );
        }
    }

    /// Waits for listed members that are not healthy. Returns whether one is on its way to health:
    /// then nothing is reconfigured.
    fn wait_for_listed(&self, draft: &mut Draft<'_>) -> bool {
        let mut disturbed = false;
        for (wanted, listed) in self.listed() {
            let state = self.view.state_of(&listed.host);
            if state.is_some_and(MemberState::healthy) {
                if self.view.server(&wanted.pod).is_none() {
                    let trouble = self.view.trouble(listed, &wanted.pod);
                    draft.wait_member(&wanted.pod, trouble, self.view.silent_since(&wanted.pod));
                }
                continue;
            }
            let trouble = self.view.trouble(listed, &wanted.pod);
            draft.wait_member(&wanted.pod, trouble, self.view.silent_since(&wanted.pod));
            disturbed |= state.is_some_and(MemberState::in_transition) || self.view.lost_disk(wanted);
        }
        disturbed
    }
}
