//! What leaves the database for good: shards that the spec does not have any more, and placements that it does not
//! name. They go in two steps. First the members leave: the anchors tell of them until then. Only what no anchor, no
//! replica set and no router knows any more is released, and its objects go.

use std::collections::BTreeSet;

use kogge_api::FederatedClusterSpec;
use kogge_api::anchor::{Anchor, Turns};
use kogge_api::federated_cluster::Component;
use kogge_api::labels;
use kogge_mongo::{Host, Millis, Plan, Replication, Server, Topology, listed_shards};
use kogge_plan::WorkerView;
use kogge_plan::object::{cluster_id, label};
use kogge_plan::prune::Released;

use crate::identity::Identity;
use crate::observation::{Observation, Prepared};

/// The shards that the spec does not have and the anchors still tell of.
pub(crate) fn retired(identity: &Identity, spec: &FederatedClusterSpec, anchor: &Anchor) -> BTreeSet<Component> {
    let of_members = anchor.members.keys().filter_map(|pod| identity.component_of(pod));
    let of_seeds = anchor.seeds.keys().filter_map(|component| component.parse().ok());
    let under_way = anchor.shard_removals.iter().filter(|(_, turns)| is_under_way(**turns));
    of_members
        .chain(of_seeds)
        .chain(under_way.filter_map(|(component, _)| component.parse().ok()))
        .filter(|component| is_retired(spec, *component))
        .collect()
}

/// The shards that the spec does not have and any worker holds an object of.
pub(crate) fn standing(observation: &Observation<'_>) -> BTreeSet<Component> {
    let (spec, id) = (&observation.cluster.spec, observation.identity.id.as_str());
    let views = observation.fleet.workers.values();
    views.flat_map(|view| components(view, id)).filter(|component| is_retired(spec, *component)).collect()
}

fn is_under_way(turns: Turns) -> bool {
    turns.begun > turns.ended
}

/// Whether a component is a shard that the spec does not have.
pub(crate) fn is_retired(spec: &FederatedClusterSpec, component: Component) -> bool {
    matches!(component, Component::Shard(index) if index >= spec.shard.shard_count)
}

fn components(view: &WorkerView, id: &str) -> BTreeSet<Component> {
    let ours = view.objects.values().filter(|object| cluster_id(object) == Some(id));
    ours.filter_map(|object| label(object, labels::COMPONENT)?.parse().ok()).collect()
}

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
