//! What the database shall be, from its spec, its anchors and its fleet.

use std::collections::{BTreeMap, BTreeSet};

use kogge_api::FederatedEtcdSpec;
use kogge_api::anchor::etcd::Record;
use kogge_api::federated_etcd::{EtcdRole, PlacedMembers};
use kogge_engine::{GoalInput, Identity, Member, Placement, PodName, Requests, Vdc};

use serde_json::{Map, Value};

use super::components::{CLIENT, PEER, component, has_tls, url};
use super::record;
use crate::goal::{Goal, LeavingMember, MemberGoal, MemberRole, Recovery, Window};
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
        quota_bytes: spec.quota().bytes(),
        window: window(spec, input.now),
        auto_compaction: compacts(&spec.values) && spec.placement.iter().all(|p| compacts(&p.values)),
        paused: input.paused,
    }
}

fn window(spec: &FederatedEtcdSpec, now: i64) -> Window {
    match &spec.maintenance.window {
        None => Window::NotSet,
        Some(window) if window.is_open(now) => Window::Open,
        Some(_) => Window::Closed,
    }
}

/// Whether a layer of values leaves automatic compaction on, as the charts have it: etcd's own default is a retention of
/// 0, which is off.
fn compacts(values: &Map<String, Value>) -> bool {
    let flags = values.get("flags").and_then(Value::as_object);
    let retention = flags.and_then(|flags| flags.get("auto-compaction-retention"));
    match retention {
        None => true,
        Some(Value::String(retention)) => retention.chars().any(|c| ('1'..='9').contains(&c)),
        Some(Value::Number(retention)) => retention.as_f64() != Some(0.0),
        Some(_) => false,
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
    use kogge_engine::Engine as _;
    use serde_json::json;

    use super::*;
    use crate::Etcd;

    /// The database, whose placement `retired` was put into vdc3 once.
    fn goal_of(spec: Value, record: &Record) -> Goal {
        goal_at(spec, record, 0)
    }

    fn goal_at(spec: Value, record: &Record, now: i64) -> Goal {
        let identity = Identity {
            name: "orders".to_owned(),
            namespace: "databases".to_owned(),
            id: "abcdefgh".parse().unwrap(),
            cluster_domain: "cluster.local".to_owned(),
        };
        let spec = serde_json::from_value(spec).unwrap();
        goal(&GoalInput {
            vdcs: [("retired".to_owned(), "vdc3".into())].into(),
            now,
            ..GoalInput::unobserved(&identity, &spec, record)
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
        assert_eq!(goal.quota_bytes, 2 << 30, "etcd's own default");
        assert!(goal.validate().is_ok());
    }

    #[test]
    fn etcd_49_the_quota_of_the_goal_is_that_of_the_template() {
        let spec =
            json!({"version": "3.6.14", "placement": [{"name": "a", "vdc": "a"}], "quotaBackendBytes": "4Gi"});
        assert_eq!(goal_of(spec.clone(), &Record::default()).quota_bytes, 4 << 30);
        let settings = Etcd::settings(&serde_json::from_value(spec).unwrap());
        assert_eq!(settings["quotaBackendBytes"], json!(4_u64 << 30));
    }

    #[test]
    fn the_window_is_read_by_the_time_of_the_pass() {
        let spec = |maintenance: Value| json!({"version": "3.6.14", "placement": [{"name": "a", "vdc": "a"}], "maintenance": maintenance});
        let night = json!({"window": {"start": "02:00", "duration": "1h"}});
        let at = |hour: i64| goal_at(spec(night.clone()), &Record::default(), hour * 3600).window;
        assert_eq!([at(1), at(2), at(3), at(26)], [Window::Closed, Window::Open, Window::Closed, Window::Open]);
        assert_eq!(goal_at(spec(json!({})), &Record::default(), 2 * 3600).window, Window::NotSet);
    }

    #[test]
    fn compaction_that_values_turn_off_is_known() {
        let compacts = |flags: Value, here: Value| {
            let placement = json!([{"name": "a", "vdc": "a", "values": {"flags": here}}]);
            let spec = json!({"version": "3.6.14", "placement": placement, "values": {"flags": flags}});
            goal_of(spec, &Record::default()).auto_compaction
        };
        let retention = |value: Value| json!({"auto-compaction-retention": value});
        assert!(compacts(json!({}), json!({"snapshot-count": 5000})));
        assert!(compacts(retention(json!("30m")), retention(json!(10))));
        for off in [json!(null), json!(0), json!("0"), json!("0h")] {
            assert!(!compacts(retention(off.clone()), json!({})), "{off}");
            assert!(!compacts(json!({}), retention(off.clone())), "{off}");
        }
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
