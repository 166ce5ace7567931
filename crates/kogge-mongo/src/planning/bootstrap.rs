//! From nothing to one member: exactly one seed, recorded before it is initiated.

use std::cmp::Reverse;

use kogge_api::gate::Disk;

use crate::data::finding::FindingKind;
use crate::data::goal::{Goal, MemberGoal};
use crate::data::names::MemberId;
use crate::data::step::{Action, NewMember};
use crate::data::topology::{Access, PodFacts, Replication};
use crate::planning::draft::Draft;
use crate::view::SetView;
use crate::view::disk::waiting_for_gate;

/// Plans the initiate of a set that no reachable member knows.
pub(crate) fn plan(goal: &Goal, view: &SetView<'_>, draft: &mut Draft<'_>) {
    let set = view.set;
    if set.members.iter().any(|m| m.anchor.initialized) {
        wait_for_a_lost_set(view, draft);
        return;
    }
    for (placement, reason) in &goal.unseen {
        draft.wait(format!("the first complete view of placement {placement}: {reason}"));
    }
    let mut proven_empty = goal.unseen.is_empty();
    for member in set.ordered_members() {
        if let Err(obstacle) = empty(view, member) {
            draft.wait_member(&member.pod, obstacle, view.silent_since(&member.pod));
            proven_empty = false;
        }
    }
    if !proven_empty {
        return;
    }
    let Some(recorded) = &set.seed else {
        record_seed(goal, view, draft);
        return;
    };
    let mut electable = set.members.iter().filter(|m| m.electable());
    if let Some(seed) = electable.find(|m| &m.pod == recorded) {
        initiate(view, seed, draft);
        return;
    }
    draft.finding(
        FindingKind::SeedLost,
        format!(
            "{recorded} is recorded as the seed and cannot be initiated any more; put its placement \
             back, or remove the seed from the anchors once it is certain that it was never initiated"
        ),
    );
    draft.wait(format!("the recorded seed {recorded}"));
}

fn record_seed(goal: &Goal, view: &SetView<'_>, draft: &mut Draft<'_>) {
    let electable = view.set.ordered_members().into_iter();
    let seed =
        electable.filter(|m| m.electable()).min_by_key(|m| (goal.away_from.contains(&m.vdc), Reverse(m.priority)));
    if let Some(seed) = seed {
        draft.step(
            Action::RecordSeed { pod: seed.pod.clone(), member_id: MemberId(view.set.next_member_id) },
            format!("all {} members are proven empty and exactly one may be initiated", view.set.members.len()),
            "the record in every anchor",
        );
    }
}

fn initiate(view: &SetView<'_>, seed: &MemberGoal, draft: &mut Draft<'_>) {
    let resolves = view
        .observations
        .get(&seed.pod)
        .and_then(|seen| seen.pod.facts())
        .is_some_and(|pod| pod.resolves_everywhere);
    if !resolves {
        draft.wait_member(&seed.pod, format!("its name {} to resolve in every vdc", seed.host), None);
        return;
    }
    let id = seed.anchor.member_id;
    draft.step(
        Action::Initiate {
            seed: seed.pod.clone(),
            role: view.set.role,
            member: NewMember {
                id: id.unwrap_or(MemberId(view.set.next_member_id)),
                host: seed.host.clone(),
                votes: 1,
                priority: seed.priority,
                hidden: false,
                tags: seed.tags(),
            },
        },
        "the anchors name it as the one seed and every member is proven empty",
        format!("{} to become PRIMARY", seed.pod),
    );
}

/// Proves that a member runs and holds nothing, or says what is missing for the proof. Its disk is what the gate saw at
/// this start; its server says that it knows of no replica set and of no user.
fn empty(view: &SetView<'_>, member: &MemberGoal) -> Result<(), String> {
    view.started_empty(member)?;
    let Some(server) = view.server(&member.pod) else {
        return Err("its server to answer".to_owned());
    };
    match (&server.replication, &server.access) {
        (Replication::Starting, Access::NoUsers) => Ok(()),
        (Replication::ShuttingDown, _) => Err("its server to start again, it is shutting down".to_owned()),
        (Replication::Unreadable { reason }, _) | (_, Access::Refused { reason }) => {
            Err(format!("proof that it is empty ({reason})"))
        }
        _ => Err("it to be empty: it holds data".to_owned()),
    }
}

fn wait_for_a_lost_set(view: &SetView<'_>, draft: &mut Draft<'_>) {
    let mut all_empty = true;
    for member in view.set.ordered_members() {
        let empty =
            |pod: &PodFacts| pod.is_held_empty() || !member.anchor.initialized && pod.disk() == Some(Disk::Empty);
        if !view.present_pod(member).is_some_and(empty) {
            all_empty = false;
            let what = match view.hold(member) {
                Some(hold) => waiting_for_gate(hold),
                None if view.answers(&member.pod) => "its server to load its replica-set config".to_owned(),
                None => "its server to answer".to_owned(),
            };
            draft.wait_member(&member.pod, what, view.silent_since(&member.pod));
        }
    }
    if all_empty {
        draft.finding(
            FindingKind::SetLost,
            format!(
                "every member of {} is empty although the anchors say that it held data; it is never \
                 initiated again by itself, restore its volumes",
                view.set.name
            ),
        );
        draft.wait("a member that holds the set's data");
    }
}
