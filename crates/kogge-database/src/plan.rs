//! The plan of one pass: everything that is to be written, in order, and why.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use kogge_api::anchor::Anchor;
use kogge_engine::{ComponentKey, Engine, EngineView, Executor, GroupName, Millis, Record as _, Share, Step};
use kogge_plan::diff::{Comparison, Refusal, compare};
use kogge_plan::drift::Drift;
use kogge_plan::prune::{ApprovalNeeded, PruneFacts, Released, prune};
use kogge_plan::rollout::{Pace, RolloutPlan, UseRevision, plan_rollout};
use kogge_plan::teardown::teardown;
use kogge_plan::{Action, Object, ObjectKey, WorkerName, WorkerView, anchors, order, workload};

use crate::desired::{self, DesiredError};
use crate::missing_pods::MissingPods;
use crate::observation::{ObservationError, holds_a_part};
use crate::pods::{component_of, rank};
use crate::prepared::Prepared;
use crate::rehearsal::rehearsal;
use crate::restart::restart;
use crate::shares;

/// What one pass found and what it does about it.
pub struct DatabasePlan<E: Engine> {
    /// Writes to workers, by worker and in order. Anchors come first.
    pub actions: Vec<Action>,
    /// What a rollout that has not begun will apply, to be applied as a dry run before anything else.
    pub rehearsal: Vec<Action>,
    /// Whether nothing but names is written where the rehearsal fails.
    pub rehearsal_binds: bool,
    /// What approves the rollout without its rehearsal on a worker.
    pub waivers: BTreeMap<WorkerName, String>,
    /// Steps that the engine takes on its members. None while an anchor is still to be written.
    pub steps: Vec<Step<E::Action>>,
    /// Pods that are deleted so that they are made again.
    pub restarts: Vec<Action>,
    /// Fields on workers that are not as Kogge applied them, by others' doing.
    pub drift: Vec<Drift>,
    /// What is not written, and why.
    pub refusals: Vec<(WorkerName, Refusal)>,
    /// Shares that cannot be written, and why.
    pub errors: Vec<DesiredError>,
    /// Deletions that wait for a person.
    pub approvals: Vec<ApprovalNeeded>,
    /// Why pods are not made, by their StatefulSets, in their controllers' words.
    pub pod_failures: BTreeMap<MissingPods, String>,
    /// Groups that would begin a sync or a restart and wait for their turn.
    pub in_queue: BTreeSet<GroupName>,
    /// What has left the database for good and still stands, by worker, in words.
    pub leaving: BTreeMap<WorkerName, String>,
    /// What the engine makes of its members.
    pub engine: EngineView<E::Action>,
    /// Where the rollout stands.
    pub rollout: RolloutPlan,
    /// What every worker should hold.
    pub desired: BTreeMap<WorkerName, BTreeMap<ObjectKey, Object>>,
}

impl<E: Engine> DatabasePlan<E> {
    /// Whether every pod of the database was seen, and runs what the present generation of the secrets was
    /// rendered to.
    pub fn has_one_generation(&self, prepared: &Prepared<'_, E>) -> bool {
        self.is_settled() && self.rollout.current.is_none() && prepared.observation.unseen().is_empty()
    }

    /// Nothing is written, asked of members or restarted by it.
    pub fn is_idle(&self) -> bool {
        self.actions.is_empty() && self.steps.is_empty() && self.restarts.is_empty()
    }

    /// Nothing to do and nothing in the way.
    pub fn is_settled(&self) -> bool {
        let Self {
            actions: _,
            rehearsal: _,
            rehearsal_binds: _,
            waivers: _,
            steps: _,
            restarts: _,
            drift: _,
            refusals,
            errors,
            approvals,
            pod_failures: _,
            in_queue,
            leaving,
            engine,
            rollout,
            desired: _,
        } = self;
        self.is_idle()
            && refusals.is_empty()
            && errors.is_empty()
            && approvals.is_empty()
            && in_queue.is_empty()
            && leaving.is_empty()
            && engine.is_settled()
            && !rollout.rolling
    }
}

