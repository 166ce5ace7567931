//! The operator's pass, without the wire: what it sees, what it writes, and where it may be killed.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use k8s_openapi::api::apps::v1::ControllerRevision;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use kogge_api::worker_cluster::AllowedNamespaces;
use kogge_api::{FederatedCluster, FederatedClusterStatus, SYSTEM_NAMESPACE, gate};
use kogge_federated_cluster::acceptance::{self, Rendered};
use kogge_federated_cluster::report::{self, Observed, Problem, soaking_for};
use kogge_federated_cluster::revisions::Kept;
use kogge_federated_cluster::secrets::{self, DatabaseSecrets, Mounted, UsersStep, Wanted};
use kogge_federated_cluster::{DatabasePlan, Identity, Observation, Prepared, Sighting, accepted_epoch, plan};
use kogge_mongo::{PodName, Topology};
use kogge_plan::ownership::Verdict;
use kogge_plan::placement::RegisteredWorker;
use kogge_plan::{Action, FleetView, WorkerName};

use super::servers::Question;
use super::{Answer, CONTROL_UID, ID, World, laws};

/// What a pass found.
pub(crate) enum Look {
    /// It cannot go on.
    Blocked { problem: Problem, status: Box<FederatedClusterStatus> },
    /// Something is to be written in the control cluster first.
    Due(Due),
    /// What is to be done.
    Planned(Box<Planned>),
}

/// A write in the control cluster that comes before anything on a worker.
pub(crate) enum Due {
    ClusterId,
    Revision(Box<ControllerRevision>),
    Secrets(Box<DatabaseSecrets>),
    Epoch(Box<FederatedClusterStatus>),
}

pub(crate) struct Planned {
    pub(crate) plan: DatabasePlan,
    pub(crate) status: FederatedClusterStatus,
    /// Why the spec is not carried out.
    pub(crate) problem: Option<Problem>,
    /// Whether every worker that the spec names was seen live and complete.
    pub(crate) seen: bool,
    /// The next step of a rotation.
    pub(crate) next_secrets: Option<DatabaseSecrets>,
}

/// How far the operator comes in a pass.
#[derive(Clone, Debug)]
pub(crate) enum Fate {
    Lives,
    /// It is killed after so many writes on each worker and so many steps; the status is never written.
    Killed {
        writes: Vec<usize>,
        steps: usize,
    },
}

impl Look {
    pub(crate) fn planned(&self) -> Option<&Planned> {
        match self {
            Self::Planned(planned) => Some(planned),
            Self::Blocked { .. } | Self::Due(_) => None,
        }
    }

    /// Why a pass does not go on.
    pub(crate) fn problem(&self) -> &Problem {
        match self {
            Self::Blocked { problem, .. } => problem,
            Self::Planned(planned) => planned.problem.as_ref().unwrap(),
            Self::Due(_) => panic!("the control cluster is to be written first"),
        }
    }
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

impl World {
    /// One pass of the operator, as far as it comes.
    pub(crate) fn pass(&mut self, fate: &Fate) -> Look {
        self.passes += 1;
        let look = self.look(None);
        match &look {
            Look::Blocked { status, .. } => self.tell(status),
            Look::Due(due) => self.do_first(due),
            Look::Planned(planned) => {
                laws::of_plan(self, planned);
                let carried = self.carry_out(&planned.plan, fate);
                if matches!(fate, Fate::Lives) {
                    match carried {
                        Some(problem) => {
                            let again = self.look(Some(problem));
                            self.tell(&again.planned().unwrap().status);
                        }
                        None => self.tell(&planned.status),
                    }
                    if let Some(next) = &planned.next_secrets {
                        self.keep(next);
                    }
                }
            }
        }
        look
    }

