//! What holds for the cluster as a whole: the default read and write concern and the feature compatibility version.

use crate::data::finding::FindingKind;
use crate::data::goal::Goal;
use crate::data::names::PodName;
use crate::data::sharding_action::ShardingAction;
use crate::data::step::Action;
use crate::data::topology::{Millis, OBSERVATION_MAX_AGE, Server, Topology};
use crate::planning::draft::Draft;
use crate::planning::sharding::balancer::is_rolling;
use crate::view::routers::Routers;

/// Feature compatibility versions, and the wire protocol of the first server that knows each
/// (`wire_version.h` in the server's sources).
const VERSIONS: [(&str, i32); 5] = [("4.4", 9), ("5.0", 13), ("6.0", 17), ("7.0", 21), ("8.0", 25)];

/// Plans the next change of what holds for the whole cluster.
pub(crate) fn plan(goal: &Goal, routers: &Routers<'_>, topology: &Topology, now: Millis, draft: &mut Draft<'_>) {
    if draft.changes_something() {
        return;
    }
    if routers.state().default_write_concern == Some(false) {
        set_default_concerns(routers, draft);
        return;
    }
    raise_feature_version(goal, routers, topology, now, draft);
}

/// A read concern is set together with the write concern or never: a write concern cannot be unset, so a person who
/// goes back to the server's default for reads is not overruled.
fn set_default_concerns(routers: &Routers<'_>, draft: &mut Draft<'_>) {
    let read = routers.state().default_read_concern == Some(false);
    let (why, until) = if read {
        (
            "nobody has set any: what a majority does not hold can be lost, and is not to be read either",
            "the default read and write concern to be majority",
        )
    } else {
        (
            "nobody has set one, and what a majority does not hold can be lost; the read concern stays as it is",
            "the default write concern to be majority",
        )
    };
    let action = ShardingAction::SetDefaultConcerns { via: routers.via(), read };
    draft.step(Action::Sharding { step: action }, why, until);
}

fn raise_feature_version(
    goal: &Goal,
    routers: &Routers<'_>,
    topology: &Topology,
    now: Millis,
    draft: &mut Draft<'_>,
) {
    let Some(wanted) = &goal.feature_compatibility_version else { return };
    let Some(has) = &routers.state().feature_compatibility_version else { return };
    if wanted == has {
        return;
    }
    let known = |version: &str| VERSIONS.iter().position(|(known, _)| *known == version);
    let Some(at) = known(wanted) else {
        let versions = VERSIONS.map(|(known, _)| known).join(", ");
        refuse(draft, &format!("{wanted} is no version that can be set; use one of {versions}"));
        return;
    };
    if known(has).is_none_or(|has| has > at) {
        refuse(draft, &format!("the cluster has {has} and it is never lowered; ask for {has} or a later one"));
        return;
    }
    if is_rolling(goal, topology) {
        draft.wait("the rollout to end before the feature compatibility version is raised");
        return;
    }
    let (_, wire_version) = VERSIONS[at];
    let mut pods = goal.sets.iter().flat_map(|set| &set.members).map(|member| &member.pod);
    if let Some(pod) = pods.find(|pod| !speaks(topology, now, pod, wire_version)) {
        let what = format!("it to be seen with a version that knows the feature compatibility version {wanted}");
        draft.wait_member(pod, what, None);
        return;
    }
    draft.step(
        Action::Sharding {
            step: ShardingAction::SetFeatureCompatibilityVersion { via: routers.via(), version: wanted.clone() },
        },
        format!("the spec asks for it, the cluster has {has}, and every member knows it"),
        "every server to have it",
    );
}

fn speaks(topology: &Topology, now: Millis, pod: &PodName, wire_version: i32) -> bool {
    let seen = topology.members.get(pod).filter(|s| now.saturating_sub(s.observed_at) <= OBSERVATION_MAX_AGE);
    match seen.map(|seen| &seen.server) {
        Some(Server::Reachable(state)) => state.hello.max_wire_version.is_some_and(|v| v >= wire_version),
        Some(Server::Unreachable { .. }) | None => false,
    }
}

fn refuse(draft: &mut Draft<'_>, why: &str) {
    let message = format!("spec.global.featureCompatibilityVersion: {why}");
    draft.wait("a feature compatibility version that can be set");
    draft.finding(FindingKind::FeatureVersionRefused, message);
}
