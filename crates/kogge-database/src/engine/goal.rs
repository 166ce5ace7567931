//! What the database shall be, in the engine's words.

use std::collections::{BTreeMap, BTreeSet};

use kogge_api::anchor::{Anchor, AnchoredMember};
use kogge_api::federated_cluster::{Component, PlacedComponent, Role};
use kogge_api::{FederatedClusterSpec, names};
use kogge_mongo::{
    Goal, Host, LeavingMember, MemberAnchor, MemberGoal, MemberId, MemberRole, Placement, PodName, RouterGoal,
    SetGoal, SetRole, Turns,
};

use crate::identity::Identity;
use crate::requests::Requests;
use crate::retired;

/// What a goal is made from.
pub struct GoalInput<'a> {
    /// Which database.
    pub identity: &'a Identity,
    /// What its user asks for.
    pub spec: &'a FederatedClusterSpec,
    /// What its workers remember of it.
    pub anchor: &'a Anchor,
    /// Placements that have not been observed completely, and why.
    pub unseen: BTreeMap<String, String>,
    /// The router pods that exist, with their placements.
    pub routers: Vec<(String, String)>,
    /// Whether members are to run another template than they do.
    pub rolling: bool,
    /// What people asked for beside the spec.
    pub requests: &'a Requests,
    /// Whether its user asked to change nothing.
    pub paused: bool,
}

/// The goal.
pub fn goal(input: GoalInput<'_>) -> Goal {
    let GoalInput { identity, spec, anchor, unseen, routers, rolling, requests, paused } = input;
    let retired = retired::retired(identity, spec, anchor);
    let sets = Component::replica_sets(spec.shard.shard_count)
        .chain(retired)
        .map(|component| set(identity, component, spec, anchor, requests))
        .collect();
    Goal {
        cluster: identity.name.clone(),
        sets,
        routers: routers
            .into_iter()
            .map(|(pod, placement)| RouterGoal { pod: pod.into(), placement: placement.into() })
            .collect(),
        unseen: unseen.into_iter().map(|(placement, why)| (placement.into(), why)).collect(),
        rollout_order: spec.rollout.order.iter().map(|p| Placement::new(p.as_str())).collect(),
        away_from: requests.away_from.clone(),
        rolling,
        balancer: turns(anchor.balancer_pauses),
        feature_compatibility_version: spec.global.feature_compatibility_version.clone(),
        paused,
    }
}

fn set(
    identity: &Identity,
    component: Component,
    spec: &FederatedClusterSpec,
    anchor: &Anchor,
    requests: &Requests,
) -> SetGoal {
    let members: Vec<MemberGoal> = spec
        .placed_component(component)
        .iter()
        .flat_map(|share| (0..share.replicas).map(|ordinal| member(identity, share, ordinal, anchor)))
        .collect();
    let wanted: BTreeSet<&PodName> = members.iter().map(|m| &m.pod).collect();
    let leaving: Vec<LeavingMember> = anchor
        .members
        .iter()
        .map(|(pod, remembered)| (PodName::new(pod.as_str()), remembered))
        .filter(|(pod, _)| identity.component_of(pod.as_str()) == Some(component) && !wanted.contains(pod))
        .map(|(pod, remembered)| LeavingMember {
            host: Host::new(identity.member_host(component, pod.as_str())),
            pod,
            anchor: member_anchor(remembered),
        })
        .collect();
    let key = component.to_string();
    let recovery = requests.recovery(identity, component, &members, &leaving, anchor);
    SetGoal {
        name: identity.replica_set(component).into(),
        role: match component {
            Component::Shard(index) => SetRole::Shard { index: index.into() },
            Component::Config | Component::Mongos => SetRole::Config,
        },
        members,
        leaving,
        seed: anchor.seeds.get(&key).map(|pod| PodName::new(pod.as_str())),
        next_member_id: anchor.next_member_id.get(&key).copied().unwrap_or(0),
        recovery,
        retired: retired::is_retired(spec, component),
        removals: anchor.shard_removals.get(&key).copied().map(turns).unwrap_or_default(),
    }
}