    /// What the operator makes of what it sees; `carried` is what went wrong as it carried its plan out.
    pub(crate) fn look(&self, carried: Option<Problem>) -> Look {
        let cluster = &self.cluster;
        let fleet = self.fleet();
        let sighting = Sighting::of(cluster, &self.registered(), &fleet, CONTROL_UID);
        if let Some(problem) = sighting.problem() {
            return self.blocked(problem);
        }
        let Some(identity) = sighting.identity() else { return Look::Due(Due::ClusterId) };
        let kept = self.kept();
        let verdict = &sighting.ownership.overall;
        let held = self.secrets.as_ref().map(|secret| DatabaseSecrets::read(secret).unwrap());
        if held.is_none() && *verdict != Verdict::New {
            return self.blocked(secrets::lost(&identity.id, SYSTEM_NAMESPACE));
        }
        let wanted = Wanted::new(&identity, &cluster.spec, self.given.clone());
        let mounted = match &held {
            Some(secrets) => secrets.mounted(),
            None => Mounted::first(cluster.spec.security.tls.mode),
        };
        let Rendered { rollout, problem } = match self.render(&identity, &kept, mounted) {
            Ok(rendered) => rendered,
            Err(problem) => return self.blocked(problem),
        };
        let epoch = accepted_epoch(cluster, verdict, problem.is_some()).unwrap().unwrap();
        if problem.is_none() && !kept.holds(&rollout) {
            let object = kept.object(&rollout, &identity.id, SYSTEM_NAMESPACE).unwrap();
            return Look::Due(Due::Revision(Box::new(object)));
        }
        let mut mint = self.mint.borrow_mut();
        let Some(secrets) = held else {
            let made = DatabaseSecrets::begin(&wanted, &mut *mint).unwrap();
            return Look::Due(Due::Secrets(Box::new(made)));
        };
        if let Some(completed) = secrets.completed(&wanted, &mut *mint).unwrap() {
            return Look::Due(Due::Secrets(Box::new(completed)));
        }
        let mut status = cluster.status.clone().unwrap_or_default();
        if !epoch.is_recorded(status.epoch, status.spec_hash.as_deref()) {
            status.cluster_id = Some(identity.id.clone());
            (status.epoch, status.spec_hash) = (Some(epoch.number), Some(epoch.spec_hash.clone()));
            status.chart_version.get_or_insert_with(|| rollout.chart_version.clone());
            return Look::Due(Due::Epoch(Box::new(status)));
        }
        let prepared = Observation {
            cluster,
            identity: &identity,
            control_uid: CONTROL_UID,
            epoch: &epoch,
            fleet: &fleet,
            placements: &sighting.placements,
            ownership: &sighting.ownership,
            rollout: &rollout,
            kept: &kept,
            secrets: &secrets,
            held: problem.is_some(),
        }
        .prepare()
        .unwrap();
        let topology = self.topology(&prepared);
        let now = self.clock();
        let mut plan = plan(&prepared, &topology, self.now, soaking_for(cluster, &now)).unwrap();
        if let Some(turns) = &self.turns {
            let waiting = turns.borrow_mut().ask(&identity.id, plan.demand(&prepared), self.now);
            plan.hold_back(&prepared, waiting);
        }
        let problem = Problem::most_pressing(problem.into_iter().chain(carried));
        let observed = Observed { prepared: &prepared, plan: &plan, problem: problem.as_ref(), now: &now };
        let status = report::report(&observed);
        let seen =
            sighting.is_complete(&fleet) && sighting.placements.resolved.len() == cluster.spec.placement.len();
        let next_users = self.next_users(&secrets, plan.is_settled());
        let next_users = next_users.or_else(|| secrets.reloading.then(|| secrets.with_certificates_served()));
        let next_secrets = if next_users.is_none() && problem.is_none() && plan.has_one_generation(&prepared) {
            secrets.advanced(&wanted, now.0.as_second(), plan.reloads_certificates(&topology), &mut *mint).unwrap()
        } else {
            next_users
        };
        Look::Planned(Box::new(Planned { plan, status, problem, seen, next_secrets }))
    }

    /// The secrets after the users' next step, which the servers of this world take at once.
    fn next_users(&self, secrets: &DatabaseSecrets, settled: bool) -> Option<DatabaseSecrets> {
        let now = self.clock().0.as_second();
        match secrets.users_step(self.cluster.spec.security.rotation.grace.into(), now)? {
            UsersStep::Create(_) => settled.then(|| secrets.with_next_users()),
            UsersStep::BeginGrace => Some(secrets.with_grace_from(now)),
            UsersStep::Remove(_) => Some(secrets.without_previous_users()),
        }
    }

