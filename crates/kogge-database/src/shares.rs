//! The shares of a database, as their workers tell of them.

use std::collections::BTreeSet;

use kogge_engine::{ComponentKey, Engine, EngineView, Share as Asked};
use kogge_plan::rollout::{Share, ShareTarget};

use crate::observation::Observation;
use crate::template::key_name;

/// The shares as the rollout looks at them. `engine` is the engine's view of the same observation.
pub(crate) fn for_rollout<E: Engine>(
    placed: &[Asked],
    observation: &Observation<'_, E>,
    engine: &EngineView<E::Action>,
) -> Vec<Share> {
    let ill = ill_members(engine);
    placed
        .iter()
        .filter_map(|share| {
            let key = share.key();
            let target = ShareTarget {
                rank: share.component.rank,
                vdc: share.vdc.clone(),
                revision: observation.rollout.shares.get(&key_name(&key))?.revision.clone(),
                replicas: share.replicas,
            };
            let view = observation.placements.view(observation.fleet, &share.placement);
            let healthy = !ill.contains(&(&key.component, key.placement.as_str()));
            Some(Share::observed(view, observation.identity.database(), key, target, healthy))
        })
        .collect()
}

/// The shares with a member that the engine does not call healthy.
fn ill_members<A>(engine: &EngineView<A>) -> BTreeSet<(&ComponentKey, &str)> {
    let groups = engine.groups.values();
    groups
        .flat_map(|group| group.members.iter().map(|member| (&group.component, member)))
        .filter(|(_, member)| !member.is_healthy)
        .map(|(component, member)| (component, member.placement.as_str()))
        .collect()
}
