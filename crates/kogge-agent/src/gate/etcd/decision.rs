//! Whether a member's server may start, and how: pure.

use kogge_api::anchor::Anchor;
use kogge_api::anchor::etcd::{AnchoredMember, Id, Record, Start};
use kogge_api::gate::{self, Hold, HoldReason, Report};

use super::disk::Contents;
use super::wal::Owner;
use crate::gate::look::Look;
use crate::gate::me::Me;

type Held = (HoldReason, String);

/// What the gate decides on.
pub(super) struct Seen<'a> {
    /// What is on the disk.
    pub(super) contents: &'a Contents,
    /// The start that this pod's gate has used.
    pub(super) used: Option<&'a Start>,
}

/// Decides. An anchor that cannot be read says why.
pub(super) fn decide(me: &Me<'_>, anchor: Result<&Anchor<Record>, &str>, seen: &Seen<'_>) -> Result<Look, Hold> {
    check(me, anchor, seen).map_err(|(reason, message)| Hold { reason, message })
}

fn check(me: &Me<'_>, anchor: Result<&Anchor<Record>, &str>, seen: &Seen<'_>) -> Result<Look, Held> {
    let record = &me.own(anchor)?.record;
    let member = record.members.get(me.pod).cloned().unwrap_or_default();
    match seen.contents {
        Contents::Damaged(what) => {
            let message = format!(
                "the disk holds {what}, on which no server of this member can start; restore the disk, or remove what is on \
                 it to have the member added again under another ID"
            );
            Err((HoldReason::DamagedDisk, message))
        }
        Contents::Data(owner) => {
            is_own(record, &member, me.pod, *owner)?;
            let message = format!("the disk holds the data of member {} of {}", owner.member_id, me.component);
            let report = Report::Open { disk: gate::Disk::Data, message };
            let flags = vec!["--initial-cluster-state=existing".to_owned()];
            Ok(Look { report, server_flags: Some(flags), good_once: None })
        }
        Contents::Empty | Contents::Unused if member.initialized => Err(lost(&member)),
        Contents::Empty => {
            // What the server promised under its ID is gone with the disk that it had.
            if seen.used.is_some() && seen.used == member.start.as_ref() {
                return Err(lost(&member));
            }
            first_start(me, record, &member, gate::Disk::Empty, "the disk is empty and the member is new")
        }
        Contents::Unused => {
            let message = "the member is new, and its first start was cut short";
            first_start(me, record, &member, gate::Disk::Unused, message)
        }
    }
}

/// How the server starts for the first time, where the anchor allows it in this pod.
fn first_start(
    me: &Me<'_>,
    record: &Record,
    member: &AnchoredMember,
    disk: gate::Disk,
    message: &str,
) -> Result<Look, Held> {
    let allowed = member.start.as_ref().filter(|start| Some(start.uid.as_str()) == me.uid);
    let start = allowed.filter(|_| record.seed.is_some());
    let noted = start.map(serde_json::to_string).transpose();
    Ok(Look {
        report: Report::Open { disk, message: message.to_owned() },
        server_flags: start.map(flags),
        good_once: noted.map_err(|error| (HoldReason::Failed, error.to_string()))?,
    })
}

fn flags(start: &Start) -> Vec<String> {
    let members: Vec<String> = start.initial_cluster.iter().map(|(url, name)| format!("{name}={url}")).collect();
    vec![
        format!("--initial-cluster-state={}", start.state),
        format!("--initial-cluster-token={}", start.token),
        format!("--initial-cluster={}", members.join(",")),
    ]
}

fn lost(member: &AnchoredMember) -> Held {
    let message = format!(
        "the disk is empty, and {} held data; Kogge removes it from its cluster and adds it again under another ID, then it \
         starts by itself",
        name(member.member_id)
    );
    (HoldReason::LostDisk, message)
}

/// Whether a log is that of the member as the anchor knows it.
fn is_own(record: &Record, member: &AnchoredMember, pod: &str, owner: Owner) -> Result<(), Held> {
    let Owner { member_id, cluster_id } = owner;
    if let Some(seed) = &record.seed {
        if seed.restored_from == Some(cluster_id) && seed.pod == pod {
            let message = format!(
                "the disk holds cluster {cluster_id}, from which cluster {} is to be restored; this version of the gate does \
                 not restore: take a snapshot of it, and restore that into another database",
                seed.cluster_id
            );
            return Err((HoldReason::Failed, message));
        }
        if seed.cluster_id != cluster_id && member.removed != Some(member_id) {
            let message = format!(
                "the disk holds the data of cluster {cluster_id}, and this is cluster {}; bind the member's own volume",
                seed.cluster_id
            );
            return Err((HoldReason::ForeignDisk, message));
        }
    }
    if member.fenced == Some(member_id) {
        let message = format!(
            "the disk is that of member {member_id}, which was given up when its cluster had lost its majority; it may hold \
             writes that nobody else has: save what is needed, then remove what is on it"
        );
        return Err((HoldReason::OldDisk, message));
    }
    if member.removed == Some(member_id) || member.member_id.is_some_and(|known| known != member_id) {
        let message = format!(
            "the disk is that of member {member_id}, and {}; remove what is on it",
            match member.member_id {
                Some(known) => format!("the member was added again as {known} since"),
                None => "that member was removed from the cluster".to_owned(),
            }
        );
        return Err((HoldReason::OldDisk, message));
    }
    Ok(())
}

