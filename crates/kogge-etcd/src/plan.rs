//! The plan: what follows from a goal and an observation.

use crate::draft::Draft;
use crate::goal::Goal;
use crate::outcome::{FindingKind, Plan};
use crate::topology::{Millis, Topology};
use crate::view::GroupView;
use crate::{bootstrap, maintenance, membership, recovery, report, restart, status, switchover, version_rules};

/// Plans the next steps from a goal and an observation. `now` is on the same clock as the observation's times.
pub fn plan(goal: &Goal, topology: &Topology, now: Millis) -> Plan {
    let mut draft = Draft::default();
    let view = GroupView::of(goal, topology, now);
    if let Err(error) = goal.validate() {
        draft.finding(FindingKind::InvalidGoal, error.to_string());
        draft.wait(format!("the spec cannot be planned for: {error}"));
    } else {
        report::findings(&view, &mut draft);
        version_rules::report(&view, &mut draft);
        plan_group(&view, &mut draft);
    }
    if goal.paused {
        draft.steps.clear();
        draft.wait(format!("{} is paused; resume it to go on", goal.database));
    }
    report::stuck(now, &mut draft);
    let group = status::of_group(&view, &draft);
    let accepted_version = version_rules::verdict(&view).is_ok().then_some(goal.version);
    let Draft { steps, waiting, findings, approvals } = draft;
    Plan { steps, waiting, findings, approvals, accepted_version, group }
}

/// Each part only while the one before has nothing to change.
fn plan_group(view: &GroupView<'_>, draft: &mut Draft) {
    if recovery::plan(view, draft) {
        return;
    }
    restart::broken(view, draft);
    if draft.changes_something() {
        return;
    }
    if !view.initiated() {
        bootstrap::plan(view, draft);
        return;
    }
    let ground = membership::plan(view, draft);
    if !draft.changes_something() {
        restart::healthy(ground.as_ref(), view, draft);
    }
    if let Some(ground) = ground {
        switchover::finish(&ground, draft);
        maintenance::plan(&ground, draft);
    }
}
