//! Everything between now and Ready, the most pressing first.

use kogge_api::labels;
use kogge_api::status::WorkState;
use kogge_engine::Engine;
use kogge_plan::obstacle::{Obstacle, Rank};

use super::parts::Parts;
use crate::plan::DatabasePlan;
use crate::prepared::Prepared;
use crate::problem::Problem;

/// What keeps a database from being Ready; empty where it is. `problem` is why its spec, or its plan, is not carried
/// out.
pub fn obstacles<E: Engine>(
    prepared: &Prepared<'_, E>,
    plan: &DatabasePlan<E>,
    problem: Option<&Problem>,
) -> Vec<Obstacle> {
    of_parts(prepared, plan, &Parts::observe(prepared, plan), problem)
}

pub(super) fn of_parts<E: Engine>(
    prepared: &Prepared<'_, E>,
    plan: &DatabasePlan<E>,
    parts: &Parts,
    problem: Option<&Problem>,
) -> Vec<Obstacle> {
    let mut list = List(Vec::new());
    list.extend(problem.map(|problem| {
        let (rank, reason) = match problem {
            Problem::Delayed { .. } => (Rank::Retry, "Progressing"),
            other => (Rank::NotCarriedOut, other.reason()),
        };
        Obstacle::new(rank, reason, problem.message())
    }));
    list.of_the_plan(prepared, plan);
    list.of_workers(prepared);
    list.of_members(plan, parts);
    list.under_way(prepared, plan, parts);
    list.0.sort_by_key(|obstacle| obstacle.rank);
    list.0
}

struct List(Vec<Obstacle>);

impl List {
    fn extend(&mut self, obstacles: impl IntoIterator<Item = Obstacle>) {
        self.0.extend(obstacles);
    }

    fn of_the_plan<E: Engine>(&mut self, prepared: &Prepared<'_, E>, plan: &DatabasePlan<E>) {
        let approval = |what: &str, hash: &str| {
            let how = format!("to approve it, annotate the resource with {}={hash}", labels::APPROVE);
            Obstacle::new(Rank::Approval, "ApprovalNeeded", format!("{what}; {how}"))
        };
        self.extend(plan.approvals.iter().map(|needed| approval(&needed.what, &needed.hash)));
        let of_engine = plan.engine.approvals.iter();
        self.extend(of_engine.map(|needed| approval(&format!("{}: {}", needed.group, needed.what), &needed.hash)));
        let refused = prepared.requests.refused.values();
        self.extend(refused.map(|refused| Obstacle::new(Rank::Request, "RequestRefused", refused)));
        let refusals = plan.refusals.iter().map(|(_, refusal)| refusal);
        self.extend(refusals.map(|refusal| Obstacle::new(Rank::Write, refusal.reason(), refusal.to_string())));
        self.extend(
            plan.errors.iter().map(|error| Obstacle::new(Rank::Render, error.reason(), error.to_string())),
        );
        let findings = plan.engine.findings.iter();
        self.extend(findings.map(|found| Obstacle::new(Rank::Engine, found.reason, &found.message)));
    }

    fn of_workers<E: Engine>(&mut self, prepared: &Prepared<'_, E>) {
        let observation = &prepared.observation;
        let invalid = &observation.placements.errors;
        let placements = invalid.values();
        self.extend(placements.map(|error| Obstacle::new(Rank::Placement, error.reason(), error.to_string())));
        let refusals = observation.ownership.refusals();
        self.extend(refusals.map(|refusal| Obstacle::new(Rank::Ownership, refusal.reason(), refusal.to_string())));
        let unseen = observation.unseen().into_iter().filter(|(placement, _)| !invalid.contains_key(placement));
        self.extend(unseen.map(|(placement, why)| {
            Obstacle::new(Rank::NotObserved, "WorkersNotSeen", format!("placement {placement}: {why}"))
        }));
        if observation.paused() {
            let message = format!("nothing is changed while the annotation {} is set", labels::PAUSE);
            self.extend([Obstacle::new(Rank::Paused, "Paused", message)]);
        }
    }

    fn of_members<E: Engine>(&mut self, plan: &DatabasePlan<E>, parts: &Parts) {
        let of_pods =
            |rank, placement: &str, why: &str| Obstacle::new(rank, "PodsNotReady", format!("{placement}: {why}"));
        self.extend(parts.ill().map(|(share, why)| of_pods(Rank::Pod, &share.placement, why)));
        self.extend(parts.starting().map(|(share, why)| of_pods(Rank::PodStarting, &share.placement, why)));
        let waiting = plan.engine.waiting.iter();
        self.extend(waiting.map(|what| Obstacle::new(Rank::Member, "MembersNotReady", what.to_string())));
        self.extend(plan.in_queue.iter().map(|group| {
            let message =
                format!("{group} is queued: as many groups as allowed are being changed in the same vdc");
            Obstacle::new(Rank::Queue, "Queued", message)
        }));
    }

    fn under_way<E: Engine>(&mut self, prepared: &Prepared<'_, E>, plan: &DatabasePlan<E>, parts: &Parts) {
        let progressing = |rank, message: String| Obstacle::new(rank, "Progressing", message);
        self.extend(plan.rollout.waiting.clone().map(|what| progressing(Rank::Rollout, what)));
        let rotating = prepared.observation.rotating();
        self.extend(rotating.map(|what| Obstacle::new(Rank::Rotation, "Rotating", what)));
        self.extend(plan.leaving.iter().map(|(worker, what)| {
            progressing(Rank::Leftover, format!("removing leftover objects from {worker}: {what}"))
        }));
        let steps = plan.engine.steps.iter().map(|step| step.what.clone());
        let writes = plan.actions.iter().map(ToString::to_string);
        self.extend(steps.chain(writes).map(|what| progressing(Rank::Change, what)));
        let is_reached = plan.is_settled() && plan.engine.is_ready() && parts.state() == WorkState::Ready;
        if self.0.is_empty() && !is_reached {
            self.extend([progressing(Rank::Change, "the last change is being carried out".to_owned())]);
        }
    }
}