    /// Now, for people.
    pub(crate) fn clock(&self) -> Time {
        let since = SignedDuration::from_millis(i64::try_from(self.now).unwrap());
        Time(Timestamp::constant(1_767_225_600, 0).checked_add(since).unwrap())
    }

    fn blocked(&self, problem: Problem) -> Look {
        let status = report::blocked(&self.cluster, &problem, &self.clock());
        Look::Blocked { problem, status: Box::new(status) }
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

    /// What is kept, read anew only where it changed: that takes most of a pass.
    fn kept(&self) -> Rc<Kept> {
        let numbers: Vec<i64> = self.revisions.iter().map(|stored| stored.revision).collect();
        let mut read = self.read.borrow_mut();
        if let Some((of, kept)) = &*read
            && *of == numbers
        {
            return Rc::clone(kept);
        }
        let kept = Rc::new(Kept::read(&self.revisions).unwrap());
        *read = Some((numbers, Rc::clone(&kept)));
        kept
    }

    /// Renders, or tells what came of the same rendering before.
    fn render(&self, identity: &Identity, kept: &Kept, mounted: Mounted) -> Result<Rendered, Problem> {
        let inputs =
            serde_json::to_string(&(&self.cluster.spec, self.revisions.len(), &self.status().chart_version));
        let inputs = format!("{} {mounted:?}", inputs.unwrap());
        let mut rendered = self.rendered.borrow_mut();
        if let Some((of, result)) = &*rendered
            && *of == inputs
        {
            return result.clone();
        }
        let chart = acceptance::chart(&self.cluster, &self.charts);
        let result = acceptance::render(&self.cluster, identity, kept, chart, "1.34.4", gate::IMAGE, mounted);
        *rendered = Some((inputs, result.clone()));
        result
    }

    fn topology(&self, prepared: &Prepared<'_>) -> Topology {
        let running = self.running();
        // A connection goes to the pod that was seen, and to no other of its name.
        let servers = prepared.servers();
        let reached = servers.iter().filter(|(pod, seen)| running.get(*pod).is_some_and(|uid| uid == seen.uid));
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

    fn do_first(&mut self, due: &Due) {
        match due {
            Due::ClusterId => self.edit(|spec| spec.cluster_id = Some(ID.parse().unwrap())),
            Due::Revision(object) => self.revisions.push((**object).clone()),
            Due::Secrets(made) => self.keep(made),
            Due::Epoch(status) => self.tell(status),
        }
    }

    fn keep(&mut self, secrets: &DatabaseSecrets) {
        self.secrets = Some(secrets.to_secret(&ID.parse().unwrap(), SYSTEM_NAMESPACE).unwrap());
    }

    /// Writes the status, as the API server gives it back.
    fn tell(&mut self, status: &FederatedClusterStatus) {
        let mut value = serde_json::to_value(&self.cluster).unwrap();
        value["status"] = serde_json::to_value(status).unwrap();
        self.cluster = serde_json::from_value::<FederatedCluster>(value).unwrap();
    }

    /// Carries a plan out as the operator does: workers side by side, each in order; then steps and restarts.
    fn carry_out(&mut self, plan: &DatabasePlan, fate: &Fate) -> Option<Problem> {
        if let Some(problem) = self.rehearse(&plan.rehearsal) {
            return Some(problem);
        }
        let mut problems: Vec<Problem> = self.write(&plan.actions, fate).into_iter().collect();
        for step in plan.steps.iter().take(fate.steps()) {
            laws::of_step(self, step);
            if let Some(problem) = self.refused.get(step.action.name()) {
                problems.push(problem.clone());
                continue;
            }
            self.servers.take(step);
            self.steps.push((self.passes, step.clone()));
        }
        let restarts = &plan.restarts[..plan.restarts.len().min(fate.steps())];
        for restart in restarts {
            laws::of_restart(self, restart);
        }
        problems.extend(self.write(restarts, fate));
        Problem::most_pressing(problems)
    }

    /// A rollout that fails its rehearsal changes nothing.
    fn rehearse(&self, actions: &[Action]) -> Option<Problem> {
        actions.iter().find_map(|action| {
            let Action::Apply { worker, object, precondition, .. } = action else { return None };
            match self.workers[worker].rehearse(object, precondition) {
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
