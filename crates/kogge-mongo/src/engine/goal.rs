//! What the database shall be, from its spec, its anchors and its fleet.

use std::collections::BTreeSet;

use kogge_api::FederatedClusterSpec;
use kogge_api::anchor::mongodb::{self, AnchoredMember, Record};
use kogge_api::federated_cluster::{Component, PlacedComponent, Role};
use kogge_engine::{GoalInput, Identity, Member, PodName, Requests};

use super::components::{component, component_of_pod, host, key, kind};
use crate::data::goal::{
    Goal, LeavingMember, MemberAnchor, MemberGoal, MemberRole, Recovery, RouterGoal, SetGoal, SetRole, Turns,
};
use crate::data::names::{Host, MemberId, Placement};

/// The goal.
pub(super) fn goal(input: &GoalInput<'_, FederatedClusterSpec, Record>) -> Goal {
    let GoalInput { identity, spec, record, requests, retired, .. } = *input;
    let gone: BTreeSet<Component> = retired.iter().filter_map(|component| kind(&component.key)).collect();
    let sets = Component::replica_sets(spec.shard.shard_count).map(|component| (component, false));
    let sets = sets.chain(gone.into_iter().map(|component| (component, true)));
    Goal {
        cluster: identity.name.clone(),
        sets: sets
            .map(|(component, retired)| SetGoal { retired, ..set(identity, component, spec, record, requests) })
            .collect(),
        routers: input
            .routers
            .iter()
            .map(|(pod, placement)| RouterGoal { pod: pod.clone(), placement: placement.clone() })
            .collect(),
        unseen: input.unseen.iter().map(|(placement, why)| (placement.as_str().into(), why.clone())).collect(),
        rollout_order: spec.rollout.order.iter().map(|p| Placement::new(p.as_str())).collect(),
        away_from: requests.away_from.clone(),
        rolling: input.rolling,
        balancer: turns(record.balancer_pauses),
        feature_compatibility_version: spec.global.feature_compatibility_version.clone(),
        paused: input.paused,
    }
}

fn set(
    identity: &Identity,
    component: Component,
    spec: &FederatedClusterSpec,
    record: &Record,
    requests: &Requests,
) -> SetGoal {
    let members: Vec<MemberGoal> = spec
        .placed_component(component)
        .iter()
        .flat_map(|share| (0..share.replicas).map(|ordinal| member(identity, share, ordinal, record)))
        .collect();
    let wanted: BTreeSet<&PodName> = members.iter().map(|m| &m.pod).collect();
    let is_of_set = |pod: &PodName| {
        identity.rest_of(pod.as_str()).and_then(component_of_pod).is_some_and(|of| of == component)
    };
    let leaving: Vec<LeavingMember> = record
        .members
        .iter()
        .map(|(pod, remembered)| (PodName::new(pod.as_str()), remembered))
        .filter(|(pod, _)| is_of_set(pod) && !wanted.contains(pod))
        .map(|(pod, remembered)| LeavingMember {
            host: Host::new(host(identity, component, pod.as_str())),
            pod,
            anchor: member_anchor(remembered),
        })
        .collect();
    let key = component.to_string();
    let recovery = recovery(requests, identity, component, &members, &leaving, record);
    SetGoal {
        name: kogge_api::names::group(&identity.name, component, &identity.id).into(),
        role: match component {
            Component::Shard(index) => SetRole::Shard { index: index.into() },
            Component::Config | Component::Mongos => SetRole::Config,
        },
        members,
        leaving,
        seed: record.seeds.get(&key).map(|pod| PodName::new(pod.as_str())),
        next_member_id: record.next_member_id.get(&key).copied().unwrap_or(0),
        recovery,
        retired: false,
        removals: record.shard_removals.get(&key).copied().map(turns).unwrap_or_default(),
    }
}

fn turns(anchored: mongodb::Turns) -> Turns {
    Turns { begun: anchored.begun, ended: anchored.ended }
}

fn member(identity: &Identity, share: &PlacedComponent<'_>, ordinal: u32, record: &Record) -> MemberGoal {
    let PlacedComponent { component, placement, .. } = share;
    let pod = identity.member(&key(*component), &placement.name, ordinal);
    MemberGoal {
        host: host(identity, *component, pod.as_str()).into(),
        placement: placement.name.as_str().into(),
        vdc: placement.vdc.as_str().into(),
        priority: placement.priority.unwrap_or(1),
        role: match placement.role {
            Role::Voter => MemberRole::Voter,
            Role::ReadOnly => MemberRole::ReadOnly,
            Role::Standby => MemberRole::Standby,
        },
        anchor: record.members.get(pod.as_str()).map(member_anchor).unwrap_or_default(),
        pod,
    }
}

