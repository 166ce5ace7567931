//! One pass over a FederatedCluster.

use std::time::Duration;

use kogge_api::{FINALIZER, FederatedCluster};
use kogge_federated_cluster::report::{Observed, Problem, report, soaking_for};
use kogge_federated_cluster::secrets::{IncompleteSecret, MintError};
use kogge_federated_cluster::{Observation, ObservationError, Sighting, plan};
use kogge_mongo_client::{CertificateError, TrustError};
use kogge_plan::placement::RegisteredWorker;
use kube::ResourceExt as _;
use kube::runtime::controller::Action;

use super::accept::{Acceptance, Accepted, accept};
use super::carry_out::{carry_out, is_told};
use super::{claim, deletion, reach, secrets, tell};
use super::{full_name, set_name};
use crate::context::Context;
use crate::control::ControlError;

/// How soon to look again after something was done.
const BUSY: Duration = Duration::from_millis(500);
/// How often the members are asked while something is waited for.
const WAITING: Duration = Duration::from_secs(1);
/// How often to look again where a person must mend something; what they mend is seen at once, but for a
/// stranger's object on a worker.
const BLOCKED: Duration = Duration::from_secs(5);
/// How often the servers are asked for the certificates that they serve, while the kubelets bring new ones into pods.
const RELOADING: Duration = Duration::from_secs(5);
/// How often the members of a settled database are asked.
const SETTLED: Duration = Duration::from_secs(10);

/// Why a pass did not end.
#[derive(Debug, thiserror::Error)]
pub enum PassError {
    /// The control cluster.
    #[error(transparent)]
    Control(#[from] ControlError),
    /// What the workers remember.
    #[error(transparent)]
    Observation(#[from] ObservationError),
    /// A Secret that lacks something.
    #[error(transparent)]
    Secret(#[from] IncompleteSecret),
    /// A key or a certificate.
    #[error(transparent)]
    Mint(#[from] MintError),
    /// The authorities that the members are trusted by.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// A certificate of the database's.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// The secrets cannot be kept.
    #[error("the secrets cannot be written as JSON: {0}")]
    Secrets(serde_json::Error),
    /// The spec cannot be hashed.
    #[error("the spec cannot be written as JSON: {0}")]
    Spec(#[from] serde_json::Error),
}

impl PassError {
    /// A stable word in CamelCase.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Control(error) => error.reason(),
            Self::Observation(_) => "AnchorsUnreadable",
            Self::Secret(_) => "SecretIncomplete",
            Self::Mint(_) => "CertificateNotMade",
            Self::Trust(_) => "AuthorityUnreadable",
            Self::Certificate(_) => "CertificateUnreadable",
            Self::Secrets(_) => "SecretsUnwritable",
            Self::Spec(_) => "SpecUnwritable",
        }
    }
}

pub(super) async fn pass(cluster: &FederatedCluster, context: &Context) -> Result<Action, PassError> {
    if cluster.metadata.deletion_timestamp.is_some() {
        if let Some(action) = deletion::pass(cluster, context).await? {
            return Ok(action);
        }
    } else if !cluster.finalizers().iter().any(|f| f == FINALIZER) {
        claim::protect(cluster, context).await?;
        return Ok(Action::await_change());
    }
    let fleet = context.fleet.snapshot();
    let workers: Vec<RegisteredWorker> =
        context.workers.state().iter().map(|worker| RegisteredWorker::from(&**worker)).collect();
    let sighting = Sighting::of(cluster, &workers, &fleet, &context.control_uid);
    if context.is_settling_in() && !sighting.is_complete(&fleet) {
        return Ok(Action::requeue(BUSY));
    }
    if let Some(problem) = sighting.problem() {
        tell::blocked(cluster, &problem, context).await?;
        return Ok(Action::requeue(BLOCKED));
    }
    let Some(identity) = sighting.identity() else {
        claim::name(cluster, context).await?;
        return Ok(Action::await_change());
    };
    let accepted = match accept(cluster, &identity, &sighting.ownership.overall, context).await? {
        Acceptance::Accepted(accepted) => accepted,
        Acceptance::Blocked(problem) => {
            tell::blocked(cluster, &problem, context).await?;
            return Ok(Action::requeue(BLOCKED));
        }
        Acceptance::Written => return Ok(Action::requeue(Duration::from_millis(50))),
    };
    let Accepted { rollout, kept, held, wanted, epoch, problem } = *accepted;
    let prepared = Observation {
        cluster,
        identity: &identity,
        control_uid: &context.control_uid,
        epoch: &epoch,
        fleet: &fleet,
        placements: &sighting.placements,
        ownership: &sighting.ownership,
        rollout: &rollout,
        kept: &kept,
        secrets: &held.secrets,
        held: problem.is_some(),
    }
    .prepare()?;
    let engine = context.engines.of(&identity.id);
    let access = reach::access(&prepared, context)?;
    let observed_at = context.now();
    let topology = engine.observe(&access, &prepared.goal, &prepared.pods, context.now()).await;
    context.reachability.of_database(&full_name(cluster), &topology, context.now());
    let now = tell::now();
    let mut planned = plan(&prepared, &topology, context.now(), soaking_for(cluster, &now))?;
    let waiting = context.turns.ask(&identity.id, planned.demand(&prepared), context);
    planned.hold_back(&prepared, waiting);
    context.metrics.observed(
        &full_name(cluster),
        &planned.engine,
        |set| set_name(cluster, set),
        |set| planned.in_queue.contains(set),
    );
    let mut carried = carry_out(cluster, &prepared, &planned, &engine, &access, observed_at, context).await;
    // A namespace that is being deleted takes no new Secret.
    if cluster.metadata.deletion_timestamp.is_none() {
        tell::admin_secret(&identity, &held.secrets, context).await?;
        let changed =
            secrets::change_users(cluster, &held, &prepared, &planned, &engine, &access, context).await?;
        carried = carried.and(changed);
        if !carried.changed {
            let reloaded =
                secrets::reload_certificates(&held, &prepared, &planned, &engine, &access, context).await?;
            carried = carried.and(reloaded);
        }
    }
    let unfit = wanted.as_ref().err().cloned();
    let problem = Problem::most_pressing([problem, carried.problem, unfit].into_iter().flatten());
    let status = report(&Observed { prepared: &prepared, plan: &planned, problem: problem.as_ref(), now: &now });
    tell::status(cluster, status, context).await?;
    if problem.is_none()
        && !carried.changed
        && let Ok(wanted) = &wanted
        && secrets::advance(&held, wanted, &prepared, &planned, &topology, context).await?
    {
        return Ok(Action::requeue(BUSY));
    }
    Ok(Action::requeue(match problem {
        _ if carried.changed => BUSY,
        Some(problem) if carried.soon && !is_told(cluster, problem.reason()) => BUSY,
        Some(_) if carried.soon => WAITING,
        Some(_) => BLOCKED,
        None if held.secrets.reloading => RELOADING,
        None if planned.is_settled() => SETTLED,
        None => WAITING,
    }))
}
