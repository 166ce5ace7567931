//! Deletion of the very object that was observed.

use kube::api::{DeleteParams, Preconditions, PropagationPolicy};
use kube::core::Status;

use super::target::{Failure, Target};
use super::{Outcome, WriteError};

/// Deletes the object, with what depends on it, if it is still the one that was observed.
pub(super) async fn delete(
    target: &Target<'_>,
    uid: &str,
    resource_version: Option<&str>,
) -> Result<Outcome, WriteError> {
    let params = DeleteParams {
        propagation_policy: Some(PropagationPolicy::Background),
        preconditions: Some(Preconditions {
            uid: Some(uid.to_owned()),
            resource_version: resource_version.map(str::to_owned),
        }),
        ..DeleteParams::default()
    };
    target.permit()?;
    match target.api.delete(&target.key.name, &params).await {
        Ok(answer) => {
            // Where something still holds the object, the answer shows it with its deletionTimestamp.
            if let Some(object) = answer.left() {
                target.observe(object);
            }
            Ok(Outcome::Deleted)
        }
        Err(error) => match target.failure(error) {
            Failure::NotFound(_) => Ok(Outcome::Gone),
            Failure::Conflict(status) if is_another(&status) => Ok(Outcome::Gone),
            Failure::Conflict(status) => Ok(Outcome::Stale { message: target.words(&status) }),
            Failure::Unknown { message, timed_out } => Ok(Outcome::Unknown { message, timed_out }),
            Failure::Refused(error) => Err(error),
        },
    }
}

/// Whether the object of that name is another one than was observed. The API server says so only in words:
/// one sentence where it looks first (apiserver's `registry/rest/delete.go`), another where the object changes
/// hands while it is being deleted (`storage/interfaces.go`).
fn is_another(status: &Status) -> bool {
    ["UID in the precondition", "UID in precondition"].iter().any(|words| status.message.contains(words))
}
