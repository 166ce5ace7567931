//! The status: what was observed, for the person who is on call.

mod conditions;
mod obstacles;
mod parts;
mod rollout;
mod size;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;
use kogge_api::conditions::{self as api_conditions, Finding, Status, database as types};
use kogge_api::federated_cluster::{PreviousUser, SecurityStatus};
use kogge_api::names;
use kogge_api::status::{ConnectionStatus, DeletionStatus, ShareStatus, WorkState};
use kogge_engine::{Database, DatabaseStatus, Engine};
use kogge_plan::obstacle::Obstacle;

use crate::plan::DatabasePlan;
use crate::prepared::Prepared;

pub use crate::problem::Problem;
pub(crate) use conditions::DRIFTS;
pub use obstacles::obstacles;
use parts::Parts;
pub use rollout::soaking_for;

/// What a status is made from.
pub struct Observed<'a, E: Engine> {
    /// What was known before the members were asked.
    pub prepared: &'a Prepared<'a, E>,
    /// What follows from it.
    pub plan: &'a DatabasePlan<E>,
    /// Why the spec is not carried out; none where it is.
    pub problem: Option<&'a Problem>,
    /// Now.
    pub now: &'a Time,
}

/// The status after a pass that saw the members.
pub fn report<E: Engine>(observed: &Observed<'_, E>) -> DatabaseStatus {
    let Observed { prepared, plan, problem, now } = *observed;
    let observation = &prepared.observation;
    let database = observation.database;
    let before = database.status.clone().unwrap_or_default();
    let parts = Parts::observe(prepared, plan);
    let obstacles = obstacles::of_parts(prepared, plan, &parts, problem);
    let findings = conditions::findings(prepared, plan, &parts, &obstacles, problem);
    size::fitted(DatabaseStatus {
        observed_generation: database.metadata.generation,
        available: plan.engine.is_available(),
        cluster_id: Some(observation.identity.id.clone()),
        epoch: before.epoch,
        spec_hash: before.spec_hash.clone(),
        chart_version: rollout::reached(plan, &observation.rollout).or_else(|| before.chart_version.clone()),
        data_version: plan.engine.data_version.clone().or_else(|| before.data_version.clone()),
        summary: Some(parts::summary(&parts.placements)),
        where_: Some(parts::in_words(&parts.placements)),
        leaders: Some(parts.leaders_in_words()),
        waiting_for: waiting_for(&obstacles, before.deletion.as_ref()),
        connection: Some(ConnectionStatus {
            uri: E::uri(&observation.identity, observation.secrets.speaks_tls()),
            credentials_secret: names::admin_secret(&observation.identity.name),
        }),
        rollout: if problem.is_some() && plan.rehearsal_binds {
            // It failed its rehearsal, so it has not begun.
            before.rollout.clone()
        } else {
            rollout::status(&before, plan, &observation.rollout, now)
        },
        groups: parts.groups,
        routers: parts.routers,
        placement: parts.placements,
        security: Some(security(prepared)),
        deletion: before.deletion.clone(),
        conditions: merged(database, &before, &findings, now),
    })
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

fn security<E: Engine>(prepared: &Prepared<'_, E>) -> SecurityStatus {
    let secrets = &prepared.observation.secrets;
    let grace = prepared.observation.database.security.rotation.grace.into();
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
pub fn blocked(database: &Database, problem: &Problem, now: &Time) -> DatabaseStatus {
    let mut status = database.status.clone().unwrap_or_default();
    let findings = conditions::blocked(problem);
    status.observed_generation = database.metadata.generation;
    status.available = false;
    status.waiting_for = Some(problem.message().to_owned());
    forget_what_stood(&mut status);
    let before = database.status.clone().unwrap_or_default();
    status.conditions = merged(database, &before, &findings, now);
    status
}

/// The status after a pass that failed for a reason that is not the spec's: nobody knows whether it is Ready (A3).
/// What was judged before keeps its words.
pub fn failed(database: &Database, reason: &str, message: &str, now: &Time) -> DatabaseStatus {
    let before = unchanged(database, now);
    let unknown = Finding::new(types::READY, Status::Unknown, reason, message);
    let generation = database.metadata.generation.unwrap_or_default();
    let mut conditions = before.conditions.clone();
    conditions.retain(|condition| condition.type_ != types::READY);
    conditions.splice(0..0, api_conditions::merge(&before.conditions, &[unknown], generation, now));
    DatabaseStatus { conditions, waiting_for: Some(message.to_owned()), ..before }
}

/// The status that stands, before anything is recorded in it. It has every condition from the first time on: what was
/// never judged is Unknown.
pub fn unchanged(database: &Database, now: &Time) -> DatabaseStatus {
    let mut status = database.status.clone().unwrap_or_default();
    let generation = database.metadata.generation.unwrap_or_default();
    let present = std::mem::take(&mut status.conditions);
    status.conditions = types::ALL
        .iter()
        .flat_map(|type_| {
            let judged: Vec<_> = present.iter().filter(|condition| condition.type_ == *type_).cloned().collect();
            if judged.is_empty() {
                let never = Finding::new(type_, Status::Unknown, "NotObserved", "Kogge did not look at it yet.");
                api_conditions::merge(&[], &[never], generation, now)
            } else {
                judged
            }
        })
        .collect();
    status
}

/// Leaves no part Ready: nobody knows how it stands.
fn forget_what_stood(status: &mut DatabaseStatus) {
    let unknown = |share: &mut ShareStatus| (share.ready, share.status) = (0, WorkState::Unknown);
    for group in status.groups.values_mut() {
        (group.ready, group.status) = (0, WorkState::Unknown);
        group.members.iter_mut().for_each(|member| member.ready = false);
        group.placement.values_mut().for_each(unknown);
    }
    if let Some(routers) = &mut status.routers {
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
    database: &Database,
    before: &DatabaseStatus,
    findings: &[Finding],
    now: &Time,
) -> Vec<k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition> {
    let mut findings = findings.to_vec();
    findings.push(conditions::deletion_pending(before.deletion.as_ref()));
    findings.sort_by_key(|finding| types::ALL.iter().position(|type_| *type_ == finding.type_));
    let generation = database.metadata.generation.unwrap_or_default();
    api_conditions::merge(&before.conditions, &findings, generation, now)
}
