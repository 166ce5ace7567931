//! The order in which a plan is carried out: rehearsed, written, the members' steps, the restarts.

use std::borrow::Cow;

use kogge_engine::{Engine, Millis, Step};
use kogge_plan::Action;

use crate::pass::Carried;
use crate::plan::{DatabasePlan, upkeep};

/// A pod is deleted only while what its restart was planned on is this young: slow writes and steps come before it, and
/// another member may have died since.
const RESTART_WITHIN: Millis = 10_000;

/// A part of a plan. What came of it is said before the next one is asked for.
#[derive(Debug, PartialEq)]
pub enum Part<'p, A> {
    /// To be applied as a dry run.
    Rehearse(&'p [Action]),
    /// To be written to the workers, to all at once and in order on each.
    Write(Cow<'p, [Action]>),
    /// To be taken on the members, all at once.
    Take(&'p [Step<A>]),
    /// Pods to be deleted, so that they are made again.
    Restart(&'p [Action]),
}

#[derive(Clone, Copy)]
enum Stage {
    Rehearsal,
    Writes,
    Steps,
    Restarts,
    Over,
}

/// A plan that is being carried out.
pub struct Carrying<'p, A> {
    rehearsal: &'p [Action],
    rehearsal_binds: bool,
    writes: &'p [Action],
    steps: &'p [Step<A>],
    restarts: &'p [Action],
    stage: Stage,
    carried: Carried,
}

impl<'p, A> Carrying<'p, A> {
    /// A plan that nothing of was carried out yet.
    pub fn of<E: Engine<Action = A>>(plan: &'p DatabasePlan<E>) -> Self {
        let DatabasePlan { rehearsal, rehearsal_binds, actions, steps, restarts, .. } = plan;
        Self { rehearsal_binds: *rehearsal_binds, ..Self::new(rehearsal, actions, steps, restarts) }
    }

    fn new(rehearsal: &'p [Action], writes: &'p [Action], steps: &'p [Step<A>], restarts: &'p [Action]) -> Self {
        Self {
            rehearsal,
            rehearsal_binds: true,
            writes,
            steps,
            restarts,
            stage: Stage::Rehearsal,
            carried: Carried::default(),
        }
    }

    /// What comes next; none at the end. `age` is how long ago that was observed which the plan rests on. A rollout that
    /// fails its rehearsal changes nothing, and members find each other all the same.
    pub fn next(&mut self, age: Millis) -> Option<Part<'p, A>> {
        match self.stage {
            Stage::Rehearsal => {
                self.stage = Stage::Writes;
                Some(Part::Rehearse(self.rehearsal))
            }
            Stage::Writes if self.carried.problem.is_some() => {
                self.stage = Stage::Over;
                Some(Part::Write(Cow::Owned(upkeep(self.writes))))
            }
            Stage::Writes => {
                self.stage = Stage::Steps;
                Some(Part::Write(Cow::Borrowed(self.writes)))
            }
            Stage::Steps => {
                self.stage = Stage::Restarts;
                Some(Part::Take(self.steps))
            }
            Stage::Restarts if age > RESTART_WITHIN => {
                self.stage = Stage::Over;
                self.carried.changed |= !self.restarts.is_empty();
                None
            }
            Stage::Restarts => {
                self.stage = Stage::Over;
                Some(Part::Restart(self.restarts))
            }
            Stage::Over => None,
        }
    }

    /// What came of the last part. A rehearsal changes nothing, and what does not bind is told by the write itself.
    pub fn came_of(&mut self, part: Carried) {
        let rehearsed = matches!(self.stage, Stage::Writes);
        if rehearsed && !self.rehearsal_binds {
            return;
        }
        let part = Carried { changed: part.changed && !rehearsed, ..part };
        self.carried = std::mem::take(&mut self.carried).and(part);
    }

    /// What came of all of it.
    pub fn over(self) -> Carried {
        self.carried
    }
}

#[cfg(test)]
mod tests {
    use kogge_engine::{Executor, GroupName};
    use kogge_plan::{ObjectKey, WorkerName};

    use super::*;
    use crate::problem::Problem;

    fn deletion(kind: &str, name: &str) -> [Action; 1] {
        [Action::Delete {
            worker: WorkerName("w".to_owned()),
            key: ObjectKey::namespaced("v1", kind, "databases", name),
            uid: "uid".to_owned(),
            resource_version: None,
            why: String::new(),
        }]
    }

    fn step() -> [Step<()>; 1] {
        [Step {
            group: GroupName::new("g"),
            name: "StepDown",
            what: String::new(),
            reason: String::new(),
            waits_for: String::new(),
            executor: Executor::Client,
            burdens: None,
            payload: (),
        }]
    }

    fn failed() -> Carried {
        let problem = Problem::Failed { reason: "Quota".to_owned(), message: String::new() };
        Carried { problem: Some(problem), ..Carried::default() }
    }

    fn done() -> Carried {
        Carried { changed: true, ..Carried::default() }
    }

    #[test]
    fn a_plan_is_rehearsed_written_taken_and_then_pods_are_restarted() {
        let (dry, writes, pods) = (deletion("Secret", "a"), deletion("Secret", "b"), deletion("Pod", "c"));
        let steps = step();
        let mut carrying = Carrying::new(&dry, &writes, &steps, &pods);
        assert_eq!(carrying.next(0), Some(Part::Rehearse(&dry)));
        carrying.came_of(done());
        assert_eq!(carrying.next(0), Some(Part::Write(Cow::Borrowed(&writes))));
        carrying.came_of(failed());
        assert_eq!(carrying.next(0), Some(Part::Take(&steps)), "one write that fails holds up no member");
        carrying.came_of(Carried::default());
        assert_eq!(carrying.next(RESTART_WITHIN), Some(Part::Restart(&pods)));
        carrying.came_of(Carried::default());
        assert_eq!(carrying.next(0), None);
        assert_eq!(carrying.over(), failed(), "a rehearsal changes nothing");
    }

    #[test]
    fn a_rehearsal_that_fails_leaves_the_names_alone_to_be_written() {
        let (dry, pods) = (deletion("Secret", "a"), deletion("Pod", "c"));
        let [names] = deletion("EndpointSlice", "names");
        let writes = [deletion("Secret", "b"), [names.clone()]].concat();
        let steps = step();
        let mut carrying = Carrying::new(&dry, &writes, &steps, &pods);
        carrying.next(0);
        carrying.came_of(failed());
        assert_eq!(carrying.next(0), Some(Part::Write(Cow::Owned(vec![names]))));
        carrying.came_of(done());
        assert_eq!(carrying.next(0), None);
        assert_eq!(carrying.over(), Carried { changed: true, ..failed() });
    }

    #[test]
    fn field_38_a_new_database_is_rehearsed_for_its_warnings_alone() {
        let (dry, writes) = (deletion("Secret", "a"), deletion("Secret", "b"));
        let new = Carrying::<()>::new(&dry, &writes, &[], &[]);
        let mut carrying = Carrying { rehearsal_binds: false, ..new };
        assert_eq!(carrying.next(0), Some(Part::Rehearse(&dry)));
        carrying.came_of(failed());
        assert_eq!(carrying.next(0), Some(Part::Write(Cow::Borrowed(&writes))));
    }

    #[test]
    fn no_pod_is_restarted_on_what_was_observed_too_long_ago() {
        let pods = deletion("Pod", "c");
        let mut carrying = Carrying::<()>::new(&[], &[], &[], &pods);
        for _ in 0..3 {
            assert!(carrying.next(RESTART_WITHIN + 1).is_some());
            carrying.came_of(Carried::default());
        }
        assert_eq!(carrying.next(RESTART_WITHIN + 1), None);
        assert!(carrying.over().changed, "it is observed again at once");
    }
}
