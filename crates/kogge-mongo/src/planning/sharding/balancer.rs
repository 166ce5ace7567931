//! The balancer rests while members are restarted, and is put back to what it was. Whose pause it is stands in the
//! anchors before it begins: a balancer that a person stopped stays off.

use crate::data::goal::Goal;
use crate::data::sharding_action::ShardingAction;
use crate::data::step::Action;
use crate::data::topology::{Millis, Topology};
use crate::planning::draft::Draft;
use crate::view::SetView;
use crate::view::routers::Routers;

/// Whether members are being restarted, or are to be.
pub(crate) fn is_rolling(goal: &Goal, topology: &Topology) -> bool {
    let members = goal.sets.iter().flat_map(|set| &set.members);
    goal.rolling || members.map(|m| &m.pod).any(|pod| is_outdated(topology, pod))
}

/// Plans the next change of the balancer; with one shard there is nothing to balance.
pub(crate) fn plan(goal: &Goal, routers: &Routers<'_>, rolling: bool, draft: &mut Draft<'_>) {
    if draft.changes_something() {
        return;
    }
    let Some(on) = routers.state().balancer_on else {
        return;
    };
    let (via, turns) = (routers.via(), goal.balancer);
    match (rolling && has_several_shards(routers), turns.under_way(), on) {
        (true, false, true) => draft.step(
            sharding(ShardingAction::RecordBalancerPause { number: turns.ended + 1 }),
            "it runs, and members are going to be restarted",
            "the record in every anchor",
        ),
        (true, true, true) => draft.step(
            sharding(ShardingAction::StopBalancer { via }),
            "members are going to be restarted",
            "its round to end",
        ),
        (false, true, false) => draft.step(
            sharding(ShardingAction::StartBalancer { via }),
            "it ran before the rollout, which is over",
            "the balancer to run",
        ),
        (false, true, true) => draft.step(
            sharding(ShardingAction::RecordBalancerResumed { number: turns.begun }),
            "it runs as it did before the rollout",
            "the record in every anchor",
        ),
        (true, _, false) | (false, false, _) => {}
    }
}

/// Whether a set's restarts wait for the balancer.
pub(crate) fn holds_restarts(
    goal: &Goal,
    view: &SetView<'_>,
    topology: &Topology,
    now: Millis,
    draft: &mut Draft<'_>,
) -> bool {
    let outdated = view.set.members.iter().any(|member| is_outdated(topology, &member.pod));
    let Some(routers) = Routers::of(goal, topology, now).filter(|_| outdated) else {
        return false;
    };
    let holds = routers.state().balancer_on == Some(true) && has_several_shards(&routers);
    if holds {
        draft.wait("the balancer to rest before its restarts");
    }
    holds
}

fn has_several_shards(routers: &Routers<'_>) -> bool {
    let mut shards = routers.shards().map(|shard| &shard.name);
    let first = shards.next();
    shards.any(|shard| Some(shard) != first)
}

fn is_outdated(topology: &Topology, pod: &crate::data::names::PodName) -> bool {
    let facts = topology.members.get(pod).and_then(|seen| seen.pod.facts());
    facts.is_some_and(crate::data::topology::PodFacts::outdated)
}

fn sharding(step: ShardingAction) -> Action {
    Action::Sharding { step }
}
