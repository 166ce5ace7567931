//! What members do beside a plan: users made and removed, certificates read again.

use kogge_database::Prepared;
use kogge_database::pass::{MembersAnswer, MembersWork, is_reported};
use kogge_engine::Database;
use kogge_engine_client::{ClusterAccess, Execute, StepFailure, Told};
use tracing::{debug, info, warn};

use super::access;
use super::carry_out::failed;
use super::kind::EngineOf;
use super::pass::PassError;
use crate::context::Context;

/// Lets them do it.
pub(super) async fn work<C: Execute>(
    database: &Database,
    work: &MembersWork,
    prepared: &Prepared<'_, EngineOf<C>>,
    client: &C,
    access: &ClusterAccess,
    context: &Context,
) -> Result<MembersAnswer, PassError> {
    let may = || context.leadership.is_leader();
    Ok(match work {
        MembersWork::CreateUsers { leaders, users } => {
            let created = client.create_users(access, leaders, &access::users(users), may).await;
            users_changed(database, created)
        }
        MembersWork::RemoveUsers { leaders, names } => {
            let removed = client.remove_users(access, leaders, names, may).await;
            users_changed(database, removed)
        }
        MembersWork::ReloadCertificates => {
            let wanted = prepared.certificates();
            let served = client.reload_certificates(access, &wanted, may).await?;
            if let Some(error) = &served.failed {
                MembersAnswer::Failed(failed("reading new certificates", error))
            } else if served.missing.is_empty() {
                info!(servers = wanted.len(), "every server serves its new certificate");
                MembersAnswer::Done
            } else {
                debug!(missing = ?served.missing, "servers that do not serve their new certificates yet");
                MembersAnswer::NotYet
            }
        }
    })
}

fn users_changed(database: &Database, outcome: Result<Told, impl StepFailure>) -> MembersAnswer {
    match outcome {
        Ok(Told::All) => MembersAnswer::Done,
        Ok(Told::Stopped) => MembersAnswer::NotYet,
        Err(error) => {
            if !is_reported(database, error.reason()) {
                warn!(%error, reason = error.reason(), "not every group has the change of users yet; retrying");
            }
            MembersAnswer::Failed(failed("changing the users of the administrator and of Kogge", &error))
        }
    }
}
