//! The epoch of a database, which rises with every accepted change, and the anchor to write for it.

use std::collections::BTreeMap;

use kogge_api::ClusterId;
use kogge_api::anchor::{Anchor, Record};

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

/// The anchor that every worker of the database should hold: all that the present ones remember, and the UIDs of the
/// workers of new placements.
pub fn desired_anchor<R: Record>(
    identity: &Identity,
    cluster_id: &ClusterId,
    epoch: &Epoch,
    verdict: &Verdict<R>,
    worker_uids: BTreeMap<String, String>,
) -> Anchor<R> {
    let mut anchor = Anchor {
        cluster_id: cluster_id.clone(),
        name: identity.resource.name.clone(),
        resource: Some(identity.resource.clone()),
        owner_uid: identity.control_uid.clone(),
        epoch: epoch.number,
        spec_hash: epoch.spec_hash.clone(),
        worker_uids: BTreeMap::new(),
        record: R::default(),
    };
    if let Verdict::Ours { anchor: present } = verdict {
        if present.epoch > anchor.epoch {
            anchor.epoch = present.epoch;
            anchor.spec_hash.clone_from(&present.spec_hash);
        }
        anchor.worker_uids.clone_from(&present.worker_uids);
        anchor.record = present.record.clone();
    }
    // What the present anchors pin, a later observation does not move.
    for (placement, uid) in worker_uids {
        anchor.worker_uids.entry(placement).or_insert(uid);
    }
    anchor
}
