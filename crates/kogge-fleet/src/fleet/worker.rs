//! What is shared about one worker: written by its session and its watches, read by everyone.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use arc_swap::ArcSwapOption;
use kogge_api::WorkerCluster;
use kogge_api::worker_cluster::AllowedNamespaces;
use kogge_plan::{Liveness, Object, WorkerName, WorkerView};
use kube::Client;
use kube::runtime::watcher::Event;
use parking_lot::{Mutex, RwLock};
use tokio::sync::Notify;

use super::findings::{Verdict, Verdicts, conditions};
use super::pod_failures::PodFailures;
use super::{Change, Signal, WorkerFindings};
use crate::FleetError;
use crate::watch::kinds::Slot;
use crate::watch::store::{Effect, Store};
use crate::watch::supervisor::Sink;
use crate::write::pauses::Pauses;

/// Why a worker is silent whose tasks failed.
const TASK_FAILED: &str = "TaskFailed";

/// A connection that stands.
#[derive(Clone)]
pub(crate) struct Link {
    pub(crate) client: Client,
    /// The cluster that it leads to.
    pub(crate) uid: String,
    /// Tells it from the connections before it.
    pub(crate) number: u64,
}

/// One worker.
pub(crate) struct Worker {
    name: WorkerName,
    signal: Signal,
    profile: RwLock<Profile>,
    store: Mutex<Store>,
    report: RwLock<Report>,
    link: ArcSwapOption<Link>,
    connections: AtomicU64,
    pauses: Mutex<Pauses>,
    pub(super) pod_failures: PodFailures,
    /// Told when a request was forbidden, so that the permissions are asked again.
    pub(super) forbidden: Notify,
}

/// What its WorkerCluster says of it.
#[derive(Clone, Debug, PartialEq)]
struct Profile {
    vdc: String,
    cluster_domain: String,
    suspended: bool,
    allowed: AllowedNamespaces,
}

impl Profile {
    fn of(object: &WorkerCluster) -> Self {
        let spec = &object.spec;
        Self {
            vdc: spec.vdc.clone(),
            cluster_domain: spec.network.cluster_domain.clone(),
            suspended: spec.suspend,
            allowed: spec.allowed_namespaces.clone(),
        }
    }
}

/// What its session found out.
#[derive(Clone, Debug)]
pub(super) struct Report {
    pub(super) verdicts: Verdicts,
    /// Why it counts as silent; none while it is live.
    pub(super) silence: Option<(String, String)>,
    pub(super) uid: Option<String>,
    pub(super) version: Option<String>,
    /// The last answer, by the monotonic clock.
    pub(super) answered: Option<Instant>,
}

impl Worker {
    pub(super) fn new(name: WorkerName, object: &WorkerCluster, signal: Signal) -> Self {
        let not_yet = Verdict::not_yet();
        Self {
            name,
            signal,
            profile: RwLock::new(Profile::of(object)),
            store: Mutex::default(),
            report: RwLock::new(Report {
                verdicts: Verdicts::default(),
                silence: Some((not_yet.reason, not_yet.message)),
                uid: object.status.as_ref().and_then(|status| status.uid.clone()),
                version: object.status.as_ref().and_then(|status| status.version.clone()),
                answered: None,
            }),
            link: ArcSwapOption::empty(),
            connections: AtomicU64::default(),
            pauses: Mutex::default(),
            pod_failures: PodFailures::default(),
            forbidden: Notify::new(),
        }
    }

    pub(crate) fn name(&self) -> &WorkerName {
        &self.name
    }

    pub(crate) fn is_suspended(&self) -> bool {
        self.profile.read().suspended
    }

    pub(crate) fn allows(&self, namespace: &str) -> bool {
        self.profile.read().allowed.allows(namespace)
    }

    pub(super) fn set_profile(&self, object: &WorkerCluster) {
        let profile = Profile::of(object);
        let mut held = self.profile.write();
        if *held != profile {
            *held = profile;
            drop(held);
            self.changed();
        }
    }

    /// The connection, or why there is none.
    pub(crate) fn link(&self) -> Result<Arc<Link>, FleetError> {
        self.link.load_full().ok_or_else(|| {
            let (cause, message) = self.report.read().silence.clone().unwrap_or_else(|| {
                let not_yet = Verdict::not_yet();
                (not_yet.reason, not_yet.message)
            });
            FleetError::NotConnected { worker: self.name.clone(), cause, message }
        })
    }

