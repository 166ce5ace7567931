//! What a worker's credentials allow, asked for as long as its connection stands.

use std::sync::Arc;
use std::time::Duration;

use kube::Client;

use super::desired::Desired;
use super::findings::Verdict;
use super::worker::Worker;
use super::{FleetOptions, jittered};
use crate::probe;

/// The pause before missing permissions are asked for again.
const REVIEW_AGAIN: Duration = Duration::from_mins(1);
/// How long refusals are gathered before the permissions are asked for again.
const BURST: Duration = Duration::from_millis(500);

/// Asks what the credentials allow: once, and again where something is missing or was forbidden.
pub(super) async fn review(worker: Arc<Worker>, client: Client, options: Arc<FleetOptions>, desired: Desired) {
    loop {
        let missing =
            probe::missing(&client, &options.required, &desired.allowed, &options.system_namespace).await;
        let pause = match &missing {
            Ok(missing) if missing.is_empty() => None,
            Ok(_) => Some(REVIEW_AGAIN),
            Err(_) => Some(options.probe_period),
        };
        let verdict = match missing {
            Ok(missing) if missing.is_empty() => {
                Verdict::yes("Sufficient", "the credentials allow all that Kogge needs")
            }
            Ok(missing) => {
                let told: Vec<_> = missing.iter().take(5).map(ToString::to_string).collect();
                let more = missing.len().saturating_sub(told.len());
                let more = if more > 0 { format!(" and {more} more") } else { String::new() };
                Verdict::no(
                    "PermissionMissing",
                    format!(
                        "missing: {}{more}; run `kogge worker join` again to renew the Roles",
                        told.join(", ")
                    ),
                )
            }
            Err(failure) => {
                Verdict::unknown("ReviewFailed", format!("the permissions cannot be asked: {failure}"))
            }
        };
        worker.report(|report| report.verdicts.permissions = verdict);
        if let Some(pause) = pause {
            tokio::time::sleep(jittered(pause)).await;
        } else {
            worker.forbidden.notified().await;
            // A burst of refusals asks for one review.
            tokio::time::sleep(BURST).await;
        }
    }
}
