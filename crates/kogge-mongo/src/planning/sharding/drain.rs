//! Shards that go: drained first, chunks by the balancer, then whole databases; and never the last one.
//!
//! A removal is recorded in the anchors before it begins and carried to its end, because a server cannot take it
//! back. How far it is, the routers say: nothing of it is remembered.

use std::collections::BTreeSet;

use crate::data::finding::FindingKind;
use crate::data::goal::{Goal, SetGoal, SetRole};
use crate::data::names::PodName;
use crate::data::set_status::Draining;
use crate::data::sharding_action::ShardingAction;
use crate::data::step::Action;
use crate::data::topology::{Millis, ShardEntry, Topology};
use crate::planning::draft::Draft;
use crate::planning::sharding::stalled;
use crate::view::SetView;
use crate::view::routers::Routers;

/// Databases, and collections, that a sentence names.
const NAMED: usize = 5;

/// Whether a set is a shard that goes: the spec does not have it, or its removal has begun.
pub(crate) fn is_leaving(set: &SetGoal) -> bool {
    set.role != SetRole::Config && (set.retired || set.removals.under_way())
}

/// Plans the next step of a shard's removal.
pub(crate) fn plan(goal: &Goal, routers: &Routers<'_>, topology: &Topology, draft: &mut Draft<'_>) {
    if draft.changes_something() {
        return;
    }
    let set = draft.set;
    let Some(shard) = routers.shard(&set.name) else {
        record_removal(goal, draft);
        return;
    };
    if let Some(later) = goal.sets.iter().filter(|other| is_leaving(other)).map(|s| s.role).max()
        && later > set.role
    {
        draft.wait("the shards with higher numbers to be removed first");
        return;
    }
    let Some(taker) = taker(goal, routers) else {
        draft.wait("a shard that stays and takes its data: the last one is never removed");
        return;
    };
    if !set.removals.under_way() {
        draft.step(
            sharding(ShardingAction::RecordDrain { role: set.role, number: set.removals.ended + 1 }),
            "the spec does not have the shard any more, and a removal that has begun is carried to its end",
            "the record in every anchor",
        );
        return;
    }
    if !shard.draining {
        draft.step(
            sharding(ShardingAction::RemoveShard { via: routers.via(), shard: shard.name.clone() }),
            "the spec does not have the shard any more",
            "its data to leave it",
        );
        return;
    }
    let left = left_on(routers, shard);
    draft.wait(in_words(&left));
    if left.chunks.total > 0 {
        stalled::tell(goal, routers, topology, shard, &left, draft);
        return;
    }
    move_databases(routers, shard, taker, &left, draft);
}

/// What is still on a shard that is being removed.
pub(crate) fn left(goal: &Goal, view: &SetView<'_>, topology: &Topology, now: Millis) -> Option<Draining> {
    let routers = Routers::of(goal, topology, now)?;
    let shard = routers.shard(&view.set.name).filter(|shard| shard.draining)?;
    Some(left_on(&routers, shard))
}

/// Whether members of a wanted shard hold the data of a removed one of the same name. They are never joined
/// again: what was written since is elsewhere.
pub(crate) fn holds_stale_data(view: &SetView<'_>, draft: &mut Draft<'_>) -> bool {
    let set = view.set;
    let unrecorded = set.members.iter().all(|m| m.anchor.member_id.is_none() && !m.anchor.initialized);
    if set.removals.ended == 0 || is_leaving(set) || !unrecorded || !view.initiated() {
        return false;
    }
    let pods: Vec<&str> = view.holding_a_config().map(PodName::as_str).collect();
    let pods = pods.join(", ");
    draft.finding(
        FindingKind::StaleData,
        format!(
            "a shard of this name was removed, and the volumes of {pods} still hold its data; it is never joined \
             again: delete the PersistentVolumeClaims of {pods}, then the pods"
        ),
    );
    draft.wait(format!("empty volumes of {pods}"));
    true
}

fn record_removal(goal: &Goal, draft: &mut Draft<'_>) {
    // What is recorded of its members in the same pass would outlive it.
    if !draft.steps.is_empty() {
        return;
    }
    if let Some((placement, reason)) = goal.unseen.first_key_value() {
        draft.wait(format!("the first complete view of placement {placement} before it is forgotten: {reason}"));
        return;
    }
    let turns = draft.set.removals;
    draft.step(
        sharding(ShardingAction::RecordRemoval { role: draft.set.role, number: turns.begun.max(turns.ended + 1) }),
        "no router lists it as a shard",
        "the record in every anchor",
    );
}

/// The shard that stays and has the fewest databases.
fn taker<'a>(goal: &Goal, routers: &Routers<'a>) -> Option<&'a ShardEntry> {
    let stays = |shard: &&ShardEntry| {
        let set = goal.sets.iter().find(|set| set.name.as_str() == shard.set_name());
        !shard.draining && set.is_some_and(|set| !is_leaving(set))
    };
    let databases = |shard: &ShardEntry| routers.state().databases.get(&shard.name).map_or(0, BTreeSet::len);
    routers.shards().filter(stays).min_by_key(|shard| (databases(shard), &shard.name))
}

fn left_on(routers: &Routers<'_>, shard: &ShardEntry) -> Draining {
    let state = routers.state();
    Draining {
        databases: state.databases.get(&shard.name).cloned().unwrap_or_default(),
        chunks: state.chunks.get(&shard.name).copied().unwrap_or_default(),
        collections: state.collections.get(&shard.name).cloned().unwrap_or_default(),
    }
}

fn move_databases(
    routers: &Routers<'_>,
    shard: &ShardEntry,
    taker: &ShardEntry,
    left: &Draining,
    draft: &mut Draft<'_>,
) {
    match left.databases.first() {
        Some(database) => draft.step(
            sharding(ShardingAction::MovePrimary {
                via: routers.via(),
                database: database.clone(),
                to: taker.name.clone(),
            }),
            "it lives on a shard that is being removed",
            format!("it to live on {}", taker.name),
        ),
        None => draft.step(
            sharding(ShardingAction::RemoveShard { via: routers.via(), shard: shard.name.clone() }),
            "nothing is left on it",
            "the routers not to list it any more",
        ),
    }
}

fn in_words(left: &Draining) -> String {
    let Draining { databases, chunks, collections } = left;
    if databases.is_empty() && chunks.total == 0 {
        return "its removal to be completed".to_owned();
    }
    let beyond = |all: u64, shown: u64, of: &str| match all.saturating_sub(shown) {
        0 => None,
        more => Some(format!("{more} {of}")),
    };
    let shown = collections.iter().take(NAMED);
    let names = databases.iter().take(NAMED).cloned();
    let names = in_brackets(names, beyond(databases.len() as u64, NAMED as u64, "more"));
    let counted = shown.clone().map(|collection| format!("{} {}", collection.name, collection.chunks));
    let told = shown.map(|collection| collection.chunks).sum();
    let counted = in_brackets(counted, beyond(chunks.total, told, "in other collections"));
    format!(
        "the drain of the shard: {} databases{names}, {} chunks remain{counted}",
        databases.len(),
        chunks.total
    )
}

/// What is named, if anything is, and how much is not.
fn in_brackets(named: impl Iterator<Item = String>, beyond: Option<String>) -> String {
    let mut named: Vec<String> = named.collect();
    if named.is_empty() {
        return String::new();
    }
    named.extend(beyond);
    format!(" ({})", named.join(", "))
}

fn sharding(step: ShardingAction) -> Action {
    Action::Sharding { step }
}
