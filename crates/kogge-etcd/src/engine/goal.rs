//! What the database shall be, from its spec, its anchors and its fleet.

use std::collections::{BTreeMap, BTreeSet};

use kogge_api::FederatedEtcdSpec;
use kogge_api::anchor::etcd::Record;
use kogge_api::federated_etcd::{EtcdRole, PlacedMembers};
use kogge_engine::{GoalInput, Identity, Member, Placement, PodName, Requests, Vdc};

use super::components::{CLIENT, PEER, component, has_tls, url};
use super::record;
use crate::goal::{Goal, LeavingMember, MemberGoal, MemberRole, Recovery};
use crate::names::MemberId;
use crate::version::Version;

/// `--max-learners`, which the charts leave at etcd's own: 3.5 knows no other.
const MAX_LEARNERS: usize = 1;

/// The goal.
pub(super) fn goal(input: &GoalInput<'_, FederatedEtcdSpec, Record>) -> Goal {
    let GoalInput { identity, spec, record, requests, .. } = *input;
    let members: Vec<MemberGoal> = spec
        .placed()
        .iter()
        .flat_map(|share| (0..share.replicas).map(|ordinal| member(identity, spec, share, ordinal, record)))
        .collect();
    let wanted: BTreeSet<&PodName> = members.iter().map(|member| &member.pod).collect();
    let known = record.members.keys().map(|pod| PodName::new(pod.as_str()));
    let leaving: Vec<LeavingMember> = known
        .filter(|pod| !wanted.contains(pod))
        .map(|pod| LeavingMember {
            peer_url: url(identity, &pod, PEER, has_tls(spec)),
            vdc: vdc_of(input, &pod),
            anchor: record::member(record, &pod),
            pod,
        })
        .collect();
    Goal {
        database: identity.name.clone(),
        uid: identity.id.to_string(),
        seed: record::seed(record),
        recovery: recovery(requests, identity, &members, &leaving, record),
        members,
        leaving,
        unseen: input.unseen.iter().map(|(placement, why)| (placement.as_str().into(), why.clone())).collect(),
        rollout_order: spec.rollout.order.iter().map(|placement| Placement::new(placement.as_str())).collect(),
        rolling: input.rolling,
        away_from: requests.away_from.clone(),
        max_learners: MAX_LEARNERS,
        version: spec.version.parse().unwrap_or(UNKNOWN),
        quota_bytes: 0,
        maintenance_open: false,
        paused: input.paused,
    }
}

/// The schema lets no version through that cannot be read; one that came by another way is refused as too old.
const UNKNOWN: Version = Version::new(0, 0, 0);

fn member(
    identity: &Identity,
    spec: &FederatedEtcdSpec,
    share: &PlacedMembers<'_>,
    ordinal: u32,
    record: &Record,
) -> MemberGoal {
    let placement = share.placement;
    let pod = identity.member(&component().key, &placement.name, ordinal);
    let tls = has_tls(spec);
    MemberGoal {
        peer_url: url(identity, &pod, PEER, tls),
        client_url: url(identity, &pod, CLIENT, tls),
        placement: placement.name.as_str().into(),
        vdc: placement.vdc.as_str().into(),
        role: match placement.role {
            EtcdRole::Voter => MemberRole::Voter,
            EtcdRole::Learner => MemberRole::Learner,
        },
        anchor: record::member(record, &pod),
        pod,
    }
}

/// The data centre of a member that leaves; where nobody knows its placement, its vote counts for itself.
fn vdc_of(input: &GoalInput<'_, FederatedEtcdSpec, Record>, pod: &PodName) -> Vdc {
    let key = component().key;
    let mut vdcs = input.vdcs.iter();
    let known = vdcs.find(|(placement, _)| input.identity.is_in(&key, pod.as_str(), placement));
    known.map_or_else(|| Vdc::new(pod.as_str()), |(_, vdc)| vdc.clone())
}

