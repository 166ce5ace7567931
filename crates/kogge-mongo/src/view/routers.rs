//! The routers that answer, and what they together say.

use std::collections::BTreeSet;

use crate::data::goal::{Goal, SetGoal, SetRole};
use crate::data::names::{PodName, SetName};
use crate::data::sharded_cluster::ClusterState;
use crate::data::topology::{Millis, OBSERVATION_MAX_AGE, RouterServer, ShardEntry, Topology};

/// The routers of the goal that answered lately; at least one.
pub(crate) struct Routers<'a> {
    first: Serving<'a>,
    rest: Vec<Serving<'a>>,
}

struct Serving<'a> {
    pod: &'a PodName,
    shards: &'a [ShardEntry],
    state: &'a ClusterState,
}

impl<'a> Routers<'a> {
    /// The routers in the order of their names; none where no one answers.
    pub(crate) fn of(goal: &'a Goal, topology: &'a Topology, now: Millis) -> Option<Self> {
        let mut pods: Vec<_> = goal.routers.iter().map(|router| &router.pod).collect();
        pods.sort();
        let mut serving = pods.into_iter().filter_map(|pod| {
            let seen = topology.routers.get(pod)?;
            let fresh = now.saturating_sub(seen.observed_at) <= OBSERVATION_MAX_AGE;
            match &seen.server {
                RouterServer::Serving { shards, cluster } if fresh => {
                    Some(Serving { pod, shards, state: cluster })
                }
                _ => None,
            }
        });
        let first = serving.next()?;
        Some(Self { first, rest: serving.collect() })
    }

    /// The router that commands go to.
    pub(crate) fn via(&self) -> PodName {
        self.first.pod.clone()
    }

    /// What that router says of the cluster.
    pub(crate) fn state(&self) -> &'a ClusterState {
        self.first.state
    }

    /// Every shard that any router lists.
    pub(crate) fn shards(&self) -> impl Iterator<Item = &'a ShardEntry> {
        std::iter::once(&self.first).chain(&self.rest).flat_map(|router| router.shards)
    }

    /// The shard that a set is, if any router lists it.
    pub(crate) fn shard(&self, set: &SetName) -> Option<&'a ShardEntry> {
        self.shards().find(|shard| shard.set_name() == set.as_str())
    }
}

/// Whether a router lists the set as a shard; absent while no router answers.
pub(crate) fn added(goal: &Goal, set: &SetGoal, topology: &Topology, now: Millis) -> Option<bool> {
    match set.role {
        SetRole::Config => None,
        SetRole::Shard { .. } => {
            Routers::of(goal, topology, now).map(|routers| routers.shard(&set.name).is_some())
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