/// Plans one pass. `topology` is what the members answered, `now` is on its clock, and `healthy_for` is how long
/// the rollout has been soaking.
pub fn plan<E: Engine>(
    prepared: &Prepared<'_, E>,
    topology: &E::Topology,
    now: Millis,
    healthy_for: Option<Duration>,
) -> Result<DatabasePlan<E>, ObservationError> {
    let observation = &prepared.observation;
    let pace = &observation.database.rollout;
    let engine = E::view(&prepared.goal, topology, now);
    let released = prepared.released(&engine);
    let rollout = plan_rollout(
        &shares::for_rollout(&prepared.placed, observation, &engine),
        &Pace {
            order: pace.order.clone(),
            soak: pace.soak.into(),
            healthy_for,
            paused: observation.paused() || observation.held,
            refused: engine.refuses_rollout.clone(),
        },
    );
    let unapproved = prepared.replacement().filter(|replacement| !replacement.is_approved);
    let rehearsal = rehearsal(prepared, &rollout);
    let mut plan = DatabasePlan {
        actions: Vec::new(),
        rehearsal: rehearsal.actions,
        rehearsal_binds: rehearsal.binds,
        waivers: rehearsal.waivers,
        steps: Vec::new(),
        restarts: Vec::new(),
        drift: Vec::new(),
        refusals: Vec::new(),
        errors: Vec::new(),
        approvals: unapproved.map(|replacement| replacement.approval).into_iter().collect(),
        pod_failures: BTreeMap::new(),
        in_queue: BTreeSet::new(),
        leaving: BTreeMap::new(),
        engine,
        rollout,
        desired: BTreeMap::new(),
    };
    plan.desire(prepared)?;
    plan.act(prepared, &released);
    Ok(plan)
}

impl<E: Engine> DatabasePlan<E> {
    /// What every worker should hold.
    fn desire(&mut self, prepared: &Prepared<'_, E>) -> Result<(), ObservationError> {
        let observation = &prepared.observation;
        let steps = self.engine.steps.iter().map(|step| &step.payload);
        let record =
            E::recorded(&prepared.goal, &prepared.anchor.record, steps).map_err(ObservationError::Seeds)?;
        let anchor = Anchor { record, ..prepared.anchor.clone() };
        let workers: BTreeSet<&WorkerName> = observation.placements.resolved.values().map(|p| &p.worker).collect();
        for worker in workers {
            let here = prepared.placed.iter().filter(|share| prepared.is_on(share, worker));
            let components: BTreeSet<&ComponentKey> = here.map(|share| &share.component.key).collect();
            let guarding =
                desired::guarding::<E>(&observation.identity, &anchor, &observation.secrets, &components);
            let mut objects = match guarding {
                Ok(objects) => objects,
                Err(error) => {
                    self.errors.push(error);
                    continue;
                }
            };
            for share in prepared.placed.iter().filter(|share| prepared.is_on(share, worker)) {
                let replicas = prepared.replicas_to_keep(share);
                let turn = prepared.turn_of(share, &self.rollout);
                match desired::of_share(share, replicas, turn.as_ref(), &observation.rollout, &observation.kept) {
                    Ok(more) if replicas > 0 || prepared.has_workload(share) => objects.extend(more),
                    // Other members and the routers here look the share's members up by its Service.
                    Ok(more) => objects.extend(more.into_iter().filter(is_service)),
                    Err(error) => self.errors.push(error),
                }
            }
            let mut by_key = desired::by_key(objects);
            by_key.extend(prepared.names.slices(worker));
            self.desired.insert(worker.clone(), by_key);
        }
        for worker in observation.left_over(&prepared.anchor) {
            self.desired.insert(worker.clone(), prepared.names.slices(worker));
        }
        Ok(())
    }

