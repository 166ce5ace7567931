//! What the anchors hold, as the planner reads it, and as its steps change it.

use kogge_api::anchor::etcd::{self, AnchoredMember, Id, Record};
use kogge_engine::PodName;

use crate::goal::{MemberAnchor, Seed, SeedSource, Start};
use crate::names::{ClusterId, MemberId, Token, Url};
use crate::step::{Action, Step};

/// What the anchors hold once the steps are recorded.
pub(super) fn recorded<'a>(before: &Record, steps: impl Iterator<Item = &'a Step>) -> Record {
    let mut record = before.clone();
    for step in steps {
        take(&mut record, &step.action);
    }
    record
}

fn take(record: &mut Record, action: &Action) {
    match action {
        Action::RecordSeed { seed } => {
            record.seed = Some(seed_record(seed));
            change(record, &seed.pod, |member| joins(member, seed.member_id));
        }
        Action::AllowStart { pod, start } => {
            change(record, pod, |member| member.start = Some(start_record(start)));
        }
        Action::RecordMember { pod, member_id } => change(record, pod, |member| joins(member, *member_id)),
        Action::MarkInitialized { pod, member_id } => change(record, pod, |member| {
            joins(member, *member_id);
            member.initialized = true;
            member.start = None;
        }),
        Action::RecordRemoved { pod, member_id } => change(record, pod, |member| leaves(member, *member_id)),
        Action::FenceMember { pod, member_id } => change(record, pod, |member| {
            leaves(member, *member_id);
            member.fenced = Some(id(*member_id));
        }),
        Action::ForgetMember { pod } => {
            record.members.remove(pod.as_str());
        }
        Action::AddLearner { .. }
        | Action::Promote { .. }
        | Action::Remove { .. }
        | Action::UpdatePeerUrl { .. }
        | Action::MoveLeader { .. }
        | Action::Defragment { .. }
        | Action::DisarmAlarm { .. }
        | Action::RestartPod { .. } => {}
    }
}

/// Each change has a number of its own, by which the later one of two records is known.
fn change(record: &mut Record, pod: &PodName, change: impl FnOnce(&mut AnchoredMember)) {
    record.changes += 1;
    let member = record.members.entry(pod.to_string()).or_default();
    change(member);
    member.change = record.changes;
}

/// The member has that ID: what was recorded under another one is over.
fn joins(member: &mut AnchoredMember, member_id: MemberId) {
    let member_id = id(member_id);
    if member.member_id != Some(member_id) {
        member.removed = member.member_id.or(member.removed);
        member.member_id = Some(member_id);
        member.initialized = false;
        member.start = None;
    }
}

/// The member does not have that ID any more.
fn leaves(member: &mut AnchoredMember, member_id: MemberId) {
    member.removed = Some(id(member_id));
    (member.member_id, member.initialized, member.start) = (None, false, None);
}

fn id(member_id: MemberId) -> Id {
    Id(member_id.0)
}

fn seed_record(seed: &Seed) -> etcd::Seed {
    etcd::Seed {
        pod: seed.pod.to_string(),
        incarnation: seed.incarnation,
        member_id: id(seed.member_id),
        cluster_id: Id(seed.cluster_id.0),
        restored_from: match seed.source {
            SeedSource::Empty => None,
            SeedSource::OwnDisk { of } => Some(Id(of.0)),
        },
    }
}

fn start_record(start: &Start) -> etcd::Start {
    let Start { uid, state, token, initial_cluster } = start;
    etcd::Start {
        uid: uid.clone(),
        state: *state,
        token: token.to_string(),
        initial_cluster: initial_cluster.iter().map(|(url, pod)| (url.to_string(), pod.to_string())).collect(),
    }
}

/// The seed as the planner knows it.
pub(super) fn seed(record: &Record) -> Option<Seed> {
    let seed = record.seed.as_ref()?;
    Some(Seed {
        pod: PodName::new(seed.pod.as_str()),
        incarnation: seed.incarnation,
        member_id: MemberId(seed.member_id.0),
        cluster_id: ClusterId(seed.cluster_id.0),
        source: match seed.restored_from {
            None => SeedSource::Empty,
            Some(of) => SeedSource::OwnDisk { of: ClusterId(of.0) },
        },
    })
}