fn name(id: Option<Id>) -> String {
    id.map_or_else(|| "the member".to_owned(), |id| format!("member {id}"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use kogge_api::ClusterId;
    use kogge_api::anchor::etcd::{Seed, StartState};
    use kogge_api::gate::Disk;

    use super::*;

    const POD: &str = "orders-etcd-vdc1-0";
    const UID: &str = "uid-1";

    fn allowed() -> Start {
        Start {
            uid: UID.to_owned(),
            state: StartState::Existing,
            token: "abcdefgh-0".to_owned(),
            initial_cluster: BTreeMap::from([
                ("http://a:2380".to_owned(), "a".to_owned()),
                ("http://b:2380".to_owned(), "b".to_owned()),
            ]),
        }
    }

    fn anchor(member: AnchoredMember) -> Anchor<Record> {
        let seed = Seed {
            pod: "orders-etcd-vdc9-0".to_owned(),
            incarnation: 0,
            member_id: Id(1),
            cluster_id: Id(9),
            restored_from: None,
        };
        Anchor {
            cluster_id: "abcdefgh".parse().unwrap(),
            name: "orders".to_owned(),
            owner_uid: "owner".to_owned(),
            epoch: 1,
            spec_hash: String::new(),
            worker_uids: BTreeMap::new(),
            record: Record { changes: 1, seed: Some(seed), members: [(POD.to_owned(), member)].into() },
        }
    }

    fn member(member_id: Option<u64>, initialized: bool, start: Option<Start>) -> AnchoredMember {
        AnchoredMember { member_id: member_id.map(Id), initialized, start, ..AnchoredMember::default() }
    }

    fn look(anchor: &Anchor<Record>, contents: &Contents, used: Option<&Start>) -> Result<Look, HoldReason> {
        let cluster_id: ClusterId = "abcdefgh".parse().unwrap();
        let me = Me { cluster_id: &cluster_id, component: "etcd", pod: POD, uid: Some(UID) };
        decide(&me, Ok(anchor), &Seen { contents, used }).map_err(|hold| hold.reason)
    }

    fn data(member_id: u64) -> Contents {
        Contents::Data(Owner { member_id: Id(member_id), cluster_id: Id(9) })
    }

    #[test]
    fn an_empty_disk_waits_until_the_anchor_allows_this_pod_to_start() {
        let waits = look(&anchor(member(Some(7), false, None)), &Contents::Empty, None).unwrap();
        assert_eq!((waits.report.disk(), waits.server_flags), (Some(Disk::Empty), None));
        let mut other = allowed();
        other.uid = "uid-2".to_owned();
        assert_eq!(
            look(&anchor(member(Some(7), false, Some(other))), &Contents::Empty, None).unwrap().server_flags,
            None
        );
        let starts = look(&anchor(member(Some(7), false, Some(allowed()))), &Contents::Empty, None).unwrap();
        assert_eq!(
            starts.server_flags.unwrap(),
            [
                "--initial-cluster-state=existing",
                "--initial-cluster-token=abcdefgh-0",
                "--initial-cluster=a=http://a:2380,b=http://b:2380",
            ]
        );
        let mut unseeded = anchor(member(Some(7), false, Some(allowed())));
        unseeded.record.seed = None;
        assert_eq!(look(&unseeded, &Contents::Empty, None).unwrap().server_flags, None, "half an anchor");
    }

    #[test]
    fn a_start_is_used_once_and_an_empty_disk_after_it_is_a_lost_one() {
        let anchor = anchor(member(Some(7), false, Some(allowed())));
        assert_eq!(look(&anchor, &Contents::Empty, Some(&allowed())), Err(HoldReason::LostDisk));
        let again = look(&anchor, &Contents::Unused, Some(&allowed())).unwrap();
        assert_eq!(again.report.disk(), Some(Disk::Unused));
        assert!(again.server_flags.is_some(), "a start that ended before its log is taken up again");
        for contents in [Contents::Empty, Contents::Unused] {
            let held_data = self::anchor(member(Some(7), true, None));
            assert_eq!(look(&held_data, &contents, None), Err(HoldReason::LostDisk));
        }
    }

    #[test]
    fn a_log_starts_as_existing_and_only_under_the_id_that_the_member_has() {
        for (known, initialized) in [(Some(7), true), (Some(7), false), (None, false)] {
            let starts = look(&anchor(member(known, initialized, None)), &data(7), None).unwrap();
            assert_eq!(starts.server_flags.unwrap(), ["--initial-cluster-state=existing"]);
            assert_eq!(starts.report.disk(), Some(Disk::Data));
        }
        assert_eq!(look(&anchor(member(Some(8), true, None)), &data(7), None), Err(HoldReason::OldDisk));
        let removed = AnchoredMember { removed: Some(Id(7)), ..member(None, false, None) };
        assert_eq!(look(&anchor(removed), &data(7), None), Err(HoldReason::OldDisk));
        let fenced = AnchoredMember { fenced: Some(Id(7)), removed: Some(Id(7)), ..member(None, false, None) };
        assert_eq!(look(&anchor(fenced), &data(7), None), Err(HoldReason::OldDisk));
    }

    #[test]
    fn another_clusters_disk_and_what_is_no_disk_of_etcd_are_refused() {
        let foreign = Contents::Data(Owner { member_id: Id(7), cluster_id: Id(4) });
        assert_eq!(look(&anchor(member(Some(7), true, None)), &foreign, None), Err(HoldReason::ForeignDisk));
        let damaged = Contents::Damaged("backup.tar".to_owned());
        assert_eq!(look(&anchor(member(None, false, None)), &damaged, None), Err(HoldReason::DamagedDisk));
    }
}
