//! What members do beside a plan: users made and removed, certificates read again.

use kogge_api::FederatedCluster;
use kogge_database::Prepared;
use kogge_database::pass::{MembersAnswer, MembersWork, is_reported};
use kogge_mongo_client::{ClusterAccess, Engine, StepError, Told};
use tracing::{debug, info, warn};

use super::access;
use super::carry_out::failed;
use super::pass::PassError;
use crate::context::Context;

/// Lets them do it.
pub(super) async fn work(
    cluster: &FederatedCluster,
    work: &MembersWork,
    prepared: &Prepared<'_>,
    engine: &Engine,
    access: &ClusterAccess,
    context: &Context,
) -> Result<MembersAnswer, PassError> {
    let may = || context.leadership.is_leader();
    Ok(match work {
        MembersWork::CreateUsers { primaries, users } => {
            let created = engine.create_users(access, primaries, &access::users(users), may).await;
            users_changed(cluster, created)
        }
        MembersWork::RemoveUsers { primaries, names } => {
            let removed = engine.remove_users(access, primaries, names, may).await;
            users_changed(cluster, removed)
        }
        MembersWork::ReloadCertificates => {
            let wanted = prepared.certificates();
            let served = engine.reload_certificates(access, &wanted, may).await?;
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

fn users_changed(cluster: &FederatedCluster, outcome: Result<Told, StepError>) -> MembersAnswer {
    match outcome {
        Ok(Told::All) => MembersAnswer::Done,
        Ok(Told::Stopped) => MembersAnswer::NotYet,
        Err(error) => {
            if !is_reported(cluster, error.reason()) {
                warn!(%error, reason = error.reason(), "not every replica set has the change of users yet; retrying");
            }
            MembersAnswer::Failed(failed("changing the users of the administrator and of Kogge", &error))
        }
    }
}
