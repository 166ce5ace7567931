//! Carries a plan out, in the order that [`kogge_database::carrying`] has: writes to all workers at once and in order
//! within each, steps on all members at once.

use std::collections::{BTreeMap, BTreeSet};

use futures::future::join_all;
use kogge_database::carrying::{Carrying, Part};
use kogge_database::pass::{Carried, is_reported};
use kogge_database::report::Problem;
use kogge_database::{DatabasePlan, Prepared, departures};
use kogge_engine::{Database, Engine, Millis, Step};
use kogge_engine_client::{ClusterAccess, Execute, StepFailure};
use kogge_fleet::{Outcome, WriteContext, WriteError};
use kogge_plan::drift;
use kogge_plan::teardown::TeardownPlan;
use kogge_plan::{Action, FleetView, WorkerName};
use kube::runtime::events::EventType;
use tracing::{debug, info, warn};

use super::kind::{EngineOf, ResourceOf};
use super::{came_of, full_name, short_name};
use crate::context::Context;

/// What came of a step on members that failed; `what` says which.
pub(super) fn failed(what: &str, error: &impl StepFailure) -> Carried {
    let (reason, message) = (error.reason().to_owned(), format!("{what}: {error}"));
    Carried {
        changed: false,
        soon: !error.is_final(),
        problem: Some(if error.is_for_a_person() {
            Problem::Refused { reason, message }
        } else {
            Problem::Delayed { reason, message }
        }),
    }
}

/// Whether a write is meant, or only tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Writing<'a> {
    /// The API server says what it would do, and does nothing. With what approves a rollout without it, by worker.
    Rehearsal(&'a BTreeMap<WorkerName, String>),
    /// It is done.
    InEarnest,
}

/// The database that a plan is carried out on, and the way to its members.
pub(super) struct Target<'a, C: Execute> {
    pub(super) resource: &'a ResourceOf<C>,
    pub(super) database: &'a Database,
    pub(super) client: &'a C,
    pub(super) access: &'a ClusterAccess,
    pub(super) context: &'a Context,
}

impl<C: Execute> Target<'_, C> {
    /// Carries out a plan on what was observed at a time; the order is that of [`Carrying`].
    pub(super) async fn carry_out(
        &self,
        prepared: &Prepared<'_, EngineOf<C>>,
        plan: &DatabasePlan<EngineOf<C>>,
        observed_at: Millis,
    ) -> Carried {
        let Self { resource, context, .. } = *self;
        let fleet = prepared.observation.fleet;
        let mut carrying = Carrying::of(plan);
        while let Some(part) = carrying.next(context.now().saturating_sub(observed_at)) {
            let came_of_it = match part {
                Part::Rehearse(actions) => self.write(fleet, actions, Writing::Rehearsal(&plan.waivers)).await,
                Part::Write(actions) => {
                    let written = self.write(fleet, &actions, Writing::InEarnest).await;
                    for sentence in drift::in_words(plan.drift.iter().filter(|drift| drift.is_put_back())) {
                        context.tell(resource, EventType::Warning, "PutBack", &sentence).await;
                    }
                    for action in departures(&actions) {
                        context.tell(resource, EventType::Normal, "Departed", &action.to_string()).await;
                    }
                    written
                }
                Part::Take(steps) => {
                    let taken = join_all(steps.iter().map(|step| self.take(step))).await;
                    taken.into_iter().fold(Carried::default(), Carried::and)
                }
                Part::Restart(restarts) => {
                    let restarted = self.write(fleet, restarts, Writing::InEarnest).await;
                    for action in restarts {
                        context.tell(resource, EventType::Normal, "RestartPod", &action.to_string()).await;
                    }
                    restarted
                }
            };
            carrying.came_of(came_of_it);
        }
        carrying.over()
    }

    /// Writes to workers, and tells what their API servers warn of.
    async fn write(&self, fleet: &FleetView, actions: &[Action], how: Writing<'_>) -> Carried {
        let Written { carried, warnings } = write(fleet, actions, how, self.context).await;
        for (worker, warning) in warnings {
            let note = format!("worker {worker} warns: {warning}");
            self.context.tell(self.resource, EventType::Warning, "ApiServerWarning", &note).await;
        }
        carried
    }

    /// Takes one step on the members.
    async fn take(&self, step: &Step<<EngineOf<C> as Engine>::Action>) -> Carried {
        let Self { resource, database, client, access, context } = *self;
        let action = step.name;
        let (full_name, group) = (full_name(database), short_name(database, &step.group));
        if !context.leadership.is_leader() {
            return Carried::default();
        }
        debug!(%step, action, "step begins");
        match client.execute(access, &step.payload).await {
            Ok(outcome) => {
                info!(%step, ?outcome, "step taken");
                context.metrics.stepped(&full_name, &group, action, "Done");
                context.tell(resource, EventType::Normal, action, &step.to_string()).await;
                Carried { changed: true, ..Carried::default() }
            }
            Err(error) => {
                context.metrics.stepped(&full_name, &group, action, error.reason());
                if !error.is_for_a_person() {
                    info!(%step, %error, reason = error.reason(), "step not taken; observing again");
                } else if !is_reported(database, error.reason()) {
                    warn!(%step, %error, reason = error.reason(), "step refused");
                    context.tell(resource, EventType::Warning, error.reason(), &format!("{step}: {error}")).await;
                }
                failed(&format!("{}: {}", step.group, step.what), &error)
            }
        }
    }
}