fn member_anchor(remembered: &AnchoredMember) -> MemberAnchor {
    MemberAnchor { member_id: remembered.member_id.map(MemberId), initialized: remembered.initialized }
}

/// The recovery of one set, for its members wanted and leaving.
fn recovery(
    requests: &Requests,
    identity: &Identity,
    set: Component,
    members: &[MemberGoal],
    leaving: &[LeavingMember],
    record: &Record,
) -> Recovery {
    let component = key(set);
    let pods = || members.iter().map(|m| &m.pod).chain(leaving.iter().map(|m| &m.pod));
    let within = |named: &BTreeSet<String>| -> BTreeSet<PodName> {
        let asked = requests.recovers(&component);
        let is_within = |pod: &&PodName| asked && requests.is_within(identity, &component, pod.as_str(), named);
        pods().filter(is_within).cloned().collect()
    };
    Recovery {
        lost: within(&requests.recovery.lost),
        cut_off: requests.recovery.fenced,
        approved: requests.approved.clone(),
        fenced: pods()
            .filter_map(|pod| Some((pod.clone(), MemberId(*record.fenced.get(pod.as_str())?))))
            .collect(),
        readmitted: within(&requests.recovery.readmit),
    }
}

/// The members that a goal names.
pub(super) fn members(goal: &Goal) -> Vec<Member> {
    let of_set = |set: &SetGoal| {
        let component = component(of_role(set.role));
        let wanted = set.members.iter().map(|m| (&m.pod, Some((m.placement.clone(), m.vdc.clone()))));
        let all = wanted.chain(set.leaving.iter().map(|m| (&m.pod, None)));
        all.map(|(pod, place)| Member { pod: pod.clone(), component: component.clone(), place })
            .collect::<Vec<_>>()
    };
    goal.sets.iter().flat_map(of_set).collect()
}

/// The component behind a replica set.
pub(super) fn of_role(role: SetRole) -> Component {
    match role {
        SetRole::Config => Component::Config,
        // The schema bounds the number of shards at 128.
        SetRole::Shard { index } => Component::Shard(u16::try_from(index).unwrap_or(u16::MAX)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity() -> Identity {
        Identity {
            name: "ll2022".to_owned(),
            namespace: "databases".to_owned(),
            id: "abcdefgh".parse().unwrap(),
            cluster_domain: "cluster.local".to_owned(),
        }
    }

    fn record(members: &[(&str, u32)]) -> Record {
        let members = members
            .iter()
            .map(|(pod, id)| ((*pod).to_owned(), AnchoredMember { initialized: true, member_id: Some(*id) }));
        Record {
            next_member_id: [("shard-0".to_owned(), 5)].into(),
            seeds: [("shard-0".to_owned(), "ll2022-shard-0-vdc1-0".to_owned())].into(),
            members: members.collect(),
            ..Record::default()
        }
    }

    fn goal_of(spec: serde_json::Value, record: &Record) -> Goal {
        goal(&GoalInput::unobserved(&identity(), &serde_json::from_value(spec).unwrap(), record))
    }

    #[test]
    fn members_are_named_by_placement_whatever_its_place_in_the_list() {
        let record = record(&[("ll2022-shard-0-vdc1-0", 0)]);
        let forth =
            serde_json::json!({"placement": [{"name": "vdc1", "vdc": "vdc1"}, {"name": "vdc2", "vdc": "vdc2"}]});
        let back =
            serde_json::json!({"placement": [{"name": "vdc2", "vdc": "vdc2"}, {"name": "vdc1", "vdc": "vdc1"}]});
        let goal = goal_of(forth, &record);
        assert_eq!(goal, goal_of(back, &record));
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
        let record = record(&[("ll2022-shard-0-vdc1-0", 0), ("ll2022-shard-0-vdc9-0", 3)]);
        let spec = serde_json::json!({"placement": [{"name": "vdc1", "vdc": "vdc1"}]});
        let leaving = &goal_of(spec, &record).sets[1].leaving;
        assert_eq!(leaving.iter().map(|m| m.pod.as_str()).collect::<Vec<_>>(), ["ll2022-shard-0-vdc9-0"]);
    }
}
