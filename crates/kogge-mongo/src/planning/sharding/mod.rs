//! The sharded cluster: shards are added when they have a primary and a router serves, and drained before they
//! go; the balancer rests during rollouts; versions and defaults are raised through the routers.

mod action;
mod add;
mod balancer;
mod defaults;
pub(crate) mod drain;
mod router;
mod stalled;
mod state;

pub use action::ShardingAction;
pub use state::{BalancerWindow, Chunks, ClusterState, CollectionChunks};

pub(crate) use balancer::holds_restarts;
pub(crate) use drain::{holds_stale_data, is_leaving};

use std::collections::BTreeSet;

use crate::goal::{Goal, SetRole};
use crate::plan::{Draft, FindingKind};
use crate::topology::{Millis, Topology};
use crate::view::SetView;
use router::Routers;

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

/// Whether a router lists the set as a shard; absent while no router answers.
pub(crate) fn added(goal: &Goal, view: &SetView<'_>, topology: &Topology, now: Millis) -> Option<bool> {
    match view.set.role {
        SetRole::Config => None,
        SetRole::Shard { .. } => {
            Routers::of(goal, topology, now).map(|routers| routers.shard(&view.set.name).is_some())
        }
    }
}

/// The replica sets behind the shards that any router lists; absent while no router answers.
pub fn listed_shards(goal: &Goal, topology: &Topology, now: Millis) -> Option<BTreeSet<String>> {
    let routers = Routers::of(goal, topology, now)?;
    Some(routers.shards().map(|shard| shard.set_name().to_owned()).collect())
}

/// Whether a default write concern is known to be set for the whole cluster.
pub(crate) fn has_default_write_concern(goal: &Goal, topology: &Topology, now: Millis) -> bool {
    Routers::of(goal, topology, now).is_some_and(|routers| routers.state().default_write_concern == Some(true))
}

/// The feature compatibility version as a router tells it.
pub(crate) fn feature_version(goal: &Goal, topology: &Topology, now: Millis) -> Option<String> {
    Routers::of(goal, topology, now)?.state().feature_compatibility_version.clone()
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
