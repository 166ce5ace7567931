//! The acceptance of a spec: rendered as a whole, kept, and under an epoch, before any worker is written.

use k8s_openapi::api::apps::v1::ControllerRevision;
use kogge_api::{FederatedCluster, labels};
use kogge_federated_cluster::acceptance::{self, Rendered, oldest_version};
use kogge_federated_cluster::report::Problem;
use kogge_federated_cluster::revisions::{Kept, RevisionError, Rollout};
use kogge_federated_cluster::secrets::{Mounted, Wanted, lost};
use kogge_federated_cluster::{Identity, accepted_epoch};
use kogge_plan::epoch::Epoch;
use kogge_plan::ownership::Verdict;
use tracing::info;

use super::pass::PassError;
use super::secrets::{self, Held};
use super::tell;
use crate::context::Context;

/// A spec that is, or was, accepted.
pub(super) struct Accepted<'a> {
    /// What is to stand.
    pub(super) rollout: Rollout,
    /// What was rendered before.
    pub(super) kept: Kept,
    /// The database's secrets.
    pub(super) held: Held,
    /// What the spec asks of them, or why it cannot be told; then they stay as they are.
    pub(super) wanted: Result<Wanted<'a>, Problem>,
    /// The epoch that the spec is carried out under.
    pub(super) epoch: Epoch,
    /// Why the present spec is not carried out; then `rollout` is the one that was accepted last.
    pub(super) problem: Option<Problem>,
}

/// What came of it.
pub(super) enum Acceptance<'a> {
    /// The pass goes on.
    Accepted(Box<Accepted<'a>>),
    /// Nothing was ever accepted, and this is not.
    Blocked(Problem),
    /// Something was written that the next pass must see first.
    Written,
}

pub(super) async fn accept<'a>(
    cluster: &'a FederatedCluster,
    identity: &'a Identity,
    verdict: &Verdict,
    context: &Context,
) -> Result<Acceptance<'a>, PassError> {
    let selector = format!("{}={},{}=revision", labels::CLUSTER_ID, identity.id, labels::ROLE);
    let stored = context.control.list(&context.own::<ControllerRevision>(), &selector).await?;
    let kept = match Kept::read(&stored) {
        Ok(kept) => kept,
        Err(error) => return Ok(Acceptance::Blocked(refused(&error))),
    };
    let held = secrets::read(identity, context).await?;
    if held.is_none() && *verdict != Verdict::New {
        return Ok(Acceptance::Blocked(lost(&identity.id, &context.namespace)));
    }
    let wanted = secrets::wanted(cluster, identity, context).await?;
    let mounted = match &held {
        Some(held) => held.secrets.mounted(),
        None => Mounted::first(cluster.spec.security.tls.mode),
    };
    let chart = acceptance::chart(cluster, &context.charts);
    let oldest = oldest_version(context.workers.state().iter().map(|worker| &**worker));
    let rendered = acceptance::render(cluster, identity, &kept, chart, &oldest, &context.agent_image, mounted);
    let Rendered { rollout, problem } = match rendered {
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
    let held = match (held, &wanted) {
        (Some(held), Ok(wanted)) if secrets::complete(&held, wanted, context).await? => {
            return Ok(Acceptance::Written);
        }
        (Some(held), _) => held,
        (None, Ok(wanted)) => {
            secrets::begin(wanted, context).await?;
            return Ok(Acceptance::Written);
        }
        (None, Err(problem)) => return Ok(Acceptance::Blocked(problem.clone())),
    };
    let status = cluster.status.as_ref();
    if !epoch.is_recorded(status.and_then(|s| s.epoch), status.and_then(|s| s.spec_hash.as_deref())) {
        tell::epoch(cluster, identity, &epoch, &rollout, context).await?;
        return Ok(Acceptance::Written);
    }
    Ok(Acceptance::Accepted(Box::new(Accepted { rollout, kept, held, wanted, epoch, problem })))
}

fn refused(error: &RevisionError) -> Problem {
    Problem::Refused { reason: "RevisionsUnreadable".to_owned(), message: error.to_string() }
}
