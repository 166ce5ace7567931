//! Whether a member's server may start, and how: pure.

use kogge_api::anchor::Anchor;
use kogge_api::anchor::etcd::{AnchoredMember, Id, Record, Seed, Start, StartState};
use kogge_api::gate::{self, Hold, HoldReason, Report};

use super::disk::Contents;
use super::restore::{Restore, Shortage};
use super::wal::Owner;
use crate::gate::look::{self, Look, Next};
use crate::gate::me::Me;

type Held = (HoldReason, String);

/// What the gate decides on.
pub(super) struct Seen {
    /// What is on the disk.
    pub(super) contents: Contents,
    /// The start that this pod's gate has used.
    pub(super) used: Option<Start>,
    /// The folders beside the data with what former clusters held.
    pub(super) kept: Vec<String>,
    /// What a restore of the data lacks.
    pub(super) shortage: Option<Shortage>,
}

/// Decides. An anchor that cannot be read says why.
pub(super) fn decide(me: &Me<'_>, anchor: Result<&Anchor<Record>, &str>, seen: &Seen) -> Result<Look, Hold> {
    check(me, anchor, seen).map_err(|(reason, message)| Hold { reason, message })
}

fn check(me: &Me<'_>, anchor: Result<&Anchor<Record>, &str>, seen: &Seen) -> Result<Look, Held> {
    let record = &me.own(anchor)?.record;
    let member = record.members.get(me.pod).cloned().unwrap_or_default();
    match &seen.contents {
        Contents::Damaged(what) => {
            let message = format!(
                "the disk holds {what}, on which no server of this member can start; restore the disk, or remove what is on \
                 it to have the member added again under another ID"
            );
            Err((HoldReason::DamagedDisk, message))
        }
        Contents::Data(owner) => match restored(record, me.pod, *owner) {
            Some(seed) => restoration(me, seed, &member, seen, *owner),
            None => on_data(me, record, &member, seen, *owner),
        },
        Contents::Empty | Contents::Unused if member.initialized => Err(lost(&member)),
        Contents::Empty | Contents::Unused => match begins_with_data(record, me.pod, &member) {
            Some((seed, of)) => {
                let message = format!(
                    "the disk is empty, and cluster {} is to be restored from the data of cluster {of} on it; bring its \
                     volume back",
                    seed.cluster_id
                );
                Err((HoldReason::LostDisk, message))
            }
            None => without_data(me, record, &member, seen),
        },
    }
}

fn without_data(me: &Me<'_>, record: &Record, member: &AnchoredMember, seen: &Seen) -> Result<Look, Held> {
    if seen.contents == Contents::Unused {
        let message = "the member is new, and its first start was cut short";
        return first_start(me, record, member, gate::Disk::Unused, message);
    }
    // What the server promised under its ID is gone with the disk that it had.
    if seen.used.is_some() && seen.used == member.start {
        return Err(lost(member));
    }
    first_start(me, record, member, gate::Disk::Empty, "the disk is empty and the member is new")
}

/// The seed of a cluster that is restored from what this pod's disk holds.
pub(super) fn restored<'a>(record: &'a Record, pod: &str, owner: Owner) -> Option<&'a Seed> {
    let member = record.members.get(pod)?;
    let (seed, of) = begins_with_data(record, pod, member)?;
    // Another disk of that cluster is not the one that was approved.
    let is_survivor = member.removed.is_none_or(|id| id == owner.member_id);
    (of == owner.cluster_id && is_survivor).then_some(seed)
}

/// The seed, and the cluster that it is restored from, where this pod's member is the one that begins with that data.
fn begins_with_data<'a>(record: &'a Record, pod: &str, member: &AnchoredMember) -> Option<(&'a Seed, Id)> {
    let seed = record.seed.as_ref().filter(|seed| seed.pod == pod && member.member_id == Some(seed.member_id))?;
    Some((seed, seed.restored_from?))
}

