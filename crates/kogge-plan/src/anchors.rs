//! Anchors as objects: reading them from a worker's view, and making the ones to write.

use std::collections::BTreeMap;

use kogge_api::anchor::{Anchor, AnchorError, Record};
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
pub fn read<R: Record>(object: &Object) -> Result<Anchor<R>, AnchorError> {
    let data: Option<BTreeMap<String, String>> = match object.data.get("data") {
        None => None,
        Some(data) => serde_json::from_value(data.clone())?,
    };
    Anchor::from_data(data.as_ref())
}

/// The anchor of a database on a worker, as last observed: the one in the database's namespace, or else the
/// copy. A copy speaks for this database only by its clusterID, because its name says no more.
pub fn observed<R: Record>(
    view: &WorkerView,
    namespace: &str,
    cluster: &str,
    cluster_id: Option<&ClusterId>,
) -> Option<Result<Anchor<R>, AnchorError>> {
    let own = view.objects.get(&key(namespace, cluster));
    own.or_else(|| view.objects.get(&copy_key(cluster_id?))).map(|object| read(object))
}

/// The ConfigMaps that hold an anchor: in the database's namespace, and the copy in Kogge's own.
pub fn objects<R: Record>(anchor: &Anchor<R>, namespace: &str) -> Result<[Object; 2], AnchorError> {
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
