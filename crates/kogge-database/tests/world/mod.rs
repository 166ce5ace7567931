//! A world for a database: the control cluster that Kogge reads and writes, the workers, and the servers in
//! their pods. Its passes are those of the operator, without the wire; the laws hold in every one of them.
//!
//! It is the same for every kind of database. What differs stands in the program's own module `kind`: the engine with the
//! names of its types, a resource to begin with, and `Servers`, which answer, take steps, and refuse what a server would.

mod api_server;
mod control;
mod controllers;
mod gate;
mod laws;
mod managed_fields;
mod mint;
mod pass;
mod peril;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;

use k8s_openapi::api::apps::v1::ControllerRevision;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kogge_api::DatabaseStatus;
use kogge_api::anchor::Anchor;
use kogge_api::conditions::database::READY;
use kogge_chart_store::ChartStore;
use kogge_database::acceptance::Rendered;
use kogge_database::pass::{Endings, Event};
use kogge_database::queue::Queue;
use kogge_database::report::Problem;
use kogge_database::revisions::Kept;
use kogge_database::secrets::DatabaseSecrets;
use kogge_engine::{Database, Engine, Millis, Pod, PodName};
use kogge_plan::{Action, Object, ObjectKey, WorkerName, anchors};
use kube_core::Resource as _;
use serde_json::{Value, json};

pub(crate) use crate::kind::*;
pub(crate) use api_server::{Answer, Worker};
pub(crate) use control::Fortune;
pub(crate) use controllers::{is_ready, kind, name, revision, template_revision};
use mint::WorldMint;
pub(crate) use pass::{Fate, Passed};
pub(crate) use peril::{fortune, live_through, round};

pub(crate) const NAMESPACE: &str = "databases";
pub(crate) const NAME: &str = "ll2022";
pub(crate) const ID: &str = "abcdefgh";
pub(crate) const CONTROL_UID: &str = "uid-of-control";
/// What a worker remembers stands in this ConfigMap.
const ANCHOR: &str = "ll2022-anchor";

/// Passes after which a world that is left alone must have settled.
const ROUNDS: usize = 300;

pub(crate) type Known<'a> = kogge_database::pass::Known<'a, Kind>;
pub(crate) type Prepared<'a> = kogge_database::Prepared<'a, Kind>;
pub(crate) type DatabasePlan = kogge_database::DatabasePlan<Kind>;
type Resource = <Kind as Engine>::Resource;
type Spec = <Kind as Engine>::Spec;
type Topology = <Kind as Engine>::Topology;
type Record = <Kind as Engine>::Record;
type Step = <Kind as Engine>::Action;

/// A pod that runs.
pub(crate) struct Running {
    pub(crate) pod: Object,
    /// What its worker remembers.
    pub(crate) record: Record,
}

impl Running {
    pub(crate) fn uid(&self) -> &str {
        self.pod.metadata.uid.as_deref().unwrap()
    }
}

/// What is asked of servers, and who can answer.
pub(crate) struct Question<'a> {
    pub(crate) goal: &'a <Kind as Engine>::Goal,
    pub(crate) pods: &'a BTreeMap<PodName, Pod>,
    /// The servers that Kogge reaches.
    pub(crate) reached: &'a BTreeSet<PodName>,
    /// The pods that run.
    pub(crate) running: &'a BTreeSet<PodName>,
    pub(crate) now: Millis,
}

/// What stands, by worker and key.
pub(crate) type Picture = BTreeMap<(String, ObjectKey), Value>;

pub(crate) struct World {
    /// The resource that passes are made over.
    pub(crate) cluster: Resource,
    /// The other resources of its kind; see [`World::turn_to`].
    pub(crate) others: Vec<Resource>,
    /// Resources of other kinds, which no pass is made over.
    pub(crate) of_other_kinds: Vec<Database>,
    /// The rollouts and the secrets that are kept in the control cluster.
    pub(crate) revisions: Vec<ControllerRevision>,
    pub(crate) secrets: Option<Secret>,
    /// The Secret that the spec names.
    pub(crate) named_secret: Option<Secret>,
    pub(crate) admin_secret: Option<Secret>,
    /// Those of the other resources, by namespace and name.
    put_away: BTreeMap<String, Option<Secret>>,
    pub(crate) tombstone: bool,
    endings: Endings,
    /// The resource is gone.
    pub(crate) released: bool,
    pub(crate) events: Vec<Event>,
    /// What becomes of the next requests to the control cluster; once there are none, all are answered.
    pub(crate) fortunes: VecDeque<Fortune>,
    versions: u64,
    pub(crate) workers: BTreeMap<WorkerName, Worker>,
    pub(crate) servers: Servers,
    pub(crate) charts: ChartStore,
    /// What Kogge wrote on workers and asked of servers, by pass.
    pub(crate) writes: Vec<(usize, Action)>,
    pub(crate) steps: Vec<(usize, Step)>,
    pub(crate) passes: usize,
    /// What servers answer to the actions of these names, instead of doing them.
    pub(crate) refused: BTreeMap<&'static str, Problem>,
    /// The operator has just been started.
    pub(crate) settling_in: bool,
    /// Which groups may be changed now; none where all may.
    pub(crate) turns: Option<RefCell<Queue>>,
    now: Millis,
    mint: WorldMint,
    rendered: Option<(String, Result<Rendered, Problem>)>,
    read: Option<(Vec<i64>, Arc<Kept>)>,
}

