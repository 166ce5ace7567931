//! The shares of a database, as their workers tell of them.

use std::collections::BTreeSet;

use kogge_api::federated_cluster::{Component, PlacedComponent};
use kogge_mongo::{MemberState, Plan, SetRole};
use kogge_plan::placement::Placements;
use kogge_plan::rollout::{Share, ShareTarget};
use kogge_plan::workload::ShareKey;
use kogge_plan::{FleetView, WorkerView};

use crate::identity::Identity;
use crate::revisions::Rollout;
use crate::template::key_name;

/// The worker view of a placement, if it has one.
pub(crate) fn view_of<'a>(
    fleet: &'a FleetView,
    placements: &Placements,
    placement: &str,
) -> Option<&'a WorkerView> {
    fleet.workers.get(&placements.resolved.get(placement)?.worker)
}

/// The key of a placed component.
pub(crate) fn key(share: &PlacedComponent<'_>) -> ShareKey {
    ShareKey { component: share.component, placement: share.placement.name.clone() }
}

/// The shares as the rollout looks at them. `engine` is the engine's plan from the same observation.
pub(crate) fn for_rollout(
    placed: &[PlacedComponent<'_>],
    identity: &Identity,
    fleet: &FleetView,
    placements: &Placements,
    rollout: &Rollout,
    engine: &Plan,
) -> Vec<Share> {
    let ill = ill_members(engine);
    placed
        .iter()
        .filter_map(|share| {
            let key = key(share);
            let target = ShareTarget {
                vdc: share.placement.vdc.clone(),
                revision: rollout.shares.get(&key_name(&key))?.revision.clone(),
                replicas: share.replicas,
            };
            let view = view_of(fleet, placements, &share.placement.name);
            let healthy =
                !ill.iter().any(|(set, placement)| *set == share.component && *placement == key.placement);
            Some(Share::observed(view, identity.database(), key, target, healthy))
        })
        .collect()
}

/// The shares with a member that the engine does not call healthy.
fn ill_members(engine: &Plan) -> BTreeSet<(Component, String)> {
    engine
        .sets
        .values()
        .flat_map(|set| set.members.iter().map(|member| (component_of(set.role), member)))
        .filter(|(_, member)| !matches!(member.state, Some(MemberState::Primary | MemberState::Secondary)))
        .map(|(component, member)| (component, member.placement.to_string()))
        .collect()
}

/// The component behind a replica set.
pub(crate) fn component_of(role: SetRole) -> Component {
    match role {
        SetRole::Config => Component::Config,
        // The schema bounds the number of shards at 128.
        SetRole::Shard { index } => Component::Shard(u16::try_from(index).unwrap_or(u16::MAX)),
    }
}
