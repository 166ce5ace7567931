//! Anchors as objects: reading them from a worker's view, bringing those of all workers together, and making
//! the ones to write.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use kogge_api::anchor::{Anchor, AnchorError, Turns};
use kogge_api::{ClusterId, SYSTEM_NAMESPACE, labels, names};
use kube_core::TypeMeta;
use kube_core::metadata::ObjectMeta;
use serde_json::json;

use crate::{Object, ObjectKey, WorkerView};

/// The value of [`labels::ROLE`] of an anchor.
pub const ROLE: &str = "anchor";

/// The key of the anchor in the database's own namespace.
pub fn key(namespace: &str, cluster: &str) -> ObjectKey {
    ObjectKey::namespaced("v1", "ConfigMap", namespace, &names::anchor(cluster))
}

/// The key of the anchor's copy in Kogge's namespace, which outlives the database's own.
pub fn copy_key(cluster_id: &ClusterId) -> ObjectKey {
    ObjectKey::namespaced("v1", "ConfigMap", SYSTEM_NAMESPACE, &names::system_object(cluster_id, ROLE))
}

/// Whether an object is an anchor.
pub fn is_anchor(object: &Object) -> bool {
    object.metadata.labels.as_ref().and_then(|l| l.get(labels::ROLE)).is_some_and(|role| role == ROLE)
}

/// Reads an anchor from its ConfigMap.
pub fn read(object: &Object) -> Result<Anchor, AnchorError> {
    let data: Option<BTreeMap<String, String>> = match object.data.get("data") {
        None => None,
        Some(data) => serde_json::from_value(data.clone())?,
    };
    Anchor::from_data(data.as_ref())
}

/// The anchor of a database on a worker, as last observed: the one in the database's namespace, or else the
/// copy. A copy speaks for this database only by its clusterID, because its name says no more.
pub fn observed(
    view: &WorkerView,
    namespace: &str,
    cluster: &str,
    cluster_id: Option<&ClusterId>,
) -> Option<Result<Anchor, AnchorError>> {
    let own = view.objects.get(&key(namespace, cluster));
    own.or_else(|| view.objects.get(&copy_key(cluster_id?))).map(|object| read(object))
}

/// The ConfigMaps that hold an anchor: in the database's namespace, and the copy in Kogge's own.
pub fn objects(anchor: &Anchor, namespace: &str) -> Result<[Object; 2], AnchorError> {
    let data = anchor.to_data()?;
    let object = |key: ObjectKey| Object {
        types: Some(TypeMeta { api_version: key.api_version, kind: key.kind }),
        metadata: ObjectMeta {
            name: Some(key.name),
            namespace: key.namespace,
            labels: Some(
                [
                    (labels::CLUSTER_ID, anchor.cluster_id.as_str()),
                    (labels::CLUSTER, &anchor.name),
                    (labels::ROLE, ROLE),
                    (labels::MANAGED_BY, labels::MANAGER),
                ]
                .map(|(label, value)| (label.to_owned(), value.to_owned()))
                .into(),
            ),
            ..ObjectMeta::default()
        },
        data: json!({ "data": data }),
    };
    Ok([object(key(namespace, &anchor.name)), object(copy_key(&anchor.cluster_id))])
}

/// What two anchors of one database cannot both be right about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeedsDisagree {
    /// The group, by the name of its component.
    pub component: String,
    /// The seeds that were found.
    pub seeds: [String; 2],
}

/// Adds what `other` knows to `anchor`. Nothing that was known is lost: the highest epoch, and of every member what
/// was recorded under its latest ID.
pub fn join(anchor: &mut Anchor, other: &Anchor) -> Result<(), SeedsDisagree> {
    let mut other = other.clone();
    forget_removed(anchor, &other.shard_removals);
    forget_removed(&mut other, &anchor.shard_removals);
    for (component, turns) in &other.shard_removals {
        let known = anchor.shard_removals.entry(component.clone()).or_default();
        *known = known.join(*turns);
    }
    anchor.balancer_pauses = anchor.balancer_pauses.join(other.balancer_pauses);
    for (component, seed) in &other.seeds {
        let known = anchor.seeds.entry(component.clone()).or_insert_with(|| seed.clone());
        if known != seed {
            return Err(SeedsDisagree { component: component.clone(), seeds: [known.clone(), seed.clone()] });
        }
    }
    if other.epoch > anchor.epoch {
        anchor.epoch = other.epoch;
        anchor.spec_hash.clone_from(&other.spec_hash);
    }
    for (placement, uid) in &other.worker_uids {
        anchor.worker_uids.entry(placement.clone()).or_insert_with(|| uid.clone());
    }
    for (component, next) in &other.next_member_id {
        let known = anchor.next_member_id.entry(component.clone()).or_default();
        *known = (*known).max(*next);
    }
    for (pod, member) in &other.members {
        let known = anchor.members.entry(pod.clone()).or_default();
        // IDs are never used twice: the higher one was given later, and so was what it says of the disk.
        match member.member_id.cmp(&known.member_id) {
            Ordering::Greater => known.clone_from(member),
            Ordering::Equal => known.initialized |= member.initialized,
            Ordering::Less => {}
        }
    }
    join_latest(&mut anchor.fenced, &other.fenced);
    join_latest(&mut anchor.lost_disks, &other.lost_disks);
    Ok(())
}

/// Keeps the latest ID of each pod.
fn join_latest(ids: &mut BTreeMap<String, u32>, others: &BTreeMap<String, u32>) {
    for (pod, member_id) in others {
        let known = ids.entry(pod.clone()).or_insert(*member_id);
        *known = (*known).max(*member_id);
    }
}

/// Drops what an anchor says of shards that were removed after it was written.
fn forget_removed(anchor: &mut Anchor, removals: &BTreeMap<String, Turns>) {
    for (component, later) in removals {
        let known = anchor.shard_removals.get(component).copied().unwrap_or_default();
        if later.ended <= known.ended {
            continue;
        }
        let members = format!("{}-{component}-", anchor.name);
        anchor.seeds.remove(component);
        anchor.next_member_id.remove(component);
        anchor.members.retain(|pod, _| !pod.starts_with(&members));
        anchor.fenced.retain(|pod, _| !pod.starts_with(&members));
        anchor.lost_disks.retain(|pod, _| !pod.starts_with(&members));
    }
}
