//! The epoch of a database, which rises with every accepted change, and the anchor to write for it.

use std::collections::BTreeMap;

use kogge_api::ClusterId;
use kogge_api::anchor::{Anchor, AnchoredMember, Turns};

use crate::anchors::{self, SeedsDisagree};
use crate::ownership::{Identity, Verdict};

/// The epoch that a spec is carried out under.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Epoch {
    /// Its number, from 1.
    pub number: i64,
    /// The hash of the spec that it stands for.
    pub spec_hash: String,
}

impl Epoch {
    /// Whether the status holds it already. Where it does not, the status is written first (compare and
    /// swap), and only then any anchor, so that a crash in between never looks like a rollback.
    pub fn is_recorded(&self, status_epoch: Option<i64>, status_hash: Option<&str>) -> bool {
        status_epoch == Some(self.number) && status_hash == Some(self.spec_hash.as_str())
    }
}

/// The epoch for a spec. A status without an epoch means adoption: it goes on after the anchors' own.
pub fn next_epoch(
    status_epoch: Option<i64>,
    status_hash: Option<&str>,
    spec_hash: &str,
    anchored_epoch: Option<i64>,
) -> Epoch {
    let number = match status_epoch {
        Some(epoch) if status_hash == Some(spec_hash) => epoch,
        known => known.max(anchored_epoch).unwrap_or(0) + 1,
    };
    Epoch { number, spec_hash: spec_hash.to_owned() }
}

/// What is to be added to what the anchors remember, before what it guards is done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Remember {
    /// The UIDs of the workers, by placement.
    pub worker_uids: BTreeMap<String, String>,
    /// The next unused member ID, by component name.
    pub next_member_id: BTreeMap<String, u32>,
    /// The one member that may be initiated, by component name.
    pub seeds: BTreeMap<String, String>,
    /// Members, by pod name.
    pub members: BTreeMap<String, AnchoredMember>,
    /// Members that were declared lost, by pod name, with the ID that they had.
    pub fenced: BTreeMap<String, u32>,
    /// Members that lost their disk and are admitted anew, by pod name, with the ID that they had.
    pub lost_disks: BTreeMap<String, u32>,
    /// Removals of shards that begin or end, by component name.
    pub shard_removals: BTreeMap<String, Turns>,
    /// A pause of the balancer that begins or ends.
    pub balancer_pauses: Turns,
}

/// The anchor that every worker of the database should hold: all that the present ones remember, and what is
/// to be added.
pub fn desired_anchor(
    identity: &Identity,
    cluster_id: &ClusterId,
    epoch: &Epoch,
    verdict: &Verdict,
    remember: Remember,
) -> Result<Anchor, SeedsDisagree> {
    let Remember {
        worker_uids,
        next_member_id,
        seeds,
        members,
        fenced,
        lost_disks,
        shard_removals,
        balancer_pauses,
    } = remember;
    let mut anchor = Anchor {
        cluster_id: cluster_id.clone(),
        name: identity.name.clone(),
        owner_uid: identity.control_uid.clone(),
        epoch: epoch.number,
        spec_hash: epoch.spec_hash.clone(),
        worker_uids: BTreeMap::new(),
        next_member_id: BTreeMap::new(),
        seeds: BTreeMap::new(),
        members: BTreeMap::new(),
        fenced: BTreeMap::new(),
        lost_disks: BTreeMap::new(),
        shard_removals: BTreeMap::new(),
        balancer_pauses: Turns::default(),
    };
    // The present anchors come first: what they pin, a later observation does not move.
    if let Verdict::Ours { anchor: present } = verdict {
        anchors::join(&mut anchor, present)?;
    }
    // What is added is as new as the present anchors.
    let mut removals = anchor.shard_removals.clone();
    removals.extend(shard_removals);
    let added = Anchor {
        worker_uids,
        next_member_id,
        seeds,
        members,
        fenced,
        lost_disks,
        shard_removals: removals,
        balancer_pauses,
        ..anchor.clone()
    };
    anchors::join(&mut anchor, &added)?;
    Ok(anchor)
}
