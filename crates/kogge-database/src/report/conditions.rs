//! The conditions of a database.

use kogge_api::conditions::{Finding, Status, database as types};
use kogge_api::labels;
use kogge_api::status::{DeletionStatus, WorkState};
use kogge_engine::{Engine, Finding as Advice, RECOVERY_REFUSED, Vdc};
use kogge_plan::drift::{self, Drift};
use kogge_plan::obstacle::Obstacle;

use super::parts::Parts;

use crate::plan::DatabasePlan;
use crate::prepared::Prepared;
use crate::problem::Problem;

/// What parts the sentences of the condition Drifted.
pub(crate) const DRIFTS: &str = "\n";

/// What a problem says of the spec itself.
fn spec_despite(problem: &Problem) -> Finding {
    match problem {
        Problem::InvalidSpec { reason, message } => Finding::new(types::SPEC_VALID, false, reason, message),
        Problem::Refused { .. } | Problem::NotSeen { .. } | Problem::Failed { .. } | Problem::Delayed { .. } => {
            Finding::new(types::SPEC_VALID, true, "Accepted", "the spec can be carried out")
        }
    }
}

/// The conditions where the members were not asked: what rests on their answers is Unknown.
pub(super) fn blocked(problem: &Problem) -> Vec<Finding> {
    let (reason, message) = (problem.reason(), problem.message());
    let unknown =
        |type_: &&'static str| Finding::new(type_, Status::Unknown, reason, "Kogge did not ask the members.");
    let judged = [types::READY, types::PROGRESSING, types::SPEC_VALID, types::DELETION_PENDING];
    let mut findings = vec![
        Finding::new(types::READY, false, reason, message),
        Finding::new(types::PROGRESSING, false, reason, message),
        spec_despite(problem),
    ];
    findings.extend(types::ALL.iter().filter(|type_| !judged.contains(*type_)).map(unknown));
    findings
}

/// The conditions after the members were seen.
pub(super) fn findings<E: Engine>(
    prepared: &Prepared<'_, E>,
    plan: &DatabasePlan<E>,
    parts: &Parts,
    obstacles: &[Obstacle],
    problem: Option<&Problem>,
) -> Vec<Finding> {
    vec![
        ready(obstacles, &plan.engine.advice, prepared.observation.notice.as_deref()),
        plan.engine.availability.clone(),
        progressing(plan, problem),
        degraded(prepared, parts, problem),
        quorum_at_risk(plan),
        prepared.names.report.finding(),
        rollout_paused(prepared, plan),
        approval_needed(prepared, plan),
        switched_over(prepared, plan),
        problem.map_or_else(|| spec_valid(prepared), spec_despite),
        drifted(&plan.drift),
    ]
}

fn ready(obstacles: &[Obstacle], advice: &[Advice], notice: Option<&str>) -> Finding {
    if let Some(obstacle) = obstacles.first() {
        return Finding::new(types::READY, false, &obstacle.reason, &obstacle.message);
    }
    let mut sentences = vec!["everything that the spec asks for is there"];
    sentences.extend(advice.iter().map(|advice| advice.message.as_str()));
    sentences.extend(notice);
    Finding::new(types::READY, true, "Settled", sentences.join(". "))
}

fn progressing<E: Engine>(plan: &DatabasePlan<E>, problem: Option<&Problem>) -> Finding {
    match problem {
        Some(problem) => Finding::new(types::PROGRESSING, problem.is_delay(), problem.reason(), problem.message()),
        None if plan.is_settled() => Finding::new(types::PROGRESSING, false, "Settled", "nothing is left to do"),
        None => Finding::new(types::PROGRESSING, true, "CarryingOut", "the last change is being carried out"),
    }
}

fn degraded<E: Engine>(prepared: &Prepared<'_, E>, parts: &Parts, problem: Option<&Problem>) -> Finding {
    let mut ill: Vec<String> = prepared.observation.placements.errors.values().map(ToString::to_string).collect();
    ill.extend(parts.ill().map(|(key, why)| format!("{}: {why}", key.placement)));
    ill.extend(
        parts
            .groups
            .values()
            .filter(|group| group.status == WorkState::Degraded)
            .flat_map(|group| &group.members)
            .filter_map(|member| Some(format!("{}: {}", member.name, member.reason.as_ref()?))),
    );
    if parts.state() == WorkState::Degraded && ill.is_empty() {
        ill.extend(parts.unready().map(|(key, why)| format!("{}: {why}", key.placement)));
    }
    if let Some(Problem::Failed { message, .. }) = problem {
        ill.push(message.clone());
    }
    if ill.is_empty() {
        Finding::new(types::DEGRADED, false, "Healthy", "all components are present and healthy")
    } else {
        Finding::new(types::DEGRADED, true, "PartsMissing", ill.join("; "))
    }
}

fn quorum_at_risk<E: Engine>(plan: &DatabasePlan<E>) -> Finding {
    let at_risk: Vec<&str> = plan
        .engine
        .groups
        .iter()
        .filter(|(_, group)| group.quorum_at_risk)
        .map(|(name, _)| name.as_str())
        .collect();
    if at_risk.is_empty() {
        Finding::new(types::QUORUM_AT_RISK, false, "MajoritySafe", "the loss of one more member is survived")
    } else {
        let message = format!("one more loss would cost the majority of: {}", at_risk.join(", "));
        Finding::new(types::QUORUM_AT_RISK, true, "OneMoreLoss", message)
    }
}

