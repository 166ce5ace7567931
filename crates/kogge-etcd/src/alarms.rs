//! Alarms: a database that exceeded its quota, and data that differs between members.

use std::collections::BTreeSet;

use crate::draft::Draft;
use crate::ground::Ground;
use crate::names::MemberId;
use crate::outcome::FindingKind;
use crate::step::Action;
use crate::topology::{Alarm, AlarmKind, ListedMember, ServerState};
use crate::view::GroupView;
use crate::votes::quorum;
use crate::{handover, maintenance, shrink};

/// A database that fills less of its quota than this, in percent, has room again.
const ROOM_PERCENT: u64 = 90;

fn alarms(view: &GroupView<'_>) -> BTreeSet<Alarm> {
    view.leader.map(|leader| leader.state.alarms.clone()).unwrap_or_default()
}

fn of_kind(view: &GroupView<'_>, kind: AlarmKind) -> Vec<Alarm> {
    alarms(view).into_iter().filter(|alarm| alarm.kind == kind).collect()
}

/// What alarms forbid a rollout: one that does not itself cure the alarm, by a larger quota.
pub(crate) fn holds_restarts(view: &GroupView<'_>) -> Option<String> {
    if !of_kind(view, AlarmKind::Corrupt).is_empty() {
        return Some("the alarm CORRUPT is active".to_owned());
    }
    let no_space = !of_kind(view, AlarmKind::NoSpace).is_empty();
    (no_space && !has_room(view)).then(|| "the alarm NOSPACE is active".to_owned())
}

/// The size up to which a database has room under the goal's quota, in bytes.
fn limit(view: &GroupView<'_>) -> u64 {
    view.goal.quota_bytes / 100 * ROOM_PERCENT
}

/// Whether every member is known to have room.
fn has_room(view: &GroupView<'_>) -> bool {
    let limit = limit(view);
    view.members.iter().all(|listed| view.follower(listed).is_some_and(|state| state.db_size <= limit))
}

/// Plans the next step against an alarm, or says what you must do about it.
pub(crate) fn plan(ground: &Ground<'_>, draft: &mut Draft) {
    corrupt(ground, draft);
    no_space(ground, draft);
}

fn no_space(ground: &Ground<'_>, draft: &mut Draft) {
    let view = ground.view;
    let alarms = of_kind(view, AlarmKind::NoSpace);
    let Some(alarm) = alarms.first() else { return };
    for alarm in &alarms {
        let (pod, state) = whose(view, alarm.member_id);
        let sizes = state.map_or_else(String::new, |state| {
            format!(": it has {} bytes, of which {} are in use", state.db_size, state.db_size_in_use)
        });
        let message = format!(
            "the database exceeded its quota of {} bytes on {pod}{sizes}; all members refuse writes until it has room: compact \
             old revisions, delete keys, or raise spec.quotaBackendBytes",
            view.goal.quota_bytes
        );
        draft.finding(FindingKind::NoSpace, message);
    }
    if draft.changes_something() {
        return;
    }
    if has_room(view) && (ground.goal.rolling || view.outdated().next().is_some()) {
        // Members that run with the former quota would raise it again at the next write.
        draft.wait("the alarm NOSPACE is disarmed once every member runs with the quota of the spec");
    } else if has_room(view) {
        draft.step(
            Action::DisarmAlarm { via: ground.leader.pod.clone(), alarm: *alarm },
            "every member has room under its quota again",
            "no member reports the alarm",
        );
    } else {
        let limit = limit(view);
        let helps = |state: &ServerState| state.db_size > limit && state.db_size_in_use <= limit;
        if !maintenance::defragment(ground, "the quota is exceeded, and most of the file is free", helps, draft) {
            draft.wait("the database exceeds its quota, and defragmentation does not help");
        }
    }
}

/// A member whose data differs is removed, where it is certain which one that is and a quorum is left without it.
fn corrupt(ground: &Ground<'_>, draft: &mut Draft) {
    let view = ground.view;
    let alarms = of_kind(view, AlarmKind::Corrupt);
    let listed = |alarm: &Alarm| view.members.iter().find(|m| m.id == alarm.member_id);
    for alarm in &alarms {
        let (pod, _) = whose(view, alarm.member_id);
        draft.finding(
            FindingKind::Corrupt,
            format!(
                "the data of {pod} differs from the other members', and all members refuse reads and writes; Kogge replaces \
                 it where a quorum is left without it: keep its volume if you want to look at it"
            ),
        );
    }
    if draft.changes_something() {
        return;
    }
    let named: Vec<&ListedMember> = alarms.iter().filter_map(listed).collect();
    if let Some(alarm) = alarms.iter().find(|alarm| listed(alarm).is_none() && alarm.member_id != MemberId(0)) {
        draft.step(
            Action::DisarmAlarm { via: ground.leader.pod.clone(), alarm: *alarm },
            "the member that it is about was removed",
            "no member reports the alarm",
        );
        return;
    }
    let Some(member) = named.first() else { return };
    let sound = view.voters().filter(|m| !named.iter().any(|c| c.id == m.id) && view.is_live(m)).count();
    if named.len() > 1 || sound < quorum(view.voters().count()) || !view.is_believed(ground.leader.pod) {
        draft.wait("a member with corrupt data is not removed while the others that are live are no quorum");
        return;
    }
    if ground.is_leader(member) {
        handover::plan(ground, "the leader's data differs from the others'", |_| true, draft);
        return;
    }
    shrink::remove(ground, member, "its data differs from the other members'", draft);
}

/// Whom an alarm is about, in words.
fn whose<'a>(view: &GroupView<'a>, id: MemberId) -> (String, Option<&'a ServerState>) {
    let pod = view.members.iter().find(|m| m.id == id).and_then(|listed| view.pod_of(listed));
    match pod {
        Some(pod) => (pod.to_string(), view.serving(pod)),
        None if id == MemberId(0) => ("a member that etcd does not name".to_owned(), None),
        None => (format!("member {id}"), None),
    }
}
