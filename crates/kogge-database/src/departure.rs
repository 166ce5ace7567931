//! What leaves the database for good: shards that the spec does not have any more, and placements that it does not
//! name. They go in two steps. First the members leave: the anchors tell of them until then. Only what no anchor, no
//! replica set and no router knows any more is released, and its objects go.

use std::collections::BTreeSet;

use kogge_mongo::{Host, Millis, Plan, Replication, Server, Topology, listed_shards};
use kogge_plan::WorkerView;
use kogge_plan::prune::Released;

use crate::prepared::Prepared;
use crate::retired::{retired, standing};

impl Prepared<'_> {
    /// What has left for good. Nothing has, while anything was not seen: a placement, a primary, a router.
    pub(crate) fn released(&self, topology: &Topology, engine: &Plan, now: Millis) -> Released {
        let observation = &self.observation;
        let mut released = Released { volumes: observation.cluster.spec.deletion.data, ..Released::default() };
        if !observation.unseen().is_empty() || !engine.every_set_has_a_primary() {
            return released;
        }
        let identity = &observation.identity;
        released.placements = self.drained(&configured(topology));
        let Some(listed) = listed_shards(&self.goal, topology, now) else { return released };
        let retired = retired(identity, &observation.cluster.spec, &self.anchor);
        released.components = standing(observation)
            .difference(&retired)
            .filter(|component| !listed.contains(&identity.replica_set(**component)))
            .map(ToString::to_string)
            .collect();
        released
    }

    /// Whether every placement that was put on a worker is among those.
    pub(crate) fn holds_only(&self, view: &WorkerView, placements: &BTreeSet<String>) -> bool {
        let mut here = self.anchor.worker_uids.iter().filter(|(_, uid)| view.uid.as_ref() == Some(uid)).peekable();
        here.peek().is_some() && here.all(|(placement, _)| placements.contains(placement))
    }

    /// Placements that the spec does not name any more and no member is left in.
    fn drained(&self, configured: &BTreeSet<&Host>) -> BTreeSet<String> {
        let (identity, spec) = (&self.observation.identity, &self.observation.cluster.spec);
        let is_named = |placement: &String| spec.placement.iter().any(|named| named.name == *placement);
        let holds_a_member = |placement: &String| {
            let pods = self.anchor.members.keys().map(String::as_str);
            let hosts = configured.iter().filter_map(|host| host.as_str().split('.').next());
            pods.chain(hosts).any(|pod| identity.is_of(pod, placement))
        };
        let placements = self.anchor.worker_uids.keys();
        placements.filter(|placement| !is_named(placement) && !holds_a_member(placement)).cloned().collect()
    }
}

/// The hosts that any replica set's config lists.
fn configured(topology: &Topology) -> BTreeSet<&Host> {
    let configs = topology.members.values().filter_map(|seen| match &seen.server {
        Server::Reachable(state) => match &state.replication {
            Replication::Member { config, .. } => config.as_ref(),
            _ => None,
        },
        Server::Unreachable { .. } => None,
    });
    configs.flat_map(|config| &config.members).map(|member| &member.host).collect()
}
