//! Whether a member's server may start: pure.

use kogge_api::anchor::Anchor;
use kogge_api::anchor::mongodb::Record;
use kogge_api::gate::{self, Hold, HoldReason};

use super::disk::{Contents, Disk, Marker};
use crate::gate::me::Me;

/// A start that is let through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Start {
    /// The mark that the disk gets first.
    pub(super) marker: Marker,
    /// What is on the disk.
    pub(super) disk: gate::Disk,
    /// The same as a sentence.
    pub(super) message: String,
}

/// Decides. An anchor that cannot be read says why.
pub(super) fn decide(me: &Me<'_>, anchor: Result<&Anchor<Record>, &str>, disk: &Disk) -> Result<Start, Hold> {
    check(me, anchor, disk).map_err(|(reason, message)| Hold { reason, message })
}

type Held = (HoldReason, String);

fn check(me: &Me<'_>, anchor: Result<&Anchor<Record>, &str>, disk: &Disk) -> Result<Start, Held> {
    let anchor = me.own(anchor)?;
    let known = &anchor.record;
    let record = known.members.get(me.pod).cloned().unwrap_or_default();
    let unused = known.next_member_id.get(me.component).copied().unwrap_or(0);
    let marker = |member_id, since_member_id, was_empty| Marker {
        cluster_id: me.cluster_id.clone(),
        pod: me.pod.to_owned(),
        member_id,
        since_member_id,
        was_empty,
    };
    // With the disk that it has now, the member never had the ID that it lost one under, or was given up with.
    let lowest = known.fenced.get(me.pod).max(known.lost_disks.get(me.pod)).map_or(0, |lost| lost + 1);
    let made = |was_empty| marker(None, record.member_id.unwrap_or(unused).max(lowest), was_empty);
    match &disk.contents {
        Contents::Empty if record.initialized => {
            let message = format!(
                "the disk is empty, and {} held data; Kogge removes it from its replica set and admits it under another \
                 id, then it starts by itself",
                member(record.member_id)
            );
            Err((HoldReason::LostDisk, message))
        }
        Contents::Empty => Ok(Start {
            marker: made(true),
            disk: gate::Disk::Empty,
            message: "the disk is empty and the member is new".to_owned(),
        }),
        Contents::Remnants { names } if record.initialized => {
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            let message = format!(
                "the disk holds {} and no complete database, and {} held data; restore the disk, or remove what \
                 is on it to have the member admitted under another id",
                names.join(", "),
                member(record.member_id)
            );
            Err((HoldReason::DamagedDisk, message))
        }
        Contents::Remnants { .. } => {
            let known = disk.marker.as_ref().ok().and_then(Option::as_ref);
            let was_empty = known.is_some_and(|known| known.was_empty);
            let (disk, message) = if was_empty {
                (gate::Disk::Unused, "the member is new, and its first start was cut short")
            } else {
                (gate::Disk::Data, "the member is new, and the disk was not empty when Kogge first saw it")
            };
            Ok(Start { marker: made(was_empty), disk, message: message.to_owned() })
        }
        Contents::Data => {
            let known = own_marker(me, disk)?;
            is_present_disk(me, &anchor.record, known)?;
            let since = known.map_or(0, |known| match (known.member_id, record.member_id) {
                // The member left its set and comes back: the ID that it had is spent.
                (Some(spent), None) => known.since_member_id.max(spent + 1),
                (Some(had), Some(_)) => known.since_member_id.min(had),
                (None, _) => known.since_member_id,
            });
            let since = since.max(lowest);
            // A reserved ID may give way to another one while the disk stays.
            let member_id = record.member_id.filter(|id| record.initialized && *id >= since);
            let unused =
                known.is_some_and(|known| known.was_empty && known.member_id.is_none()) && !record.initialized;
            let (disk, message) = if unused {
                let message =
                    format!("the disk holds what earlier starts of {} left, and no data that it had", me.pod);
                (gate::Disk::Unused, message)
            } else {
                (gate::Disk::Data, format!("the disk holds the data of {} of {}", member(member_id), me.component))
            };
            Ok(Start { marker: marker(member_id, since, unused), disk, message })
        }
    }
}

/// The mark of a disk with data, if it has one, as far as it is this member's.
fn own_marker<'a>(me: &Me<'_>, disk: &'a Disk) -> Result<Option<&'a Marker>, Held> {
    let known = disk.marker.as_ref().map_err(|error| {
        let message = format!(
            "whose disk it is cannot be read: .kogge: {error}; remove that file once it is certain that the \
             disk is this member's"
        );
        (HoldReason::DamagedDisk, message)
    })?;
    match known {
        Some(other) if other.cluster_id != *me.cluster_id || other.pod != me.pod => {
            let message = format!(
                "the disk belongs to {} of database {}, and this is {} of database {}; bind the member's own \
                 volume",
                other.pod, other.cluster_id, me.pod, me.cluster_id
            );
            Err((HoldReason::ForeignDisk, message))
        }
        known => Ok(known.as_ref()),
    }
}

/// Whether a disk with data is the one that the anchor speaks of, and not one from before.
fn is_present_disk(me: &Me<'_>, record: &Record, known: Option<&Marker>) -> Result<(), Held> {
    let recorded = record.members.get(me.pod).and_then(|member| member.member_id);
    let unused = record.next_member_id.get(me.component).copied().unwrap_or(0);
    let marked = known.and_then(|known| known.member_id);
    let is_from = |lost: u32| known.is_none_or(|known| known.member_id.unwrap_or(known.since_member_id) <= lost);
    if let Some(&lost) = record.fenced.get(me.pod)
        && is_from(lost)
    {
        let message = format!(
            "the disk is that of member {lost}, which was given up when its replica set had lost its majority; it \
             may hold writes that nobody else has: save what is needed, then remove what is on it"
        );
        return Err((HoldReason::OldDisk, message));
    }
    if let Some(&lost) = record.lost_disks.get(me.pod)
        && is_from(lost)
    {
        let message = format!(
            "the disk is from before the member was admitted under another id, for it was empty when it was member {lost}; bind \
             the volume that it has now, or remove what is on this one"
        );
        return Err((HoldReason::OldDisk, message));
    }
    if let (Some(marked), Some(recorded)) = (marked, recorded)
        && marked < recorded
    {
        let message = format!(
            "the disk is that of member {marked}, and the member was admitted as member {recorded} since; \
             bind the volume that it has now, or remove what is on this one"
        );
        return Err((HoldReason::OldDisk, message));
    }
    if let Some(known) = known
        && (known.since_member_id > unused
            || marked.is_some_and(|marked| marked >= unused || recorded.is_some_and(|known| marked > known)))
    {
        let message = "the anchor is older than the disk: it knows less than was known when the disk was marked; \
                       Kogge writes it again when it can";
        return Err((HoldReason::NoAnchor, message.to_owned()));
    }
    Ok(())
}

fn member(id: Option<u32>) -> String {
    id.map_or_else(|| "the member".to_owned(), |id| format!("member {id}"))
}

#[cfg(test)]
mod tests;
