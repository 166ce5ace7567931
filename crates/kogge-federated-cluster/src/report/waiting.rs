//! What a database waits for, in one sentence: the most pressing thing first.

use super::Problem;
use super::conditions;
use super::parts::Parts;
use crate::observation::Prepared;
use crate::plan::DatabasePlan;

pub(super) fn for_what(
    prepared: &Prepared<'_>,
    plan: &DatabasePlan,
    parts: &Parts,
    problem: Option<&Problem>,
) -> Option<String> {
    let observation = &prepared.observation;
    let told = |problem: &Problem| problem.message().to_owned();
    problem
        .filter(|problem| !problem.is_delay())
        .map(told)
        .or_else(|| plan.approvals.first().map(|needed| format!("approval to {}", needed.what)))
        .or_else(|| plan.engine.approvals.first().map(|needed| format!("approval to {}", needed.what)))
        .or_else(|| prepared.requests.refused.values().next().cloned())
        .or_else(|| conditions::recovery_refused(plan).map(str::to_owned))
        .or_else(|| observation.placements.errors.values().next().map(ToString::to_string))
        .or_else(|| observation.ownership.refusals().next().map(ToString::to_string))
        .or_else(|| plan.refusals.first().map(|(_, refusal)| refusal.to_string()))
        .or_else(|| plan.errors.first().map(ToString::to_string))
        .or_else(|| plan.engine.findings.first().map(|finding| finding.message.clone()))
        .or_else(|| parts.ill().next().map(|(key, why)| format!("{}: {why}", key.placement)))
        .or_else(|| {
            let set = plan.in_queue.first()?;
            Some(format!("{set}: its turn, for as many sets as may be are being changed in the same vdc"))
        })
        .or_else(|| problem.map(told))
        .or_else(|| plan.engine.waiting.first().map(ToString::to_string))
        .or_else(|| plan.rollout.waiting.clone())
        .or_else(|| observation.rotating())
        .or_else(|| {
            let unready = parts.unready().next();
            unready.map(|(key, why)| format!("{}: {why}", key.placement))
        })
        .or_else(|| {
            let leaving = plan.leaving.iter().next();
            leaving.map(|(worker, what)| format!("what has left the database to go from {worker}: {what}"))
        })
        .or_else(|| plan.engine.steps.first().map(|step| step.action.to_string()))
        .or_else(|| plan.actions.first().map(ToString::to_string))
        .or_else(|| {
            let deletion = observation.cluster.status.as_ref()?.deletion.as_ref()?;
            Some(match &deletion.halted {
                Some(cause) => cause.clone(),
                None => format!("the end of its cool-off: it was deleted and goes at {}", deletion.executes_at.0),
            })
        })
}
