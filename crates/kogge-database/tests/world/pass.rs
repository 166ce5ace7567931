//! Drives the operator's own pass through this world: its reads and writes, its members, and where it may be killed.

use std::collections::{BTreeMap, BTreeSet};

use kogge_api::SYSTEM_NAMESPACE;
use kogge_api::worker_cluster::AllowedNamespaces;
use kogge_database::carrying::{Carrying, Part};
use kogge_database::pass::{Again, Carried, Look, MembersAnswer, Read, Start, Then, Write, next};
use kogge_database::report::{self, Problem};
use kogge_database::{Named, Rival};
use kogge_engine::{Database, Engine as _, PodName, Step as EngineStep};
use kogge_plan::placement::RegisteredWorker;
use kogge_plan::{Action, FleetView, WorkerName};

use super::control::ControlFault;
use super::mint::WorldMint;
use super::{
    Answer, CONTROL_UID, DatabasePlan, Kind, Known, Prepared, Question, Resource, Step, Topology, World, laws,
};

/// More questions than any pass has.
const QUESTIONS: usize = 64;

/// How far the operator comes in a pass.
#[derive(Clone, Debug)]
pub(crate) enum Fate {
    Lives,
    /// It is killed after so many writes on each worker and so many steps, before anything that follows.
    Killed {
        writes: Vec<usize>,
        steps: usize,
    },
}

impl Fate {
    fn writes(&self, worker: usize) -> usize {
        match self {
            Self::Lives => usize::MAX,
            Self::Killed { writes, .. } => writes.get(worker).copied().unwrap_or_default(),
        }
    }

    fn steps(&self) -> usize {
        match self {
            Self::Lives => usize::MAX,
            Self::Killed { steps, .. } => *steps,
        }
    }
}

/// What came of a pass.
#[derive(Default)]
pub(crate) struct Passed {
    /// The plan, where the members were asked.
    pub(crate) plan: Option<DatabasePlan>,
    /// What was read in the control cluster.
    pub(crate) reads: Vec<Read>,
    /// How many writes the control cluster was asked for.
    pub(crate) control_writes: usize,
    /// Whether any of them was more than the status.
    pub(crate) wrote_beside_status: bool,
    /// Why it failed.
    pub(crate) failed: Option<String>,
    /// When the next one comes; none where it did not end by itself.
    pub(crate) again: Option<Again>,
}

impl Passed {
    /// Nothing was left to do.
    pub(crate) fn is_settled(&self) -> bool {
        self.plan.as_ref().is_some_and(DatabasePlan::is_settled)
            && self.control_writes == 0
            && self.failed.is_none()
    }
}

/// Why a pass ended early.
enum End {
    Killed,
    Failed {
        reason: String,
        message: String,
    },
    /// The operator reads again and says nothing of it.
    Stale,
}

impl From<ControlFault> for End {
    fn from(fault: ControlFault) -> Self {
        match fault {
            ControlFault::Stale => Self::Stale,
            ControlFault::Silent => {
                Self::Failed { reason: "ControlClusterSilent".to_owned(), message: "no answer".to_owned() }
            }
        }
    }
}

impl World {
    /// One pass of the operator, as far as it comes.
    pub(crate) fn pass(&mut self, fate: &Fate) -> Passed {
        self.passes += 1;
        let mut passed = Passed::default();
        let Some(cluster) = self.cluster_read() else { return passed };
        let database = Kind::database(&cluster);
        if let Err(End::Failed { reason, message }) = self.drive(&cluster, &database, fate, &mut passed) {
            let status = report::failed(&database, &reason, &message, &self.clock());
            passed.failed = Some(reason);
            if let Some(write) = Write::status(&database, status) {
                // Where the control cluster does not take it, the next pass says it.
                let _unwritten = self.write_control(&cluster, &write);
            }
        }
        if passed.plan.is_some() && passed.failed.is_none() && matches!(fate, Fate::Lives) {
            laws::of_status(self, &passed);
        }
        passed
    }

