//! Shards of the sharded cluster: added when they have a primary and a router serves.

mod action;
mod state;

pub use action::ShardingAction;
pub use state::{Chunks, ClusterState};

use crate::goal::{Goal, SetRole};
use crate::names::{Host, PodName};
use crate::plan::Draft;
use crate::step::Action;
use crate::topology::{Millis, OBSERVATION_MAX_AGE, RouterServer, ShardEntry, Topology};
use crate::view::SetView;

/// Plans `addShard` for a shard that no router lists.
pub(crate) fn plan(goal: &Goal, view: &SetView<'_>, topology: &Topology, now: Millis, draft: &mut Draft<'_>) {
    if view.set.role == SetRole::Config {
        return;
    }
    let Some((router, shards)) = serving_router(goal, topology, now) else {
        draft.wait("a router that serves");
        return;
    };
    if lists(shards, view) || !draft.steps.is_empty() {
        return;
    }
    let Some(config) = view.config.filter(|_| view.primary.is_some()) else {
        return;
    };
    // The registered hosts are where routers look first: the first growth comes before.
    if let Some(joining) = draft.waiting.iter().find_map(|w| w.member.as_ref())
        && view.silent_since(joining).is_none()
        && view.server(joining).is_some()
    {
        draft.wait(format!("{joining} to join before the shard is added"));
        return;
    }
    let hosts: Vec<Host> = config.voters().map(|m| m.host.clone()).collect();
    draft.step(
        Action::AddShard { via: router.clone(), hosts },
        "it has a primary and no router lists it as a shard",
        "the routers to list it",
    );
}

/// Whether a router lists the set as a shard; absent while no router answers.
pub(crate) fn added(goal: &Goal, view: &SetView<'_>, topology: &Topology, now: Millis) -> Option<bool> {
    match view.set.role {
        SetRole::Config => None,
        SetRole::Shard { .. } => serving_router(goal, topology, now).map(|(_, shards)| lists(shards, view)),
    }
}

fn lists(shards: &[ShardEntry], view: &SetView<'_>) -> bool {
    let name = view.set.name.as_str();
    shards.iter().any(|shard| shard.set_name() == name)
}

fn serving_router<'a>(
    goal: &'a Goal,
    topology: &'a Topology,
    now: Millis,
) -> Option<(&'a PodName, &'a [ShardEntry])> {
    let mut routers: Vec<_> = goal.routers.iter().map(|router| &router.pod).collect();
    routers.sort();
    routers.into_iter().find_map(|pod| {
        let seen = topology.routers.get(pod)?;
        let fresh = now.saturating_sub(seen.observed_at) <= OBSERVATION_MAX_AGE;
        match &seen.server {
            RouterServer::Serving { shards, .. } if fresh => Some((pod, shards.as_slice())),
            _ => None,
        }
    })
}