    fn act(&mut self, prepared: &Prepared<'_, E>, released: &Released) {
        let observation = &prepared.observation;
        let desired = std::mem::take(&mut self.desired);
        let left_over = observation.left_over(&prepared.anchor);
        // A worker that was not seen is named by its placements already.
        let writable: Vec<(&WorkerName, &WorkerView, &BTreeMap<ObjectKey, Object>)> = desired
            .iter()
            .filter(|(worker, _)| observation.ownership.may_write(worker) || left_over.contains(worker))
            .filter(|(worker, _)| observation.is_seen(worker))
            .filter_map(|(worker, objects)| Some((worker, observation.fleet.workers.get(worker)?, objects)))
            .collect();
        let is_cleared = |worker: &WorkerName, view: &WorkerView| {
            left_over.contains(worker) && prepared.holds_only(view, &released.placements)
        };
        for (worker, view, objects) in &writable {
            if is_cleared(worker, view) {
                continue;
            }
            for object in objects.values() {
                match compare(worker, object.clone(), view, observation.identity.database()) {
                    Ok(Comparison { action, drift }) => {
                        self.actions.extend(action);
                        self.drift.extend(drift);
                    }
                    Err(refusal) => self.refusals.push(((*worker).clone(), refusal)),
                }
            }
        }
        // What has left goes only once that stands in every anchor.
        let recorded = if self.awaits_anchors() { &Released::default() } else { released };
        for (worker, view, objects) in &writable {
            if is_cleared(worker, view) {
                self.clear(prepared, worker, view, recorded);
            } else {
                self.prune(prepared, worker, view, objects, recorded);
            }
        }
        self.desired = desired;
        if observation.held || observation.paused() {
            // Members must find each other whatever a person has yet to decide.
            self.actions = upkeep(&self.actions);
            // On a worker that holds nothing of the database yet nobody looks a member up.
            let view = |worker: &WorkerName| observation.fleet.workers.get(worker);
            self.actions.retain(|action| {
                view(action.worker()).is_some_and(|view| holds_a_part(view, observation.identity.database()))
            });
            self.drift.retain(|drift| !drift.is_put_back());
            return;
        }
        order::sort(&mut self.actions);
        if self.awaits_anchors() {
            return;
        }
        self.actions.extend(prepared.told_to_gates(&self.engine));
        for step in &self.engine.steps {
            match step.executor {
                Executor::Client => self.steps.push(step.clone()),
                Executor::Restart { .. } => self.restarts.extend(restart(prepared, step)),
                Executor::Anchor => {}
            }
        }
    }

    /// Whether an anchor does not stand yet as it must before anything that rests on it.
    fn awaits_anchors(&self) -> bool {
        let is_changed = |(_, refusal): &(_, Refusal)| matches!(refusal, Refusal::AnchorChanged(_));
        self.actions.iter().any(is_anchor) || self.refusals.iter().any(is_changed)
    }

    /// Takes away what is left of a database on a worker that has no placement of it any more.
    fn clear(&mut self, prepared: &Prepared<'_, E>, worker: &WorkerName, view: &WorkerView, released: &Released) {
        let observation = &prepared.observation;
        if !prepared.holds_only(view, &released.placements) {
            return;
        }
        let pinned = [(worker.clone(), view.uid.clone())].into();
        let database = observation.identity.database();
        let clearing = teardown(observation.fleet, &pinned, database, released.volumes, rank::<E>);
        self.actions.extend(clearing.actions.into_iter().map(|mut action| {
            if let Action::Delete { why, .. } = &mut action {
                "its placement has left the database".clone_into(why);
            }
            action
        }));
        self.leaving.extend(clearing.remaining);
    }

