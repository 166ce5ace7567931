//! The sharded cluster: shards are added when they have a primary and a router serves, and drained before they
//! go; the balancer rests during rollouts; versions and defaults are raised through the routers.

mod add;
mod balancer;
mod defaults;
pub(crate) mod drain;
mod stalled;

pub(crate) use balancer::holds_restarts;
pub(crate) use drain::{holds_stale_data, is_leaving};

use std::collections::BTreeSet;

use crate::data::finding::FindingKind;
use crate::data::goal::{Goal, SetRole};
use crate::data::topology::{Millis, Topology};
use crate::planning::draft::Draft;
use crate::view::SetView;
use crate::view::routers::Routers;

/// Plans what a set's place in the sharded cluster asks for; with the config servers, what is about the cluster
/// as a whole.
pub(crate) fn plan(goal: &Goal, view: &SetView<'_>, topology: &Topology, now: Millis, draft: &mut Draft<'_>) {
    let routers = Routers::of(goal, topology, now);
    match (view.set.role, routers) {
        (SetRole::Config, Some(routers)) => {
            foreign_shards(goal, &routers, draft);
            balancer::plan(goal, &routers, balancer::is_rolling(goal, topology), draft);
            defaults::plan(goal, &routers, topology, now, draft);
        }
        (SetRole::Config, None) => {}
        (SetRole::Shard { .. }, None) => draft.wait("a router that serves"),
        (SetRole::Shard { .. }, Some(routers)) if is_leaving(view.set) => {
            drain::plan(goal, &routers, topology, draft);
        }
        (SetRole::Shard { .. }, Some(routers)) => add::plan(&routers, view, draft),
    }
}

fn foreign_shards(goal: &Goal, routers: &Routers<'_>, draft: &mut Draft<'_>) {
    let foreign: BTreeSet<&str> = routers
        .shards()
        .filter(|shard| goal.sets.iter().all(|set| set.name.as_str() != shard.set_name()))
        .map(|shard| shard.name.as_str())
        .collect();
    for shard in foreign {
        draft.finding(
            FindingKind::ForeignShard,
            format!("the routers list the shard {shard}, which is not ours; it is left alone, remove it by hand if it is not wanted"),
        );
    }
}