fn rollout_paused<E: Engine>(prepared: &Prepared<'_, E>, plan: &DatabasePlan<E>) -> Finding {
    let rolling = plan.rollout.rolling;
    let why = plan.rollout.waiting.clone().unwrap_or_default();
    if rolling && prepared.observation.paused() {
        Finding::new(types::ROLLOUT_PAUSED, true, "Paused", "the annotation kogge.dev/pause holds it")
    } else if rolling && plan.rollout.held {
        Finding::new(types::ROLLOUT_PAUSED, true, "Held", why)
    } else {
        Finding::new(types::ROLLOUT_PAUSED, false, "NotPaused", "no rollout is paused")
    }
}

fn approval_needed<E: Engine>(prepared: &Prepared<'_, E>, plan: &DatabasePlan<E>) -> Finding {
    let pruning = plan.approvals.iter().map(|needed| (needed.reason, needed.what.clone(), &needed.hash));
    let forcing = plan
        .engine
        .approvals
        .iter()
        .map(|needed| ("MajorityLost", format!("{}: {}", needed.group, needed.what), &needed.hash));
    let needed: Vec<_> = pruning.chain(forcing).collect();
    match needed.first() {
        Some((reason, ..)) => {
            let what: Vec<String> =
                needed.iter().map(|(_, what, hash)| format!("{what}: approved by {hash}")).collect();
            let hashes: Vec<&str> = needed.iter().map(|(.., hash)| hash.as_str()).collect();
            let message = format!(
                "{}; to approve, annotate the resource with {}={}",
                what.join("; "),
                labels::APPROVE,
                hashes.join(",")
            );
            Finding::new(types::APPROVAL_NEEDED, true, *reason, message)
        }
        None => match (prepared.requests.refused.get(labels::RECOVER), recovery_refused(plan)) {
            (Some(refused), _) => Finding::new(types::APPROVAL_NEEDED, false, "RequestRefused", refused),
            (None, Some(refused)) => Finding::new(types::APPROVAL_NEEDED, false, "RecoveryRefused", refused),
            (None, None) => Finding::new(types::APPROVAL_NEEDED, false, "None", "no step waits for your approval"),
        },
    }
}

/// Why a recovery that was asked for is not even to be approved.
fn recovery_refused<E: Engine>(plan: &DatabasePlan<E>) -> Option<&str> {
    let mut findings = plan.engine.findings.iter();
    findings.find(|finding| finding.reason == RECOVERY_REFUSED).map(|finding| finding.message.as_str())
}

fn switched_over<E: Engine>(prepared: &Prepared<'_, E>, plan: &DatabasePlan<E>) -> Finding {
    let away = &prepared.requests.away_from;
    if let Some(refused) = prepared.requests.refused.get(labels::AWAY_FROM) {
        return Finding::new(types::SWITCHED_OVER, false, "RequestRefused", refused);
    }
    if away.is_empty() {
        return Finding::new(types::SWITCHED_OVER, false, "NotAsked", "Leaders may be in every vdc.");
    }
    let vdcs: Vec<&str> = away.iter().map(Vdc::as_str).collect();
    let vdcs = vdcs.join(", ");
    let still: Vec<&str> = plan
        .engine
        .groups
        .values()
        .flat_map(|group| group.members.iter().filter(|m| group.leader.as_ref() == Some(&m.pod)))
        .filter(|member| away.contains(&member.vdc))
        .map(|member| member.pod.as_str())
        .collect();
    let groups = plan.engine.groups.iter().filter(|(_, group)| group.initialized && group.leader.is_none());
    let without: Vec<&str> = groups.map(|(name, _)| name.as_str()).collect();
    if still.is_empty() && without.is_empty() {
        let message =
            format!("Leaders are kept away from {vdcs} until the annotation {} is removed.", labels::AWAY_FROM);
        Finding::new(types::SWITCHED_OVER, true, "InForce", message)
    } else if still.is_empty() {
        let message =
            format!("No leader is in {vdcs} any more; these groups have no leader yet: {}.", without.join(", "));
        Finding::new(types::SWITCHED_OVER, false, "Moving", message)
    } else {
        let message = format!("Leaders are leaving {vdcs}; still there: {}.", still.join(", "));
        Finding::new(types::SWITCHED_OVER, false, "Moving", message)
    }
}

fn spec_valid<E: Engine>(prepared: &Prepared<'_, E>) -> Finding {
    let invalid = prepared.observation.placements.errors.values().find(|error| error.is_invalid_spec());
    match invalid {
        Some(error) => Finding::new(types::SPEC_VALID, false, error.reason(), error.to_string()),
        None => Finding::new(types::SPEC_VALID, true, "Accepted", "the spec can be carried out"),
    }
}

/// What Kogge puts back by the next write is no drift that stays.
fn drifted(drifts: &[Drift]) -> Finding {
    let staying = || drifts.iter().filter(|drift| !drift.is_put_back());
    match staying().next() {
        Some(first) => Finding::new(types::DRIFTED, true, first.reason(), drift::in_words(staying()).join(DRIFTS)),
        None => Finding::new(types::DRIFTED, false, "InSync", "Every object is as Kogge applied it."),
    }
}

/// The condition of a deletion that waits. Its words do not count down: an event and a metric do.
pub(super) fn deletion_pending(deletion: Option<&DeletionStatus>) -> Finding {
    let finding = |holds: bool, reason, message| Finding::new(types::DELETION_PENDING, holds, reason, message);
    let Some(deletion) = deletion else {
        return finding(false, "NotDeleted", "The resource is not deleted.".to_owned());
    };
    match &deletion.halted {
        Some(cause) => finding(true, "Halted", cause.clone()),
        None => finding(
            true,
            "CoolingOff",
            format!("the database keeps running and will be torn down at {}", deletion.executes_at.0),
        ),
    }
}
