//! What a 409 says: whose fields are in the way, or that the object is another one by now.

use kube::core::Status;

use super::FieldConflict;

/// `metav1.CauseTypeFieldManagerConflict`.
const FIELD_MANAGER_CONFLICT: &str = "FieldManagerConflict";

/// The fields that others own; none where the conflict is about the uid or the resourceVersion.
pub(super) fn fields(status: &Status) -> Vec<FieldConflict> {
    let causes = status.details.iter().flat_map(|details| &details.causes);
    causes
        .filter(|cause| cause.reason == FIELD_MANAGER_CONFLICT)
        .map(|cause| FieldConflict { field: cause.field.clone(), manager: manager(&cause.message) })
        .collect()
}

/// The manager in `conflict with "kubectl" with subresource "scale" using autoscaling/v1`.
fn manager(message: &str) -> String {
    message.split('"').nth(1).unwrap_or("another manager").to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn status(value: serde_json::Value) -> Status {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn field_conflicts_are_told_by_field_and_manager() {
        let conflict = status(json!({
            "kind": "Status", "status": "Failure", "reason": "Conflict", "code": 409,
            "message": "Apply failed with 2 conflicts",
            "details": {"causes": [
                {"reason": "FieldManagerConflict", "field": ".spec.replicas",
                 "message": "conflict with \"hpa\" with subresource \"scale\" using autoscaling/v1"},
                {"reason": "FieldManagerConflict", "field": ".metadata.labels.team",
                 "message": "conflict with \"kubectl-label\" using v1"},
            ]}
        }));
        let told: Vec<_> = fields(&conflict).iter().map(ToString::to_string).collect();
        assert_eq!(
            told,
            [".spec.replicas is owned by \"hpa\"", ".metadata.labels.team is owned by \"kubectl-label\""]
        );
    }

    #[test]
    fn a_stale_version_is_no_field_conflict() {
        let stale = status(json!({
            "kind": "Status", "status": "Failure", "reason": "Conflict", "code": 409,
            "message": "Operation cannot be fulfilled on configmaps \"a\": the object has been modified",
            "details": {"name": "a", "kind": "configmaps"}
        }));
        assert_eq!(fields(&stale), []);
    }
}
