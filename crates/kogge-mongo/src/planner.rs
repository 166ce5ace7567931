//! From a goal and an observation to a plan: the order in which a set is seen to.

use crate::data::finding::{Finding, FindingKind};
use crate::data::goal::Goal;
use crate::data::names::SetName;
use crate::data::plan::{Plan, Waiting};
use crate::data::topology::{Millis, Topology};
use crate::planning::draft::Draft;
use crate::planning::membership::{self, switchover};
use crate::planning::{bootstrap, recovery, report, restart, sharding};
use crate::status;
use crate::view::SetView;
use crate::view::routers;

/// Plans the next steps from a goal and an observation. `now` is on the same clock as the
/// observation's times.
pub fn plan(goal: &Goal, topology: &Topology, now: Millis) -> Plan {
    let mut plan = Plan::default();
    // What runs is shown whatever the goal says; only a goal that can be reached is planned for.
    let valid = goal.validate();
    if let Err(error) = &valid {
        plan.findings.push(Finding { set: None, kind: FindingKind::InvalidGoal, message: error.to_string() });
        plan.waiting.push(Waiting {
            set: None,
            member: None,
            what: format!("a goal that can be reached: {error}"),
            since: None,
        });
    }
    plan.feature_compatibility_version = routers::feature_version(goal, topology, now);
    let mut restarts_held = None;
    for set in goal.ordered_sets() {
        let view = SetView::of(set, topology, now);
        let mut draft = Draft::new(set);
        if valid.is_ok() {
            plan_set(goal, &view, topology, now, &mut restarts_held, &mut draft);
        }
        if goal.paused {
            draft.steps.clear();
        }
        report::stuck(now, &mut draft);
        let set_status = status::of_set(goal, &view, topology, &draft, now);
        plan.sets.insert(set.name.clone(), set_status);
        plan.steps.append(&mut draft.steps);
        plan.waiting.append(&mut draft.waiting);
        plan.findings.append(&mut draft.findings);
        plan.approvals.append(&mut draft.approvals);
    }
    if goal.paused {
        plan.waiting.push(Waiting {
            set: None,
            member: None,
            what: format!("{} is paused; resume it to go on", goal.cluster),
            since: None,
        });
    }
    plan
}

/// One set's part: repair of what is broken and outdated, membership, shards, restarts; each only
/// while the one before has nothing to change.
fn plan_set(
    goal: &Goal,
    view: &SetView<'_>,
    topology: &Topology,
    now: Millis,
    restarts_held: &mut Option<SetName>,
    draft: &mut Draft<'_>,
) {
    report::findings(view, draft);
    recovery::plan(view, draft);
    if draft.changes_something() {
        return;
    }
    restart::unhealthy(goal, view, draft);
    if draft.changes_something() {
        return;
    }
    if sharding::holds_stale_data(view, draft) {
        return;
    }
    if !view.initiated() && sharding::is_leaving(view.set) {
        sharding::plan(goal, view, topology, now, draft);
        return;
    }
    if !view.initiated() {
        bootstrap::plan(goal, view, draft);
        return;
    }
    let default_write_concern = routers::has_default_write_concern(goal, topology, now);
    let ground = membership::plan(goal, view, default_write_concern, draft);
    sharding::plan(goal, view, topology, now, draft);
    if !sharding::holds_restarts(goal, view, topology, now, draft) {
        restart::healthy(goal, view, restarts_held, draft);
    }
    if let Some(ground) = ground {
        switchover::finish(goal, &ground, draft);
    }
}