fn turns(anchored: kogge_api::anchor::Turns) -> Turns {
    Turns { begun: anchored.begun, ended: anchored.ended }
}

fn member(identity: &Identity, share: &PlacedComponent<'_>, ordinal: u32, anchor: &Anchor) -> MemberGoal {
    let PlacedComponent { component, placement, .. } = share;
    let pod = names::member(&identity.name, *component, &placement.name, ordinal);
    let remembered = anchor.members.get(&pod).map(member_anchor).unwrap_or_default();
    MemberGoal {
        host: identity.member_host(*component, &pod).into(),
        pod: pod.into(),
        placement: placement.name.as_str().into(),
        vdc: placement.vdc.as_str().into(),
        priority: placement.priority.unwrap_or(1),
        role: match placement.role {
            Role::Voter => MemberRole::Voter,
            Role::ReadOnly => MemberRole::ReadOnly,
            Role::Standby => MemberRole::Standby,
        },
        anchor: remembered,
    }
}

fn member_anchor(remembered: &AnchoredMember) -> MemberAnchor {
    MemberAnchor { member_id: remembered.member_id.map(MemberId), initialized: remembered.initialized }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::fixtures::identity;

    fn anchor(members: &[(&str, u32)]) -> Anchor {
        Anchor {
            cluster_id: "abcdefgh".parse().unwrap(),
            name: "ll2022".to_owned(),
            owner_uid: "owner".to_owned(),
            epoch: 1,
            spec_hash: String::new(),
            worker_uids: BTreeMap::new(),
            next_member_id: [("shard-0".to_owned(), 5)].into(),
            seeds: [("shard-0".to_owned(), "ll2022-shard-0-vdc1-0".to_owned())].into(),
            members: members
                .iter()
                .map(|(pod, id)| ((*pod).to_owned(), AnchoredMember { initialized: true, member_id: Some(*id) }))
                .collect(),
            fenced: BTreeMap::new(),
            lost_disks: BTreeMap::new(),
            shard_removals: BTreeMap::new(),
            balancer_pauses: kogge_api::anchor::Turns::default(),
        }
    }

    fn goal_of(spec: serde_json::Value, anchor: &Anchor) -> Goal {
        goal(GoalInput {
            identity: &identity(),
            spec: &serde_json::from_value(spec).unwrap(),
            anchor,
            unseen: BTreeMap::new(),
            routers: Vec::new(),
            rolling: false,
            requests: &Requests::default(),
            paused: false,
        })
    }

    #[test]
    fn members_are_named_by_placement_whatever_its_place_in_the_list() {
        let anchor = anchor(&[("ll2022-shard-0-vdc1-0", 0)]);
        let forth =
            serde_json::json!({"placement": [{"name": "vdc1", "vdc": "vdc1"}, {"name": "vdc2", "vdc": "vdc2"}]});
        let back =
            serde_json::json!({"placement": [{"name": "vdc2", "vdc": "vdc2"}, {"name": "vdc1", "vdc": "vdc1"}]});
        let goal = goal_of(forth, &anchor);
        assert_eq!(goal, goal_of(back, &anchor));
        let shard = &goal.sets[1];
        assert_eq!(shard.name.as_str(), "ll2022-shard-0-abcdefgh");
        assert_eq!(shard.members[0].anchor.member_id, Some(MemberId(0)));
        assert_eq!(
            shard.members[1].host.as_str(),
            "ll2022-shard-0-vdc2-0.ll2022-shard-0.databases.svc.cluster.local:27017"
        );
    }

    #[test]
    fn a_member_that_the_anchor_knows_and_nobody_wants_leaves() {
        let anchor = anchor(&[("ll2022-shard-0-vdc1-0", 0), ("ll2022-shard-0-vdc9-0", 3)]);
        let spec = serde_json::json!({"placement": [{"name": "vdc1", "vdc": "vdc1"}]});
        let leaving = &goal_of(spec, &anchor).sets[1].leaving;
        assert_eq!(leaving.iter().map(|m| m.pod.as_str()).collect::<Vec<_>>(), ["ll2022-shard-0-vdc9-0"]);
    }
}
