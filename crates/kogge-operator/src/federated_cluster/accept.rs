//! The acceptance of a spec: rendered as a whole, kept, and under an epoch, before any worker is written.

use std::sync::Arc;

use k8s_openapi::api::apps::v1::ControllerRevision;
use k8s_openapi::api::core::v1::Secret;
use kogge_api::{FederatedCluster, labels};
use kogge_chart::{Chart, ChartError};
use kogge_federated_cluster::report::Problem;
use kogge_federated_cluster::revisions::{Kept, RevisionError, Rollout};
use kogge_federated_cluster::secrets::DatabaseSecrets;
use kogge_federated_cluster::template::{self, TemplateError};
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
    let stored = context.control.list::<ControllerRevision>(&context.namespace, &selector).await?;
    let kept = match Kept::read(&stored) {
        Ok(kept) => kept,
        Err(error) => return Ok(Acceptance::Blocked(refused(&error))),
    };
    let (rollout, problem) = match render(cluster, identity, &kept, context) {
        Ok(rollout) => (rollout, None),
        Err(error) => {
            let problem = Problem::InvalidSpec { reason: error.reason().to_owned(), message: error.to_string() };
            match kept.newest() {
                Some(last) => (last.clone(), Some(problem)),
                None => return Ok(Acceptance::Blocked(problem)),
            }
        }
    };
    let epoch = match accepted_epoch(cluster, verdict, problem.is_some())? {
        Some(epoch) => epoch,
        None => {
            return Ok(Acceptance::Blocked(Problem::Failed {
                reason: "EpochMissing".to_owned(),
                message: "no spec of this database was ever accepted, and the present one cannot be".to_owned(),
            }));
        }
    };
    if problem.is_none() && !kept.holds(&rollout) {
        match kept.object(&rollout, &identity.id, &context.namespace) {
            Ok(object) => {
                context.control.create(&context.namespace, &object).await?;
                info!(chart_version = %rollout.chart_version, "a rollout is kept");
                return Ok(Acceptance::Written);
            }
            Err(error) => return Ok(Acceptance::Blocked(refused(&error))),
        }
    }
    let Some(secrets) = secrets(identity, verdict, context).await? else {
        return Ok(Acceptance::Blocked(Problem::Refused {
            reason: "SecretsLost".to_owned(),
            message: format!(
                "the Secret {} is gone from namespace {}, and the database stands; restore it from a backup: \
                 without it no member can be reached",
                DatabaseSecrets::name(&identity.id),
                context.namespace
            ),
        }));
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

fn render(
    cluster: &FederatedCluster,
    identity: &Identity,
    kept: &Kept,
    context: &Context,
) -> Result<Rollout, TemplateError> {
    let chart = chart(cluster, context)?;
    let frozen = match kept.frozen() {
        Some(frozen) => frozen.clone(),
        None => template::freeze(&cluster.spec, identity, &oldest_version(context)),
    };
    template::render_all(&cluster.spec, identity, &chart, &frozen)
}

/// The chart that the spec names; without a version the one that is pinned, or else the newest.
fn chart(cluster: &FederatedCluster, context: &Context) -> Result<Arc<Chart>, ChartError> {
    let global = &cluster.spec.global;
    let pinned = cluster.status.as_ref().and_then(|status| status.chart_version.as_ref());
    match global.chart_version.as_ref().or(pinned) {
        Some(version) => context.charts.find(&global.chart, version),
        None => context.charts.newest(&global.chart),
    }
}

/// The oldest Kubernetes version among the workers.
fn oldest_version(context: &Context) -> String {
    let workers = context.workers.state();
    let versions = workers.iter().filter_map(|worker| worker.status.as_ref()?.version.clone());
    versions
        .map(|version| version.trim_start_matches('v').to_owned())
        .min_by_key(|v| numbers(v))
        .unwrap_or_default()
}

fn numbers(version: &str) -> Vec<u32> {
    version.split(['.', '-', '+']).map_while(|part| part.parse().ok()).collect()
}

/// The secrets of the database. They are made once, when it is new; none where they are lost.
async fn secrets(
    identity: &Identity,
    verdict: &Verdict,
    context: &Context,
) -> Result<Option<DatabaseSecrets>, PassError> {
    let name = DatabaseSecrets::name(&identity.id);
    if let Some(secret) = context.control.get::<Secret>(&context.namespace, &name).await? {
        return Ok(Some(DatabaseSecrets::read(&secret)?));
    }
    if *verdict != Verdict::New {
        return Ok(None);
    }
    let mut key = [0; 756];
    rand::fill(&mut key);
    let made = DatabaseSecrets::from_random(&key, &rand::random(), &rand::random());
    context.control.create(&context.namespace, &made.to_secret(&identity.id, &context.namespace)).await?;
    info!("the database's secrets were made");
    Ok(Some(made))
}