    fn drive(
        &mut self,
        cluster: &Resource,
        database: &Database,
        fate: &Fate,
        passed: &mut Passed,
    ) -> Result<(), End> {
        let (fleet, workers, now) = (self.fleet(), self.registered(), self.clock());
        let rivals = self.rivals(database);
        let mut known = Known::new(Start {
            database,
            spec: Kind::spec(cluster),
            workers: &workers,
            rivals: &rivals,
            fleet: &fleet,
            control_uid: CONTROL_UID,
            system_namespace: SYSTEM_NAMESPACE,
            settling_in: self.settling_in,
            now: &now,
            clock: self.now,
        });
        let mut mint = std::mem::take(&mut self.mint);
        let ended = self.answer(cluster, &mut known, &mut mint, fate, passed);
        self.mint = mint;
        passed.plan = known.asked.and_then(|asked| asked.plan);
        ended
    }

    fn answer(
        &mut self,
        cluster: &Resource,
        known: &mut Known<'_>,
        mint: &mut WorldMint,
        fate: &Fate,
        passed: &mut Passed,
    ) -> Result<(), End> {
        for _ in 0..QUESTIONS {
            let look = next(known, mint);
            let look = look
                .map_err(|error| End::Failed { reason: error.reason().to_owned(), message: error.to_string() })?;
            match look {
                Look::Read(what) => {
                    self.read_control(&what, &mut known.control)?;
                    passed.reads.push(what);
                }
                Look::Render(input) => known.rendered = Some(self.render(&input)),
                Look::Ask(ready) => {
                    let topology = self.topology(&ready.prepared);
                    known.answered(*ready, topology);
                }
                Look::Queue(plan) => {
                    let asked = known.asked.as_ref().unwrap();
                    let prepared = &asked.ready.prepared;
                    let id = &prepared.observation.identity.id;
                    let waiting = self
                        .turns
                        .as_ref()
                        .map(|turns| turns.borrow_mut().ask(id, plan.demand(prepared), self.now));
                    known.queued(*plan, waiting.unwrap_or_default());
                }
                Look::CarryOut => {
                    let plan = known.asked.as_ref().unwrap().plan.as_ref().unwrap();
                    laws::of_plan(self, plan);
                    let carried = self.carry_out(plan, fate);
                    if matches!(fate, Fate::Killed { .. }) {
                        return Err(End::Killed);
                    }
                    known.carried(carried);
                }
                Look::Explain(missing) => {
                    let why = missing.into_iter().filter_map(|set| {
                        let words = self.workers[&set.worker].refuses_pods?;
                        Some((set, words.to_owned()))
                    });
                    known.explained(why.collect());
                }
                Look::Members(work) => known.worked(&work, MembersAnswer::Done),
                Look::TearDown(plan) => {
                    laws::of_teardown(self);
                    self.write(&plan.actions, fate);
                    if matches!(fate, Fate::Killed { .. }) {
                        return Err(End::Killed);
                    }
                    known.control.torn_down = true;
                }
                Look::Write(write, then) => {
                    passed.control_writes += 1;
                    if !matches!(*write, Write::Status { .. }) {
                        passed.wrote_beside_status = true;
                    }
                    self.write_control(cluster, &write)?;
                    match then {
                        Then::GoOn => known.written(*write),
                        Then::End(again) => {
                            passed.again = Some(again);
                            return Ok(());
                        }
                    }
                }
                Look::Done(again) => {
                    passed.again = Some(again);
                    return Ok(());
                }
            }
        }
        panic!("the pass asks without end");
    }

    /// The other resources, as the operator's stores show them.
    fn rivals(&self, database: &Database) -> Vec<Rival> {
        let others = self.others.iter().map(Kind::database).chain(self.of_other_kinds.clone());
        let near = others.filter(|other| Rival::can_meet(Named::from(database), Named::from(other)));
        near.map(|other| Rival::of(&other)).collect()
    }

    fn fleet(&self) -> FleetView {
        FleetView { workers: self.workers.iter().map(|(name, worker)| (name.clone(), worker.view())).collect() }
    }