    /// Lets a client that leads to that cluster take the place of the one before.
    pub(super) fn connect(&self, client: Client, uid: String) {
        let number = self.connections.fetch_add(1, Ordering::Relaxed);
        // What was not answered before it was silent says nothing of its admission now.
        *self.pauses.lock() = Pauses::default();
        self.link.store(Some(Arc::new(Link { client, uid, number })));
    }

    pub(super) fn disconnect(&self) {
        self.link.store(None);
    }

    /// Changes the report, and tells everyone where it is another one now. The moment of the last answer
    /// moves on silently.
    pub(super) fn report(&self, change: impl FnOnce(&mut Report)) {
        let mut report = self.report.write();
        let before = report.clone();
        change(&mut report);
        let same = before.verdicts == report.verdicts
            && before.silence == report.silence
            && before.uid == report.uid
            && before.version == report.version;
        drop(report);
        if !same {
            self.changed();
        }
    }

    /// The tasks that observe it failed: nothing is known of it before they were started again.
    pub(super) fn fail(&self) {
        self.disconnect();
        let message = "an error in Kogge stopped the tasks that watch this worker; they are started again by \
            themselves, and the operator's log has the details";
        self.report(|report| {
            report.verdicts.reachable = Verdict::unknown(TASK_FAILED, message);
            report.silence = Some((TASK_FAILED.to_owned(), message.to_owned()));
        });
    }

    pub(super) fn store<T>(&self, change: impl FnOnce(&mut Store) -> T) -> T {
        change(&mut self.store.lock())
    }

    /// An object as a write's answer shows it.
    pub(crate) fn written(&self, object: Object) {
        let effect = self.store.lock().written(object);
        self.raise(&effect);
    }

    /// The writes that are not to be tried again yet.
    pub(crate) fn pauses<T>(&self, look: impl FnOnce(&mut Pauses) -> T) -> T {
        look(&mut self.pauses.lock())
    }

    /// A request was forbidden: the permissions are asked again.
    pub(crate) fn note_forbidden(&self) {
        self.forbidden.notify_one();
    }

    pub(super) fn changed(&self) {
        self.signal.raise(Change::Worker { worker: self.name.clone() });
    }

    fn raise(&self, effect: &Effect) {
        if !effect.touched.is_empty() {
            let cluster_ids = effect.touched.clone();
            self.signal.raise(Change::Objects { worker: self.name.clone(), cluster_ids });
        }
        if effect.health_changed {
            self.changed();
        }
    }

    /// The worker as a plan sees it.
    pub(super) fn view(&self) -> WorkerView {
        let Profile { vdc, cluster_domain, suspended, allowed: _ } = self.profile.read().clone();
        let report = self.report.read().clone();
        let store = self.store.lock();
        WorkerView {
            vdc,
            uid: report.uid,
            cluster_domain,
            liveness: match report.silence {
                None => Liveness::Live,
                Some((reason, message)) => {
                    Liveness::Silent { since: report.answered.map(|at| at.elapsed()), reason, message }
                }
            },
            complete: store.is_complete(),
            suspended,
            objects: store.objects().clone(),
        }
    }

    /// The worker as its WorkerCluster's status tells it.
    pub(super) fn findings(&self) -> WorkerFindings {
        let suspended = self.is_suspended();
        let report = self.report.read().clone();
        let watch = watch_verdict(&self.store.lock());
        let live = report.silence.is_none();
        WorkerFindings {
            uid: report.uid,
            version: report.version,
            conditions: conditions(&report.verdicts, &watch, live, suspended),
        }
    }
}

impl Sink for Worker {
    fn observe(&self, slot: &Slot, event: Event<Object>) -> Effect {
        let effect = self.store.lock().observe(slot, event);
        self.raise(&effect);
        effect
    }

    fn fail(&self, slot: &Slot, message: String, forbidden: bool) {
        let effect = self.store.lock().fail(slot, message);
        self.raise(&effect);
        if forbidden {
            self.note_forbidden();
        }
    }
}

fn watch_verdict(store: &Store) -> Verdict {
    if store.is_complete() {
        return Verdict::yes("Synced", "every watch has listed everything and is current");
    }
    match store.failure() {
        Some((slot, message)) => Verdict::no("WatchFailed", format!("the watch of {slot} fails: {message}")),
        None => Verdict::unknown("Listing", "not every watch has listed everything yet"),
    }
}
