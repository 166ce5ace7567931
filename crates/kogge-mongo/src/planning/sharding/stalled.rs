//! Why the chunks of a shard that is being removed do not move, where that is known.

use crate::data::finding::FindingKind;
use crate::data::goal::Goal;
use crate::data::names::PodName;
use crate::data::replset::{KeptRanges, MemberState};
use crate::data::set_status::Draining;
use crate::data::topology::{Replication, Server, ShardEntry, Topology};
use crate::planning::draft::Draft;
use crate::view::routers::Routers;

/// Tells everything that is known to keep chunks where they are.
pub(super) fn tell(
    goal: &Goal,
    routers: &Routers<'_>,
    topology: &Topology,
    shard: &ShardEntry,
    left: &Draining,
    draft: &mut Draft<'_>,
) {
    if left.chunks.jumbo == left.chunks.total {
        draft.finding(
            FindingKind::JumboChunks,
            format!(
                "{} chunks on {} are too large to be moved; split them, or clear their jumbo flag with \
                 clearJumboFlag",
                left.chunks.jumbo, shard.name
            ),
        );
        return;
    }
    match routers.state().balancer_on {
        Some(false) if goal.balancer.under_way() => {
            draft.wait("the balancer is stopped until the rollout is over");
        }
        Some(false) => draft.finding(
            FindingKind::BalancerOff,
            format!(
                "{} is drained by the balancer, and somebody stopped it; start it with sh.startBalancer()",
                shard.name
            ),
        ),
        Some(true) | None => {
            if let Some(window) = &routers.state().balancer_window {
                draft.wait(format!(
                    "the balancer moves chunks only from {} to {} in the time zone of the config servers",
                    window.start, window.stop
                ));
            }
            range_deleters(goal, routers, topology, left, draft);
        }
    }
}

/// A chunk that goes back to a shard that gave it away waits until that shard has deleted what it kept of it.
fn range_deleters(
    goal: &Goal,
    routers: &Routers<'_>,
    topology: &Topology,
    left: &Draining,
    draft: &mut Draft<'_>,
) {
    for shard in routers.shards().filter(|shard| !shard.draining) {
        let Some(set) = goal.sets.iter().find(|set| set.name.as_str() == shard.set_name()) else { continue };
        let Some(kept) = set.members.iter().find_map(|member| kept_by(topology, &member.pod)) else { continue };
        let concerned = left.collections.iter().filter_map(|collection| {
            let ranges = kept.by_collection.get(&collection.name).filter(|ranges| **ranges > 0)?;
            Some((collection.name.as_str(), ranges))
        });
        for (collection, ranges) in concerned {
            let delay = kept.delay_seconds.map_or_else(
                || "orphanCleanupDelaySecs is not known".to_owned(),
                |seconds| format!("orphanCleanupDelaySecs is {seconds} s"),
            );
            draft.wait(format!(
                "chunks of {collection} that return to shard {} wait for its range deleter, which still keeps \
                 {ranges} ranges: {delay}",
                shard.name
            ));
        }
    }
}

/// What a primary said of the ranges that its shard keeps.
fn kept_by<'a>(topology: &'a Topology, pod: &PodName) -> Option<&'a KeptRanges> {
    let Server::Reachable(server) = &topology.members.get(pod)?.server else { return None };
    match &server.replication {
        Replication::Member { status, .. } if status.my_state == MemberState::Primary => {
            status.kept_ranges.as_ref()
        }
        _ => None,
    }
}