fn recovery(
    requests: &Requests,
    identity: &Identity,
    members: &[MemberGoal],
    leaving: &[LeavingMember],
    record: &Record,
) -> Recovery {
    let key = component().key;
    let pods = || members.iter().map(|m| &m.pod).chain(leaving.iter().map(|m| &m.pod));
    let within = |named: &BTreeSet<String>| -> BTreeSet<PodName> {
        let asked = requests.recovers(&key);
        let is_within = |pod: &&PodName| asked && requests.is_within(identity, &key, pod.as_str(), named);
        pods().filter(is_within).cloned().collect()
    };
    let fenced = |pod: &PodName| Some((pod.clone(), MemberId(record.members.get(pod.as_str())?.fenced?.0)));
    Recovery {
        lost: within(&requests.recovery.lost),
        cut_off: requests.recovery.fenced,
        approved: requests.approved.clone(),
        fenced: pods().filter_map(fenced).collect::<BTreeMap<_, _>>(),
        readmitted: within(&requests.recovery.readmit),
    }
}

/// The members that a goal names.
pub(super) fn members(goal: &Goal) -> Vec<Member> {
    let wanted = goal.members.iter().map(|m| (&m.pod, Some((m.placement.clone(), m.vdc.clone()))));
    let all = wanted.chain(goal.leaving.iter().map(|m| (&m.pod, None)));
    all.map(|(pod, place)| Member { pod: pod.clone(), component: component(), place }).collect()
}

#[cfg(test)]
mod tests {
    use kogge_api::anchor::etcd::AnchoredMember;
    use serde_json::json;

    use super::*;

    /// The database, whose placement `retired` was put into vdc3 once.
    fn goal_of(spec: serde_json::Value, record: &Record) -> Goal {
        goal(&GoalInput {
            identity: &Identity {
                name: "orders".to_owned(),
                namespace: "databases".to_owned(),
                id: "abcdefgh".parse().unwrap(),
                cluster_domain: "cluster.local".to_owned(),
            },
            spec: &serde_json::from_value(spec).unwrap(),
            record,
            retired: &BTreeSet::new(),
            unseen: BTreeMap::new(),
            routers: Vec::new(),
            rolling: false,
            requests: &Requests::default(),
            vdcs: [("retired".to_owned(), "vdc3".into())].into(),
            paused: false,
        })
    }

    #[test]
    fn members_are_named_by_placement_and_those_that_nobody_wants_leave() {
        let known = |pod: &str| (pod.to_owned(), AnchoredMember::default());
        let record = Record {
            members: [known("orders-etcd-retired-0"), known("orders-etcd-vdc9-0")].into(),
            ..Record::default()
        };
        let placement = json!([
            {"name": "vdc2", "vdc": "vdc2", "membersPerPlacement": 2},
            {"name": "reader", "vdc": "vdc1", "role": "Learner"},
        ]);
        let goal = goal_of(json!({"version": "3.6.14", "placement": placement}), &record);
        let told: Vec<_> = goal.members.iter().map(|m| (m.pod.as_str(), m.role)).collect();
        assert_eq!(
            told,
            [
                ("orders-etcd-reader-0", MemberRole::Learner),
                ("orders-etcd-vdc2-0", MemberRole::Voter),
                ("orders-etcd-vdc2-1", MemberRole::Voter),
            ]
        );
        assert_eq!(
            goal.members[0].peer_url.as_str(),
            "http://orders-etcd-reader-0.orders-etcd.databases.svc.cluster.local:2380"
        );
        let leaving: Vec<_> = goal.leaving.iter().map(|m| (m.pod.as_str(), m.vdc.as_str())).collect();
        let expected = [("orders-etcd-retired-0", "vdc3"), ("orders-etcd-vdc9-0", "orders-etcd-vdc9-0")];
        assert_eq!(leaving, expected, "where nobody knows the vdc, the vote counts for itself");
        assert_eq!((goal.uid.as_str(), goal.version), ("abcdefgh", Version::new(3, 6, 14)));
        assert!(goal.validate().is_ok());
    }

    #[test]
    fn with_tls_every_url_says_so() {
        let spec = json!({
            "version": "3.6.14",
            "placement": [{"name": "vdc1", "vdc": "vdc1"}],
            "security": {"tls": {"mode": "Require"}},
        });
        let goal = goal_of(spec, &Record::default());
        assert!(goal.members[0].client_url.as_str().starts_with("https://orders-etcd-vdc1-0."));
        assert!(goal.members[0].peer_url.as_str().ends_with(":2380"));
    }
}
