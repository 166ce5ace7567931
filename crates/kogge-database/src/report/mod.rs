//! The status: what was observed, for the person who is on call.

mod conditions;
mod obstacles;
mod parts;
mod rollout;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;
use kogge_api::conditions::{self as api_conditions, Finding, Status, federated_cluster as types};
use kogge_api::federated_cluster::{
    ConnectionStatus, DeletionStatus, FederatedClusterStatus, PreviousUser, SecurityStatus, ShareStatus, WorkState,
};
use kogge_api::{FederatedCluster, names};
use kogge_plan::obstacle::Obstacle;

use crate::plan::DatabasePlan;
use crate::prepared::Prepared;

pub use crate::problem::Problem;
pub use obstacles::obstacles;
use parts::Parts;
pub use rollout::soaking_for;

/// What a status is made from.
pub struct Observed<'a> {
    /// What was known before the members were asked.
    pub prepared: &'a Prepared<'a>,
    /// What follows from it.
    pub plan: &'a DatabasePlan,
    /// Why the spec is not carried out; none where it is.
    pub problem: Option<&'a Problem>,
    /// Now.
    pub now: &'a Time,
}

/// The status after a pass that saw the members.
pub fn report(observed: &Observed<'_>) -> FederatedClusterStatus {
    let Observed { prepared, plan, problem, now } = *observed;
    let observation = &prepared.observation;
    let cluster = observation.cluster;
    let before = cluster.status.clone().unwrap_or_default();
    let parts = Parts::observe(prepared, plan);
    let obstacles = obstacles::of_parts(prepared, plan, &parts, problem);
    let findings = conditions::findings(prepared, plan, &parts, &obstacles, problem);
    FederatedClusterStatus {
        observed_generation: cluster.metadata.generation,
        available: plan.engine.available(),
        cluster_id: Some(observation.identity.id.clone()),
        epoch: before.epoch,
        spec_hash: before.spec_hash.clone(),
        chart_version: rollout::reached(plan, &observation.rollout).or_else(|| before.chart_version.clone()),
        feature_compatibility_version: plan
            .engine
            .feature_compatibility_version
            .clone()
            .or_else(|| before.feature_compatibility_version.clone()),
        summary: Some(parts::summary(&parts.placements)),
        where_: Some(parts::in_words(&parts.placements)),
        primaries: Some(parts.primaries_in_words()),
        waiting_for: waiting_for(&obstacles, before.deletion.as_ref()),
        connection: Some(ConnectionStatus {
            uri: observation.secrets.uri(&observation.identity),
            credentials_secret: names::admin_secret(&observation.identity.name),
        }),
        rollout: if problem.is_some() && !plan.rehearsal.is_empty() {
            // It failed its rehearsal, so it has not begun.
            before.rollout.clone()
        } else {
            rollout::status(&before, plan, &observation.rollout, now)
        },
        replica_sets: parts.replica_sets,
        mongos: Some(parts.mongos),
        placement: parts.placements,
        security: Some(security(prepared)),
        deletion: before.deletion.clone(),
        conditions: merged(cluster, &before, &findings, now),
    }
}

/// The most pressing obstacle; where there is none, the end of a database that was deleted.
fn waiting_for(obstacles: &[Obstacle], deletion: Option<&DeletionStatus>) -> Option<String> {
    let first = obstacles.first().map(|obstacle| obstacle.message.clone());
    first.or_else(|| {
        let deletion = deletion?;
        Some(match &deletion.halted {
            Some(cause) => cause.clone(),
            None => format!("the end of its cool-off: it was deleted and goes at {}", deletion.executes_at.0),
        })
    })
}

fn security(prepared: &Prepared<'_>) -> SecurityStatus {
    let secrets = &prepared.observation.secrets;
    let grace = prepared.observation.cluster.spec.security.rotation.grace.into();
    let time = |at| Timestamp::from_second(at).ok().map(Time);
    SecurityStatus {
        tls_mode: secrets.current.tls_mode(),
        generation: secrets.current.number,
        rotating: prepared.observation.rotating(),
        renewal: secrets.renewal().and_then(time),
        previous_user: secrets
            .previous_admin(grace)
            .and_then(|(name, at)| Some(PreviousUser { name, removed_at: time(at)? })),
    }
}

/// The status after a pass that could not get as far as to see the members: everything that was said before and
/// is not known now is Unknown (A3).
pub fn blocked(cluster: &FederatedCluster, problem: &Problem, now: &Time) -> FederatedClusterStatus {
    let mut status = cluster.status.clone().unwrap_or_default();
    let findings = conditions::blocked(problem);
    status.observed_generation = cluster.metadata.generation;
    status.available = false;
    status.waiting_for = Some(problem.message().to_owned());
    forget_what_stood(&mut status);
    let before = cluster.status.clone().unwrap_or_default();
    status.conditions = merged(cluster, &before, &findings, now);
    status
}

/// The status after a pass that failed for a reason that is not the spec's: nobody knows whether it is Ready (A3).
/// What was judged before keeps its words.
pub fn failed(cluster: &FederatedCluster, reason: &str, message: &str, now: &Time) -> FederatedClusterStatus {
    let before = cluster.status.clone().unwrap_or_default();
    let unknown = Finding::new(types::READY, Status::Unknown, reason, message);
    let generation = cluster.metadata.generation.unwrap_or_default();
    let mut conditions = before.conditions.clone();
    conditions.retain(|condition| condition.type_ != types::READY);
    conditions.splice(0..0, api_conditions::merge(&before.conditions, &[unknown], generation, now));
    FederatedClusterStatus { conditions, waiting_for: Some(message.to_owned()), ..before }
}

/// Leaves no part Ready: nobody knows how it stands.
fn forget_what_stood(status: &mut FederatedClusterStatus) {
    let unknown = |share: &mut ShareStatus| (share.ready, share.status) = (0, WorkState::Unknown);
    for set in status.replica_sets.values_mut() {
        (set.ready, set.status) = (0, WorkState::Unknown);
        set.members.iter_mut().for_each(|member| member.ready = false);
        set.placement.values_mut().for_each(unknown);
    }
    if let Some(routers) = &mut status.mongos {
        routers.ready = 0;
        routers.placement.values_mut().for_each(unknown);
    }
    for placement in status.placement.values_mut() {
        (placement.ready, placement.status) = (0, WorkState::Unknown);
    }
    if !status.placement.is_empty() {
        (status.summary, status.where_) =
            (Some(parts::summary(&status.placement)), Some(parts::in_words(&status.placement)));
    }
}

fn merged(
    cluster: &FederatedCluster,
    before: &FederatedClusterStatus,
    findings: &[Finding],
    now: &Time,
) -> Vec<k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition> {
    let mut findings = findings.to_vec();
    findings.push(conditions::deletion_pending(before.deletion.as_ref()));
    findings.sort_by_key(|finding| types::ALL.iter().position(|type_| *type_ == finding.type_));
    let generation = cluster.metadata.generation.unwrap_or_default();
    api_conditions::merge(&before.conditions, &findings, generation, now)
}
