//! Which fields Kogge takes back from other field managers (A10). Everything else is told and left.

use kogge_api::labels;

use crate::{Object, ObjectKey};

/// Fields that are forced, with what they stand before in every object of the kind.
const FORCED: &[(&str, &str)] = &[
    // How many members there are decides about quorum.
    ("StatefulSet", ".spec.replicas"),
    ("Deployment", ".spec.replicas"),
    // What runs, and how it is replaced, is the rollout's to decide: never below quorum.
    ("StatefulSet", ".spec.template"),
    ("Deployment", ".spec.template"),
    ("StatefulSet", ".spec.updateStrategy"),
    ("Deployment", ".spec.strategy"),
    // What keeps the data when a StatefulSet shrinks or goes (A2).
    ("StatefulSet", ".spec.volumeClaimTemplates"),
    ("StatefulSet", ".spec.persistentVolumeClaimRetentionPolicy"),
    // By these members find each other.
    ("EndpointSlice", ".endpoints"),
    ("EndpointSlice", ".ports"),
    // What keeps two node drains in two data centres from meeting.
    ("PodDisruptionBudget", ".spec"),
];

/// Whether Kogge takes the field back.
pub fn is_forced(key: &ObjectKey, object: &Object, field: &str) -> bool {
    let by_kind = FORCED.iter().any(|(kind, prefix)| *kind == key.kind && is_within(field, prefix));
    // By these labels objects are found, and told apart from those of others; by these annotations Kogge knows what it
    // applied.
    let identity = [".metadata.labels.kogge.dev/", ".metadata.annotations.kogge.dev/"]
        .iter()
        .any(|own| field.starts_with(own));
    // Anchors, keyfiles and their like: what a database cannot live without.
    let guards = matches!(key.kind.as_str(), "ConfigMap" | "Secret")
        && has_role(object)
        && [".data", ".stringData", ".immutable"].iter().any(|prefix| is_within(field, prefix));
    by_kind || identity || guards
}

fn has_role(object: &Object) -> bool {
    object.metadata.labels.as_ref().is_some_and(|labels| labels.contains_key(labels::ROLE))
}

fn is_within(field: &str, prefix: &str) -> bool {
    field.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(kind: &str, labels: &serde_json::Value) -> (ObjectKey, Object) {
        let object: Object = serde_json::from_value(json!({
            "apiVersion": "v1", "kind": kind, "metadata": {"name": "a", "namespace": "n", "labels": labels}
        }))
        .unwrap();
        (ObjectKey::of(&object).unwrap(), object)
    }

    #[test]
    fn only_what_decides_about_quorum_and_data_is_forced() {
        let (key, set) = object("StatefulSet", &json!({}));
        for field in [
            ".spec.replicas",
            ".spec.template.spec.containers[name=\"server\"].image",
            ".spec.updateStrategy.type",
            ".spec.volumeClaimTemplates",
            ".metadata.labels.kogge.dev/cluster-id",
            ".metadata.annotations.kogge.dev/applied-hash",
        ] {
            assert!(is_forced(&key, &set, field), "{field}");
        }
        for field in
            [".spec.templateX", ".spec.minReadySeconds", ".metadata.labels.team", ".metadata.annotations.note"]
        {
            assert!(!is_forced(&key, &set, field), "{field}");
        }
    }

    #[test]
    fn data_is_forced_where_it_guards_a_database() {
        let (key, anchor) = object("ConfigMap", &json!({"kogge.dev/role": "anchor"}));
        assert!(is_forced(&key, &anchor, ".data.epoch"));
        let (key, plain) = object("ConfigMap", &json!({}));
        assert!(!is_forced(&key, &plain, ".data.epoch"));
        let (key, service) = object("Service", &json!({"kogge.dev/role": "anchor"}));
        assert!(!is_forced(&key, &service, ".data.epoch"));
    }
}