/// A member's record as the planner knows it.
pub(super) fn member(record: &Record, pod: &PodName) -> MemberAnchor {
    let Some(member) = record.members.get(pod.as_str()) else { return MemberAnchor::default() };
    let start = |start: &etcd::Start| Start {
        uid: start.uid.clone(),
        state: start.state,
        token: Token::new(start.token.as_str()),
        initial_cluster: start
            .initial_cluster
            .iter()
            .map(|(url, pod)| (Url::new(url.as_str()), PodName::new(pod.as_str())))
            .collect(),
    };
    MemberAnchor {
        member_id: member.member_id.map(|id| MemberId(id.0)),
        initialized: member.initialized,
        start: member.start.as_ref().map(start),
        removed: member.removed.map(|id| MemberId(id.0)),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use kogge_api::anchor::Record as _;

    use super::*;
    use crate::goal::StartState;

    const POD: &str = "orders-etcd-vdc1-0";

    fn step(action: Action) -> Step {
        Step { action, reason: String::new(), waits_for: String::new() }
    }

    fn after(before: &Record, actions: &[Action]) -> Record {
        let steps: Vec<Step> = actions.iter().cloned().map(step).collect();
        recorded(before, steps.iter())
    }

    fn allowed() -> Start {
        Start {
            uid: "uid".to_owned(),
            state: StartState::New,
            token: Token::new("t-0"),
            initial_cluster: BTreeMap::from([(Url::new("http://a:2380"), POD.into())]),
        }
    }

    fn begun() -> Record {
        let seed = Seed {
            pod: POD.into(),
            incarnation: 0,
            member_id: MemberId(7),
            cluster_id: ClusterId(9),
            source: SeedSource::OwnDisk { of: ClusterId(3) },
        };
        after(&Record::default(), &[Action::RecordSeed { seed }])
    }

    #[test]
    fn what_is_recorded_reads_back_as_the_planner_knows_it() {
        let record = after(&begun(), &[Action::AllowStart { pod: POD.into(), start: allowed() }]);
        let expected = MemberAnchor {
            member_id: Some(MemberId(7)),
            initialized: false,
            start: Some(allowed()),
            removed: None,
        };
        assert_eq!(member(&record, &POD.into()), expected);
        assert_eq!(seed(&record).unwrap().source, SeedSource::OwnDisk { of: ClusterId(3) });
        assert_eq!(member(&record, &"another".into()), MemberAnchor::default());
    }

    #[test]
    fn a_member_that_ran_has_used_its_start_and_another_id_ends_what_was_known() {
        let pod = PodName::new(POD);
        let ran = after(
            &begun(),
            &[
                Action::AllowStart { pod: pod.clone(), start: allowed() },
                Action::MarkInitialized { pod: pod.clone(), member_id: MemberId(7) },
            ],
        );
        assert_eq!((ran.members[POD].initialized, &ran.members[POD].start), (true, &None));
        let same = after(&ran, &[Action::RecordMember { pod: pod.clone(), member_id: MemberId(7) }]);
        assert!(same.members[POD].initialized, "its ID is known already");
        let other = after(&ran, &[Action::RecordMember { pod: pod.clone(), member_id: MemberId(8) }]);
        let known = member(&other, &pod);
        assert_eq!(
            (known.member_id, known.initialized, known.removed),
            (Some(MemberId(8)), false, Some(MemberId(7)))
        );
        let removed = after(&ran, &[Action::RecordRemoved { pod: pod.clone(), member_id: MemberId(7) }]);
        let known = member(&removed, &pod);
        assert_eq!((known.member_id, known.initialized, known.removed), (None, false, Some(MemberId(7))));
        let fenced = after(&ran, &[Action::FenceMember { pod: pod.clone(), member_id: MemberId(7) }]);
        assert_eq!(fenced.members[POD].fenced, Some(Id(7)));
        assert!(after(&ran, &[Action::ForgetMember { pod }]).members.is_empty());
    }

    #[test]
    fn a_survivor_that_is_restored_is_known_by_the_id_that_its_disk_has() {
        let ran = after(&begun(), &[Action::MarkInitialized { pod: POD.into(), member_id: MemberId(7) }]);
        let seed = Seed { incarnation: 1, member_id: MemberId(8), ..seed(&ran).unwrap() };
        let restored = after(&ran, &[Action::RecordSeed { seed }]);
        let known = &restored.members[POD];
        assert_eq!((known.member_id, known.removed, known.initialized), (Some(Id(8)), Some(Id(7)), false));
    }

    #[test]
    fn a_worker_that_was_away_brings_nothing_back() {
        let old = after(&begun(), &[Action::MarkInitialized { pod: POD.into(), member_id: MemberId(7) }]);
        let new = after(&old, &[Action::RecordRemoved { pod: POD.into(), member_id: MemberId(7) }]);
        let mut joined = old.clone();
        joined.join(&new, "orders").unwrap();
        assert_eq!(joined, new);
        let mut joined = new.clone();
        joined.join(&old, "orders").unwrap();
        assert_eq!(joined, new);
    }
}