impl World {
    /// A database that was just applied, with a placement in each of these data centres, of which none holds
    /// anything.
    pub(crate) fn new(vdcs: &[&str]) -> Self {
        let placement: Vec<Value> = vdcs.iter().map(|vdc| json!({"name": vdc, "vdc": vdc})).collect();
        let cluster = serde_json::from_value(json!({
            "apiVersion": "kogge.dev/v1alpha1",
            "kind": Resource::kind(&()),
            "metadata": {
                "name": NAME, "namespace": NAMESPACE, "uid": "uid-of-fc", "generation": 1,
                "creationTimestamp": "2026-01-01T00:00:00Z",
            },
            "spec": spec(&json!(placement)),
        }));
        let mut world = Self {
            cluster: cluster.unwrap(),
            others: Vec::new(),
            of_other_kinds: Vec::new(),
            revisions: Vec::new(),
            secrets: None,
            named_secret: None,
            admin_secret: None,
            put_away: BTreeMap::new(),
            tombstone: false,
            endings: Endings::default(),
            released: false,
            events: Vec::new(),
            fortunes: VecDeque::new(),
            versions: 0,
            workers: BTreeMap::new(),
            servers: Servers::default(),
            charts: ChartStore::new([PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../charts")]),
            writes: Vec::new(),
            steps: Vec::new(),
            passes: 0,
            refused: BTreeMap::new(),
            settling_in: false,
            turns: None,
            now: 1_000_000,
            mint: WorldMint::default(),
            rendered: None,
            read: None,
        };
        for vdc in vdcs {
            world.register(vdc);
        }
        world
    }

    pub(crate) fn three() -> Self {
        Self::new(&["vdc1", "vdc2", "vdc3"])
    }

    /// Three data centres, settled, and the history forgotten.
    pub(crate) fn three_settled() -> Self {
        let mut world = Self::three();
        world.settle();
        world.forget_history();
        world
    }

    pub(crate) fn register(&mut self, vdc: &str) {
        let worker = Worker::new(vdc, u8::try_from(self.workers.len() + 1).unwrap());
        self.workers.insert(worker.name.clone(), worker);
    }

    /// Two placements more, as a user would ask for them.
    pub(crate) fn grow(&mut self) {
        for vdc in ["vdc4", "vdc5"] {
            self.register(vdc);
            let placement = serde_json::from_value(json!({"name": vdc, "vdc": vdc})).unwrap();
            self.edit(|spec| spec.placement.push(placement));
        }
    }

    pub(crate) fn worker(&mut self, vdc: &str) -> &mut Worker {
        self.workers.get_mut(&WorkerName(format!("worker-{vdc}"))).unwrap()
    }

    /// Ends a member's pod and empties its volume.
    pub(crate) fn wipe(&mut self, vdc: &str, pod: &str) {
        self.servers.lose_disk(&pod.into());
        self.worker(vdc).remove("Pod", pod);
    }

    /// Empties the volume of a member under its running server, whose container the kubelet starts again.
    pub(crate) fn wipe_running(&mut self, vdc: &str, pod: &str) {
        self.servers.lose_disk(&pod.into());
        self.restart_container(vdc, pod);
    }

    /// A member's server ends, and the kubelet starts its container again.
    pub(crate) fn restart_container(&mut self, vdc: &str, pod: &str) {
        self.servers.restarted(&pod.into());
        let worker = self.workers.get_mut(&WorkerName(format!("worker-{vdc}"))).unwrap();
        worker.restart_container(pod, &mut self.servers);
    }

    /// Why no server can work with the certificate that the user gives.
    pub(crate) fn find_unfit(&mut self, why: Option<&str>) {
        self.mint.1 = why.map(str::to_owned);
    }

    /// Turns the machines of a data centre off, or on again.
    pub(crate) fn power(&mut self, vdc: &str, on: bool) {
        let worker = self.worker(vdc);
        (worker.silent, worker.off) = (!on, !on);
    }

    /// Changes the spec, as a user would.
    pub(crate) fn edit(&mut self, change: impl FnOnce(&mut Spec)) {
        change(&mut self.cluster.spec);
        self.cluster.metadata.generation = self.cluster.metadata.generation.map(|generation| generation + 1);
    }

    /// Changes the spec as JSON: each pointer gets its value.
    pub(crate) fn set(&mut self, changes: &[(&str, Value)]) {
        self.edit(|spec| {
            let mut value = serde_json::to_value(&*spec).unwrap();
            for (field, change) in changes {
                value[field] = change.clone();
            }
            *spec = serde_json::from_value(value).unwrap();
        });
    }

    pub(crate) fn chart_version(&mut self, version: &str) {
        self.edit(|spec| set_chart_version(spec, version));
    }

    /// Applies another resource: the present one, exported and changed. Passes are made over it from now on.
    pub(crate) fn copy(&mut self, namespace: &str, name: &str, change: impl FnOnce(&mut Resource)) {
        let mut copy = self.cluster.clone();
        let metadata = &mut copy.metadata;
        (metadata.namespace, metadata.name) = (Some(namespace.to_owned()), Some(name.to_owned()));
        (metadata.uid, metadata.creation_timestamp) =
            (Some(format!("uid-of-{namespace}-{name}")), Some(self.clock()));
        (metadata.finalizers, metadata.generation) = (None, Some(1));
        copy.status = None;
        change(&mut copy);
        let admin = self.admin_secret.take();
        self.put_away.insert(full_name(&self.cluster), admin);
        self.others.push(std::mem::replace(&mut self.cluster, copy));
    }

    /// Makes passes over the resource of that name from now on. What is kept in the control cluster stays as it is; the
    /// administrator's Secrets are those beside either.
    pub(crate) fn turn_to(&mut self, name: &str) {
        let found = self.others.iter().position(|other| other.metadata.name.as_deref() == Some(name)).unwrap();
        let mut other = self.others.remove(found);
        std::mem::swap(&mut self.cluster, &mut other);
        let here = self.put_away.remove(&full_name(&self.cluster)).flatten();
        let admin = std::mem::replace(&mut self.admin_secret, here);
        self.put_away.insert(full_name(&other), admin);
        if !std::mem::take(&mut self.released) {
            self.others.push(other);
        }
    }

    /// Sets or takes away an annotation, as a user would.
    pub(crate) fn annotate(&mut self, annotation: &str, value: Option<&str>) {
        let annotations = self.cluster.metadata.annotations.get_or_insert_default();
        match value {
            Some(value) => annotations.insert(annotation.to_owned(), value.to_owned()),
            None => annotations.remove(annotation),
        };
    }

    /// Lets every watch catch up.
    pub(crate) fn observe(&mut self) {
        self.workers.values_mut().for_each(Worker::observe);
    }

    /// Lets the watches of some workers catch up, by their place in the list.
    pub(crate) fn observe_some(&mut self, chosen: &[bool]) {
        let workers = self.workers.values_mut().zip(chosen);
        workers.filter(|(_, chosen)| **chosen).for_each(|(worker, _)| worker.observe());
    }

    /// A second passes in the data centres.
    pub(crate) fn tick(&mut self) {
        self.now += 1_000;
        self.workers.values_mut().for_each(|worker| worker.tick(&mut self.servers));
        self.servers.tick(&self.running());
    }

    /// Observes, makes a whole pass, and lets a second go by.
    pub(crate) fn round(&mut self) -> Passed {
        self.observe();
        let passed = self.pass(&Fate::Lives);
        self.tick();
        passed
    }

    /// Rounds until nothing is left to do and the status says Ready.
    pub(crate) fn settle(&mut self) {
        for _ in 0..ROUNDS {
            let passed = self.round();
            if passed.is_settled() && self.is_ready() {
                return;
            }
        }
        panic!(
            "not settled after {ROUNDS} rounds; it waits for {:?}: {:#?}",
            self.status().waiting_for,
            self.status().conditions
        );
    }

    /// That many rounds.
    pub(crate) fn rounds(&mut self, rounds: usize) {
        for _ in 0..rounds {
            self.round();
        }
    }

    pub(crate) fn forget_history(&mut self) {
        self.writes.clear();
        self.steps.clear();
    }

    pub(crate) fn status(&self) -> DatabaseStatus {
        self.cluster.status.clone().unwrap_or_default()
    }

    pub(crate) fn condition(&self, type_: &str) -> Condition {
        let found = self.status().conditions.into_iter().find(|condition| condition.type_ == type_);
        found.unwrap_or_else(|| panic!("no condition {type_} in {:#?}", self.status().conditions))
    }

    /// Whether the status says Ready for the present generation.
    pub(crate) fn is_ready(&self) -> bool {
        let generation = self.cluster.metadata.generation;
        self.status().conditions.iter().any(|condition| {
            condition.type_ == READY && condition.status == "True" && condition.observed_generation == generation
        })
    }

    /// The anchor of the database on a worker.
    pub(crate) fn anchor(&self, vdc: &str) -> Option<Anchor<Record>> {
        let worker = &self.workers[&WorkerName(format!("worker-{vdc}"))];
        worker.object("ConfigMap", ANCHOR).map(|object| anchors::read(object).unwrap())
    }

    /// The pods that run.
    fn running(&self) -> BTreeMap<PodName, Running> {
        let on = self.workers.values().filter(|worker| !worker.off);
        on.flat_map(|worker| {
            let record = worker.record();
            let runs = |pod: &&Object| {
                pod.data.pointer("/status/phase").is_some_and(|phase| phase == "Running")
                    && !controllers::waits(pod)
                    && pod.metadata.deletion_timestamp.is_none()
            };
            let running = worker.list("Pod").filter(runs);
            running.map(move |pod| (name(pod).into(), Running { pod: pod.clone(), record: record.clone() }))
        })
        .collect()
    }

    /// The kinds and names of what Kogge wrote on a worker since the history was forgotten.
    pub(crate) fn written_on(&self, vdc: &str) -> BTreeSet<(String, String)> {
        let worker = WorkerName(format!("worker-{vdc}"));
        let writes = self.writes.iter().filter(|(_, action)| *action.worker() == worker);
        writes.map(|(_, action)| key(action)).map(|key| (key.kind, key.name)).collect()
    }

    /// What stands on every worker as Kogge wants it, without what the API servers and the pods add: the same
    /// for two worlds that came to the same end.
    pub(crate) fn picture(&self) -> Picture {
        let all = self.workers.values().flat_map(|worker| {
            worker.contents().into_iter().map(|(key, value)| ((worker.name.0.clone(), key), value))
        });
        all.filter(|((_, key), _)| !["Pod", "EndpointSlice", "PersistentVolumeClaim"].contains(&key.kind.as_str()))
            .map(|(key, mut value)| {
                let metadata = value["metadata"].as_object_mut().unwrap();
                metadata
                    .retain(|field, _| ["name", "namespace", "labels", "annotations"].contains(&field.as_str()));
                if key.1.name.contains("anchor") {
                    value = json!({"labels": value["metadata"]["labels"]});
                } else if key.1.kind == "Secret" {
                    // Keys are never the same twice, nor is their hash.
                    let keys = value["data"].as_object().map(|data| data.keys().cloned().collect::<Vec<_>>());
                    value = json!({"labels": value["metadata"]["labels"], "keys": keys});
                }
                (key, value)
            })
            .collect()
    }
}

/// What must be told nowhere.
pub(crate) fn hidden(secrets: &DatabaseSecrets) -> Vec<String> {
    let DatabaseSecrets { users, next_users, previous_users, current, previous, .. } = secrets;
    let generations = [Some(current), previous.as_ref()].into_iter().flatten();
    let keys = generations.flat_map(|generation| generation.keys.clone());
    let replaced = previous_users.as_ref().map(|previous| &previous.users);
    let users = [Some(users), next_users.as_ref(), replaced].into_iter().flatten();
    keys.chain(users.flat_map(|users| [users.operator.clone(), users.admin.clone()])).collect()
}

fn full_name(resource: &Resource) -> String {
    let database = Kind::database(resource);
    format!("{}/{}", database.namespace(), database.name())
}

/// What an action writes.
pub(crate) fn key(action: &Action) -> ObjectKey {
    match action {
        Action::Apply { object, .. } => ObjectKey::of(object).unwrap(),
        Action::Delete { key, .. } => key.clone(),
    }
}

/// The object that an action applies.
pub(crate) fn applied(action: &Action) -> Option<&Object> {
    match action {
        Action::Apply { object, .. } => Some(object),
        Action::Delete { .. } => None,
    }
}