    fn prune(
        &mut self,
        prepared: &Prepared<'_, E>,
        worker: &WorkerName,
        view: &WorkerView,
        desired: &BTreeMap<ObjectKey, Object>,
        released: &Released,
    ) {
        let observation = &prepared.observation;
        let placements: BTreeSet<String> =
            observation.placements.on(worker).map(|placement| placement.name.clone()).collect();
        let pinned = placements.iter().find_map(|p| prepared.anchor.worker_uids.get(p));
        let facts = PruneFacts {
            render_complete: self.errors.is_empty(),
            anchored_uid: pinned.cloned(),
            released: released.clone(),
            placements,
            approved: prepared.requests.approved.clone(),
        };
        let keys = desired.keys().cloned().collect();
        let pruning = prune(worker, view, observation.identity.database(), &keys, &facts);
        self.actions.extend(pruning.actions);
        self.approvals.extend(pruning.approval);
        if !pruning.leaving.is_empty() {
            let names: Vec<String> = pruning.leaving.iter().map(ToString::to_string).collect();
            self.leaving.insert(worker.clone(), names.join(", "));
        }
    }
}

/// The writes that keep members findable, which go on whatever else a person has yet to mend.
pub(crate) fn upkeep(actions: &[Action]) -> Vec<Action> {
    actions.iter().filter(|action| is_mirrored(action)).cloned().collect()
}

/// The deletions that take what has left the database away, with its members or its data.
pub fn departures(actions: &[Action]) -> impl Iterator<Item = &Action> {
    let guarded = ["Deployment", "PersistentVolumeClaim", "StatefulSet"];
    actions
        .iter()
        .filter(move |action| matches!(action, Action::Delete { key, .. } if guarded.contains(&key.kind.as_str())))
}

fn is_mirrored(action: &Action) -> bool {
    let key = match action {
        Action::Apply { object, .. } => ObjectKey::of(object),
        Action::Delete { key, .. } => Some(key.clone()),
    };
    key.is_some_and(|key| key.kind == "EndpointSlice")
}

fn is_service(object: &Object) -> bool {
    object.types.as_ref().is_some_and(|types| types.kind == "Service")
}

fn is_anchor(action: &Action) -> bool {
    matches!(action, Action::Apply { object, .. } if anchors::is_anchor(object))
}

impl<E: Engine> Prepared<'_, E> {
    /// The template that a share is to have. A component that goes keeps the one that it has.
    fn turn_of(&self, share: &Share, turn: &RolloutPlan) -> Option<UseRevision> {
        let key = share.key();
        turn.use_revision.get(&key).cloned().or_else(|| {
            let observation = &self.observation;
            let view = observation.placements.view(observation.fleet, &key.placement)?;
            let standing = workload::workload(view, observation.identity.database(), &key)?;
            self.retired.contains(&share.component).then_some(())?;
            Some(UseRevision::Keep(workload::template_revision(standing)?.to_owned()))
        })
    }

    /// The pods that a share keeps: what the spec asks for, and members that still leave.
    pub fn replicas_to_keep(&self, share: &Share) -> u32 {
        let identity = &self.observation.identity;
        let leaving = self
            .anchor
            .record
            .members()
            .map(|(pod, _)| pod)
            .filter(|pod| component_of::<E>(identity, pod).as_ref() == Some(&share.component))
            .filter(|pod| identity.is_in(&share.component.key, pod, &share.placement))
            .filter_map(|pod| pod.rsplit('-').next()?.parse::<u32>().ok())
            .map(|ordinal| ordinal + 1);
        leaving.chain([share.replicas]).max().unwrap_or(share.replicas)
    }

    fn is_on(&self, share: &Share, worker: &WorkerName) -> bool {
        let resolved = self.observation.placements.resolved.get(&share.placement);
        resolved.is_some_and(|placement| placement.worker == *worker)
    }

    pub(crate) fn has_workload(&self, share: &Share) -> bool {
        let observation = &self.observation;
        observation
            .placements
            .view(observation.fleet, &share.placement)
            .is_some_and(|view| workload::workload(view, observation.identity.database(), &share.key()).is_some())
    }
}
