//! A running group towards its members: records, repairs, growth, and only then shrinking.

use crate::draft::Draft;
use crate::ground::Ground;
use crate::view::GroupView;
use crate::{alarms, held_out, joining, lost_disk, promotion, records, rename, shrink, switchover};

/// Plans at most one change of a group that has begun, and the anchor records that go with it. Returns the ground that it
/// rests on, where the group has a leader that is known.
pub(crate) fn plan<'a>(view: &'a GroupView<'a>, draft: &mut Draft) -> Option<Ground<'a>> {
    records::of_servers(view, draft);
    held_out::plan(view, draft);
    let ground = Ground::find(view, &held_out::pods(view.goal), draft)?;
    if !draft.changes_something() {
        plan_change(&ground, draft);
    }
    Some(ground)
}

/// Repairs first, then growth, and only then what shrinks the group.
fn plan_change(ground: &Ground<'_>, draft: &mut Draft) {
    records::of_members(ground, draft);
    wait_for_listed(ground, draft);
    lost_disk::plan(ground, draft);
    for part in [alarms::plan, switchover::plan, shrink::plan_dead] {
        if draft.changes_something() {
            return;
        }
        part(ground, draft);
    }
    if draft.changes_something() {
        return;
    }
    joining::allow_starts(ground, draft);
    let additions_done = grow(ground, draft);
    if !draft.changes_something() {
        rename::plan(ground, draft);
    }
    if !draft.changes_something() {
        shrink::plan(ground, additions_done, draft);
    }
}

/// Plans the next promotion or addition. Returns whether all have joined that shall.
fn grow(ground: &Ground<'_>, draft: &mut Draft) -> bool {
    let joining = joining::find(ground, draft);
    let promoted = promotion::plan(ground, &joining, draft);
    if draft.changes_something() || joining::add_voter(ground, &joining, draft) {
        return false;
    }
    if !promoted || joining.voters_missing {
        return false;
    }
    joining::add_learners(ground, draft)
}

/// Says which wanted voters are not live. Learners are spoken of where they are waited for.
fn wait_for_listed(ground: &Ground<'_>, draft: &mut Draft) {
    let view = ground.view;
    for (wanted, listed) in view.listed() {
        let pod = &wanted.pod;
        let joins = listed.learner && (ground.shall_vote(pod) || !wanted.anchor.initialized);
        if !joins && !view.is_live(listed) {
            draft.wait_member(pod, view.trouble(pod), view.silent_since(pod));
        }
    }
}
