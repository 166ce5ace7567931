//! The acceptance of a spec: rendered as a whole, kept, and under an epoch, before any worker is written.

use k8s_openapi::api::apps::v1::ControllerRevision;
use k8s_openapi::api::core::v1::Secret;
use kogge_api::{FederatedCluster, labels};
use kogge_federated_cluster::acceptance::{self, Rendered, oldest_version};
use kogge_federated_cluster::report::Problem;
use kogge_federated_cluster::revisions::{Kept, RevisionError, Rollout};
use kogge_federated_cluster::secrets::{self, DatabaseSecrets};
use kogge_federated_cluster::{Identity, accepted_epoch};
use kogge_plan::epoch::Epoch;
use kogge_plan::ownership::Verdict;
use tracing::info;

use super::pass::PassError;
use super::tell;
use crate::context::Context;

/// A spec that is, or was, accepted.
pub(super) struct Accepted {
    /// What is to stand.
    pub(super) rollout: Rollout,
    /// What was rendered before.
    pub(super) kept: Kept,
    /// The database's secrets.
    pub(super) secrets: DatabaseSecrets,
    /// The epoch that the spec is carried out under.
    pub(super) epoch: Epoch,
    /// Why the present spec is not carried out; then `rollout` is the one that was accepted last.
    pub(super) problem: Option<Problem>,
}

/// What came of it.
pub(super) enum Acceptance {
    /// The pass goes on.
    Accepted(Box<Accepted>),
    /// Nothing was ever accepted, and this is not.
    Blocked(Problem),
    /// Something was written that the next pass must see first.
    Written,
}

pub(super) async fn accept(
    cluster: &FederatedCluster,
    identity: &Identity,
    verdict: &Verdict,
    context: &Context,
) -> Result<Acceptance, PassError> {
    let selector = format!("{}={},{}=revision", labels::CLUSTER_ID, identity.id, labels::ROLE);
    let stored = context.control.list(&context.own::<ControllerRevision>(), &selector).await?;
    let kept = match Kept::read(&stored) {
        Ok(kept) => kept,
        Err(error) => return Ok(Acceptance::Blocked(refused(&error))),
    };
    let chart = acceptance::chart(cluster, &context.charts);
    let oldest = oldest_version(context.workers.state().iter().map(|worker| &**worker));
    let Rendered { rollout, problem } = match acceptance::render(cluster, identity, &kept, chart, &oldest) {
        Ok(rendered) => rendered,
        Err(problem) => return Ok(Acceptance::Blocked(problem)),
    };
    let Some(epoch) = accepted_epoch(cluster, verdict, problem.is_some())? else {
        return Ok(Acceptance::Blocked(Problem::Failed {
            reason: "EpochMissing".to_owned(),
            message: "no spec of this database was ever accepted, and the present one cannot be".to_owned(),
        }));
    };
    if problem.is_none() && !kept.holds(&rollout) {
        match kept.object(&rollout, &identity.id, &context.namespace) {
            Ok(object) => {
                context.control.create(&context.own(), &object).await?;
                info!(chart_version = %rollout.chart_version, "a rollout is kept");
                return Ok(Acceptance::Written);
            }
            Err(error) => return Ok(Acceptance::Blocked(refused(&error))),
        }
    }
    let Some(secrets) = secrets(identity, verdict, context).await? else {
        return Ok(Acceptance::Blocked(secrets::lost(&identity.id, &context.namespace)));
    };
    let status = cluster.status.as_ref();
    if !epoch.is_recorded(status.and_then(|s| s.epoch), status.and_then(|s| s.spec_hash.as_deref())) {
        tell::epoch(cluster, identity, &epoch, &rollout, context).await?;
        return Ok(Acceptance::Written);
    }
    Ok(Acceptance::Accepted(Box::new(Accepted { rollout, kept, secrets, epoch, problem })))
}

fn refused(error: &RevisionError) -> Problem {
    Problem::Refused { reason: "RevisionsUnreadable".to_owned(), message: error.to_string() }
}

/// The secrets of the database. They are made once, when it is new; none where they are lost.
async fn secrets(
    identity: &Identity,
    verdict: &Verdict,
    context: &Context,
) -> Result<Option<DatabaseSecrets>, PassError> {
    let name = DatabaseSecrets::name(&identity.id);
    if let Some(secret) = context.control.get(&context.own::<Secret>(), &name).await? {
        return Ok(Some(DatabaseSecrets::read(&secret)?));
    }
    if *verdict != Verdict::New {
        return Ok(None);
    }
    let mut key = [0; 756];
    rand::fill(&mut key);
    let made = DatabaseSecrets::from_random(&key, &rand::random(), &rand::random());
    context.control.create(&context.own(), &made.to_secret(&identity.id, &context.namespace)).await?;
    info!("the database's secrets were made");
    Ok(Some(made))
}