/// What came of writes.
#[derive(Default)]
struct Written {
    carried: Carried,
    /// What the workers' API servers warn of.
    warnings: BTreeSet<(WorkerName, String)>,
}

impl Written {
    fn and(mut self, other: Self) -> Self {
        self.warnings.extend(other.warnings);
        Self { carried: self.carried.and(other.carried), warnings: self.warnings }
    }
}

/// Writes to workers: a slow or dead one changes nothing for the others (A4).
async fn write(fleet: &FleetView, actions: &[Action], how: Writing<'_>, context: &Context) -> Written {
    let mut by_worker: BTreeMap<&WorkerName, Vec<&Action>> = BTreeMap::new();
    for action in actions {
        by_worker.entry(action.worker()).or_default().push(action);
    }
    let workers = by_worker.into_iter().map(|(worker, actions)| async move {
        let uid = fleet.workers.get(worker).and_then(|view| view.uid.as_deref());
        in_order(worker, uid.unwrap_or_default(), &actions, how, context).await
    });
    join_all(workers).await.into_iter().fold(Written::default(), Written::and)
}

/// Deletes what a teardown comes to, on all workers at once.
pub(super) async fn tear_down(plan: &TeardownPlan, fleet: &FleetView, context: &Context) {
    // What is left is told by the next observation.
    write(fleet, &plan.actions, Writing::InEarnest, context).await;
}

/// What is referred to comes first, so the first write that is not known to have succeeded ends the pass for
/// this worker. An object that is refused for itself does not hold up the others.
async fn in_order(
    worker: &WorkerName,
    uid: &str,
    actions: &[&Action],
    how: Writing<'_>,
    context: &Context,
) -> Written {
    let Written { mut carried, mut warnings } = Written::default();
    for action in actions {
        let dry_run = matches!(how, Writing::Rehearsal(_));
        let write = WriteContext { fence: &context.leadership, worker_uid: uid, dry_run };
        let came = context.fleet.execute(action, write).await;
        context.metrics.written(&worker.0, in_a_word(&came));
        let problem = match how {
            Writing::Rehearsal(waivers) => {
                came_of::rehearsed(action, &came, waivers.get(worker).map(String::as_str))
            }
            Writing::InEarnest => came_of::written(action, &came),
        };
        carried.problem = carried.problem.or(problem);
        match came {
            Ok(Outcome::Applied { conflicts, warnings: heard, .. }) => {
                carried.changed = true;
                warnings.extend(heard.into_iter().map(|warning| (worker.clone(), warning)));
                for conflict in conflicts {
                    warn!(%worker, %action, %conflict, "a field was left to its owner");
                }
            }
            Ok(Outcome::Deleted | Outcome::Gone) => carried.changed = true,
            Ok(Outcome::Stale { .. }) => {
                carried.changed = true;
                break;
            }
            Ok(Outcome::Unknown { timed_out, .. }) => {
                carried.soon |= !timed_out;
                break;
            }
            Err(error) if error.is_transient() || matches!(error, WriteError::NotLeader) => break,
            Err(_) => {}
        }
    }
    Written { carried, warnings }
}

fn in_a_word(came: &Result<Outcome, WriteError>) -> &'static str {
    match came {
        Ok(Outcome::Applied { .. }) => "Applied",
        Ok(Outcome::Deleted | Outcome::Gone) => "Deleted",
        Ok(Outcome::Stale { .. }) => "Stale",
        Ok(Outcome::Unknown { .. }) => "Unknown",
        Err(error) => error.reason(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{reason}, by the server's own word")]
    struct Refused {
        reason: &'static str,
        is_for_a_person: bool,
        is_final: bool,
    }

    impl StepFailure for Refused {
        fn reason(&self) -> &'static str {
            self.reason
        }

        fn is_for_a_person(&self) -> bool {
            self.is_for_a_person
        }

        fn is_final(&self) -> bool {
            self.is_final
        }
    }

    const INVALID: Refused = Refused { reason: "ConfigInvalid", is_for_a_person: true, is_final: true };
    const PASSES: Refused = Refused { reason: "NotCommittedYet", is_for_a_person: false, is_final: false };
    const NOT_FOUND: Refused = Refused { reason: "NodeNotFound", is_for_a_person: true, is_final: false };

    #[test]
    fn a_refused_step_is_told_with_the_servers_words_and_changes_nothing() {
        let carried = failed("ll-config: promote b", &INVALID);
        let expected = Problem::Refused {
            reason: "ConfigInvalid".to_owned(),
            message: "ll-config: promote b: ConfigInvalid, by the server's own word".to_owned(),
        };
        assert_eq!((carried.changed, carried.soon, carried.problem), (false, false, Some(expected)));
    }

    #[test]
    fn what_may_succeed_a_little_later_is_tried_again_soon() {
        let carried = failed("ll-config: promote b", &PASSES);
        assert!(!carried.changed && carried.soon, "{carried:?}");
        assert!(matches!(carried.problem, Some(Problem::Delayed { .. })), "{carried:?}");
        let carried = failed("ll-config: add b", &NOT_FOUND);
        assert!(carried.soon && matches!(carried.problem, Some(Problem::Refused { .. })), "{carried:?}");
    }

    #[test]
    fn what_a_person_must_mend_is_told_before_what_will_pass() {
        let all = [PASSES, INVALID].map(|error| failed("a step", &error));
        let done = Carried { changed: true, ..Carried::default() };
        let carried = all.into_iter().fold(done, Carried::and);
        assert!(carried.changed && carried.soon);
        assert_eq!(carried.problem.unwrap().reason(), "ConfigInvalid");
    }
}