/// A disk with the data of the cluster that this one is restored from: restored once, where the anchor allows it in this
/// pod.
fn restoration(
    me: &Me<'_>,
    seed: &Seed,
    member: &AnchoredMember,
    seen: &Seen,
    owner: Owner,
) -> Result<Look, Held> {
    let (from, into) = (owner.cluster_id, seed.cluster_id);
    if member.initialized || (seen.used.is_some() && seen.used == member.start) {
        let message = format!(
            "the disk holds cluster {from}, from which cluster {into} was restored before, and nothing that was written \
             since; bind the volume that the member has now, or remove what is on this one"
        );
        return Err((HoldReason::OldDisk, message));
    }
    if let Some(Shortage { free, needed }) = seen.shortage {
        let message = format!(
            "the volume is too full to restore cluster {into} from cluster {from}: {needed} MiB are needed beside the data \
             and {free} MiB are free; make the volume larger"
        );
        return Err((HoldReason::Failed, message));
    }
    let message = format!(
        "the disk holds the data of member {} of cluster {from}, from which cluster {into} is to be restored",
        owner.member_id
    );
    let next = match allowed(me, member) {
        None => Next::Wait,
        Some(start) => Next::Restore(Box::new(restore(seed, start, from)?)),
    };
    Ok(Look { report: Report::Open { disk: gate::Disk::Data, message }, next })
}

fn restore(seed: &Seed, start: &Start, from: Id) -> Result<Restore, Held> {
    let mut members = start.initial_cluster.iter();
    let (StartState::New, Some((peer_url, name)), None) = (start.state, members.next(), members.next()) else {
        let message = format!(
            "the anchor allows no start with which cluster {} is restored: that has state new and one member; Kogge writes \
             the anchor again when it can",
            seed.cluster_id
        );
        return Err((HoldReason::NoAnchor, message));
    };
    Ok(Restore {
        from,
        into: Owner { member_id: seed.member_id, cluster_id: seed.cluster_id },
        name: name.clone(),
        peer_url: peer_url.clone(),
        token: start.token.clone(),
    })
}

/// A disk with a log: the server starts on it where it is the member's own.
fn on_data(
    me: &Me<'_>,
    record: &Record,
    member: &AnchoredMember,
    seen: &Seen,
    owner: Owner,
) -> Result<Look, Held> {
    is_own(record, member, owner)?;
    let own = format!("the disk holds the data of member {} of {}", owner.member_id, me.component);
    let message = match &seen.kept[..] {
        [] => own,
        kept => format!(
            "{own}; beside them {} holds what the cluster was restored from: remove that once nobody needs it",
            kept.join(", ")
        ),
    };
    // A restore is over once its server has started: another disk with the former data is an old one from then on.
    let restored = begins_with_data(record, me.pod, member).and_then(|_| allowed(me, member));
    let start =
        look::Start { flags: vec!["--initial-cluster-state=existing".to_owned()], good_once: noted(restored)? };
    Ok(Look { report: Report::Open { disk: gate::Disk::Data, message }, next: Next::Start(start) })
}

/// How the server starts for the first time, where the anchor allows it in this pod.
fn first_start(
    me: &Me<'_>,
    record: &Record,
    member: &AnchoredMember,
    disk: gate::Disk,
    message: &str,
) -> Result<Look, Held> {
    let next = match allowed(me, member).filter(|_| record.seed.is_some()) {
        None => Next::Wait,
        Some(start) => Next::Start(look::Start { flags: flags(start), good_once: noted(Some(start))? }),
    };
    Ok(Look { report: Report::Open { disk, message: message.to_owned() }, next })
}

/// The start that the anchor allows in this pod.
fn allowed<'a>(me: &Me<'_>, member: &'a AnchoredMember) -> Option<&'a Start> {
    member.start.as_ref().filter(|start| Some(start.uid.as_str()) == me.uid)
}

fn noted(start: Option<&Start>) -> Result<Option<String>, Held> {
    start.map(serde_json::to_string).transpose().map_err(|error| (HoldReason::Failed, error.to_string()))
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
fn is_own(record: &Record, member: &AnchoredMember, owner: Owner) -> Result<(), Held> {
    let Owner { member_id, cluster_id } = owner;
    if let Some(seed) = &record.seed
        && seed.cluster_id != cluster_id
        && member.removed != Some(member_id)
    {
        let message = format!(
            "the disk holds the data of cluster {cluster_id}, and this is cluster {}; bind the member's own volume",
            seed.cluster_id
        );
        return Err((HoldReason::ForeignDisk, message));
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
mod tests;
