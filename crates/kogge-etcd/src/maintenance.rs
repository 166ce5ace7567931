//! Defragmentation: one member at a time, the leader last, in the window that the spec gives.

use crate::draft::Draft;
use crate::goal::Window;
use crate::ground::Ground;
use crate::names::PodName;
use crate::outcome::FindingKind;
use crate::step::Action;
use crate::topology::ServerState;
use crate::view::CONNECTED_AFTER_SECS;

/// Free space below this is not worth the pause, in bytes: 100 MiB.
const WORTHWHILE: u64 = 100 << 20;

/// Whether a defragmentation is worth the pause: at least half of the file is free.
fn is_fragmented(state: &ServerState) -> bool {
    let free = state.db_size.saturating_sub(state.db_size_in_use);
    free >= WORTHWHILE && free >= state.db_size / 2
}

/// Plans the next defragmentation in an open window, or says why none is planned although one is worth it.
pub(crate) fn plan(ground: &Ground<'_>, draft: &mut Draft) {
    let goal = ground.goal;
    let rolls = goal.rolling || ground.view.outdated().next().is_some();
    match goal.window {
        Window::Open if !rolls && !draft.changes_something() => {
            let why = "at least half of its file is free, and the maintenance window is open";
            defragment(ground, why, is_fragmented, draft);
        }
        Window::Open => {}
        Window::Closed => advise(ground, "Kogge defragments them in the next maintenance window", draft),
        Window::NotSet => advise(
            ground,
            "Kogge defragments members in a maintenance window only: set spec.maintenance.window, or run \
             `etcdctl defrag`, one member at a time",
            draft,
        ),
    }
}

/// The sizes of the files are not named: they change all the time, and a message does not.
fn advise(ground: &Ground<'_>, what: &str, draft: &mut Draft) {
    let view = ground.view;
    let voters = view.voters().filter(|m| view.follower(m).is_some_and(is_fragmented));
    let mut pods: Vec<&str> = voters.filter_map(|m| view.pod_of(m).map(PodName::as_str)).collect();
    if !pods.is_empty() {
        pods.sort_unstable();
        let message = format!("at least half of the database's file is free on {}; {what}", pods.join(", "));
        draft.finding(FindingKind::Fragmented, message);
    }
}

/// Plans that the first member that it helps is defragmented, while all other voters are live and close. It blocks that
/// member's reads and writes. Returns whether there is one that it helps.
pub(crate) fn defragment(
    ground: &Ground<'_>,
    why: &str,
    helps: impl Fn(&ServerState) -> bool,
    draft: &mut Draft,
) -> bool {
    let view = ground.view;
    // Learners answer `Defragment` with "not supported for learner".
    let mut members: Vec<_> = view.voters().filter(|m| view.follower(m).is_some_and(&helps)).collect();
    members.sort_by_key(|m| (ground.is_leader(m), view.pod_of(m)));
    let Some(pod) = members.first().and_then(|m| view.pod_of(m)) else { return false };
    if let Some(other) = view.voters().find(|m| !view.caught_up(m)) {
        let name = view.pod_of(other).map_or_else(|| format!("member {}", other.id), ToString::to_string);
        draft.wait_member(pod, format!("{pod} is defragmented once {name} is live and close to the leader"), None);
    } else if let Some(young) = view.just_started() {
        draft.wait_member(
            pod,
            format!("{pod} is defragmented once {young} has served for {CONNECTED_AFTER_SECS} s"),
            None,
        );
    } else {
        draft.step(
            Action::Defragment { pod: pod.clone() },
            why,
            format!("{pod} serves again, with a smaller file"),
        );
    }
    true
}