    fn registered(&self) -> Vec<RegisteredWorker> {
        let workers = self.workers.values();
        workers
            .map(|worker| RegisteredWorker {
                name: worker.name.clone(),
                vdc: worker.vdc.clone(),
                uid: worker.view().uid,
                cluster_domain: "cluster.local".to_owned(),
                allowed_namespaces: AllowedNamespaces {
                    names: Some(vec![worker.allowed_namespace.clone()]),
                    all: None,
                },
                suspended: worker.suspended,
                not_ready: worker.silent.then(|| "it does not answer".to_owned()),
            })
            .collect()
    }

    fn topology(&mut self, prepared: &Prepared<'_>) -> Topology {
        let running = self.running();
        // A connection goes to the pod that was seen, and to no other of its name.
        let servers = prepared.servers();
        laws::of_question(self, servers.values().map(|seen| seen.worker));
        let reached =
            servers.iter().filter(|(pod, seen)| running.get(*pod).is_some_and(|runs| runs.uid() == seen.uid));
        let reached: BTreeSet<PodName> = reached.map(|(pod, _)| pod.clone()).collect();
        let running = running.into_keys().collect();
        let question = Question {
            goal: &prepared.goal,
            pods: &prepared.pods,
            reached: &reached,
            running: &running,
            now: self.now,
        };
        self.servers.observe(&question)
    }

    /// Carries a plan out in the operator's order: workers side by side, each in order.
    fn carry_out(&mut self, plan: &DatabasePlan, fate: &Fate) -> Carried {
        let mut carrying = Carrying::of(plan);
        while let Some(part) = carrying.next(0) {
            let problem = match part {
                Part::Rehearse(actions) => self.rehearse(actions),
                Part::Write(actions) => self.write(&actions, fate),
                Part::Take(steps) => self.take(&steps[..steps.len().min(fate.steps())]),
                Part::Restart(restarts) => {
                    let restarts = &restarts[..restarts.len().min(fate.steps())];
                    for restart in restarts {
                        laws::of_restart(self, restart);
                    }
                    self.write(restarts, fate)
                }
            };
            carrying.came_of(Carried { changed: !plan.is_idle(), soon: false, problem });
        }
        carrying.over()
    }

    fn take(&mut self, steps: &[EngineStep<Step>]) -> Option<Problem> {
        let mut problems = Vec::new();
        for step in steps {
            laws::of_step(self, &step.payload);
            if let Some(problem) = self.refused.get(step.name) {
                problems.push(problem.clone());
                continue;
            }
            self.servers.take(&step.payload);
            self.steps.push((self.passes, step.payload.clone()));
        }
        Problem::most_pressing(problems)
    }

    /// What the API servers say to a rollout that is only tried.
    fn rehearse(&self, actions: &[Action]) -> Option<Problem> {
        actions.iter().find_map(|action| {
            let Action::Apply { worker, object, precondition, .. } = action else { return None };
            match self.workers[worker].rehearse(object, precondition) {
                Answer::Done if !self.workers[worker].rehearses => Some(refused("WebhookWithoutDryRun", action)),
                Answer::Refused(reason) => Some(refused(reason, action)),
                Answer::Done | Answer::Stale | Answer::Lost => None,
            }
        })
    }

    fn write(&mut self, actions: &[Action], fate: &Fate) -> Option<Problem> {
        let mut by_worker: BTreeMap<&WorkerName, Vec<&Action>> = BTreeMap::new();
        for action in actions {
            by_worker.entry(action.worker()).or_default().push(action);
        }
        let epoch = self.status().epoch;
        let mut problem = None;
        for (index, (name, actions)) in by_worker.into_iter().enumerate() {
            for action in actions.into_iter().take(fate.writes(index)) {
                laws::of_write(self, &self.workers[name], action, epoch);
                let worker = self.workers.get_mut(name).unwrap();
                let answer = worker.execute(action);
                self.writes.push((self.passes, action.clone()));
                match answer {
                    Answer::Done => {}
                    Answer::Stale | Answer::Lost => break,
                    Answer::Refused(reason) => problem = problem.or(Some(refused(reason, action))),
                }
            }
        }
        problem
    }
}

fn refused(reason: &str, action: &Action) -> Problem {
    Problem::Failed { reason: reason.to_owned(), message: action.to_string() }
}
