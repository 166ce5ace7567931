//! All workers: registered, connected, observed, written to.

mod claims;
mod desired;
mod findings;
mod keeper;
mod pod_failures;
mod review;
mod session;
mod worker;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures::{Stream, stream};
use jiff::Timestamp;
use kogge_api::WorkerCluster;
use kogge_plan::{Action, FleetView, ObjectKey, WorkerName};
use kube::{Client, ResourceExt as _};
use parking_lot::{Mutex, RwLock};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, watch};
use tokio_util::task::AbortOnDropHandle;

use crate::FleetError;
use crate::probe::RequiredRules;
use crate::proxy::ProxyEnvironment;
use crate::write::{Outcome, WriteContext, WriteError};

pub(crate) use self::worker::{Link, Worker};

use self::claims::Claims;
use self::desired::Desired;
use self::session::Session;

pub use self::findings::WorkerFindings;

/// Changes that a slow subscriber may be behind; one that is further behind is told that everything changed.
const CHANGES: usize = 1024;

/// How the fleet works, the same for every worker.
#[derive(Clone, Debug)]
pub struct FleetOptions {
    /// Kogge's own namespace, where the kubeconfig Secrets are, and its copies in the workers.
    pub system_namespace: String,
    /// The UID of the control cluster's `kube-system`: no worker is that cluster. None where it is not known.
    pub control_uid: Option<String>,
    /// What the credentials must allow.
    pub required: RequiredRules,
    /// The time between two probes of a worker.
    pub probe_period: Duration,
    /// The deadline of one probe. A worker is silent after two failed probes in a row: by default at the
    /// latest 14 s after its last answer.
    pub probe_deadline: Duration,
    /// The proxies through which workers are reached whose kubeconfig names none.
    pub proxies: ProxyEnvironment,
    /// How long one watch request lasts; a connection that died unnoticed is found out at most 5 s later.
    pub watch_timeout: Duration,
}

impl FleetOptions {
    /// The usual times.
    pub fn new(system_namespace: impl Into<String>, required: RequiredRules) -> Self {
        Self {
            system_namespace: system_namespace.into(),
            control_uid: None,
            required,
            probe_period: Duration::from_secs(5),
            probe_deadline: Duration::from_secs(4),
            proxies: ProxyEnvironment::of_process(),
            watch_timeout: Duration::from_mins(1),
        }
    }

    /// With the UID of the control cluster, which is refused as a worker.
    #[must_use]
    pub fn within(mut self, control_uid: impl Into<String>) -> Self {
        self.control_uid = Some(control_uid.into());
        self
    }
}

/// What is where `spec.kubeconfig.secretRef` points.
#[derive(Clone, PartialEq, Eq)]
pub enum SecretLookup {
    /// The value of the key.
    Found(Vec<u8>),
    /// There is no Secret of that name.
    NoSecret,
    /// The Secret has no such key.
    NoKey,
}

/// What has changed since a subscriber last looked. Look at the snapshot for what it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Objects of these databases changed in a worker.
    Objects {
        /// The worker.
        worker: WorkerName,
        /// The clusterIDs.
        cluster_ids: BTreeSet<String>,
    },
    /// A worker's findings, liveness or completeness changed.
    Worker {
        /// The worker.
        worker: WorkerName,
    },
    /// The subscriber was too slow: anything may have changed.
    Everything,
}

/// Every registered worker cluster. Cheap to clone; ends its tasks when the last clone is dropped.
#[derive(Clone)]
pub struct Fleet {
    inner: Arc<Inner>,
}

struct Inner {
    options: Arc<FleetOptions>,
    workers: RwLock<BTreeMap<WorkerName, Entry>>,
    claims: Arc<Mutex<Claims>>,
    signal: Signal,
}

struct Entry {
    /// The UID of the WorkerCluster itself: another one of the same name starts afresh.
    object_uid: Option<String>,
    worker: Arc<Worker>,
    desired: watch::Sender<Desired>,
    _session: AbortOnDropHandle<()>,
}

/// Tells subscribers that something changed.
#[derive(Clone)]
pub(crate) struct Signal {
    changes: broadcast::Sender<Change>,
}

impl Signal {
    fn new() -> Self {
        Self { changes: broadcast::Sender::new(CHANGES) }
    }

    pub(crate) fn raise(&self, change: Change) {
        // Nobody listening is no error.
        let _ = self.changes.send(change);
    }
}

impl Fleet {
    /// A fleet without workers.
    pub fn new(options: FleetOptions) -> Self {
        Self {
            inner: Arc::new(Inner {
                options: Arc::new(options),
                workers: RwLock::default(),
                claims: Arc::default(),
                signal: Signal::new(),
            }),
        }
    }

    /// Registers a worker, or brings it up to date with its WorkerCluster and its Secret. To be called at
    /// every reconcile: nothing happens where nothing changed. Must be called within a tokio runtime.
    pub fn upsert(&self, object: &WorkerCluster, secret: &SecretLookup) {
        let name = WorkerName(object.name_any());
        let desired = Desired::new(object, secret, &self.inner.options.system_namespace, Timestamp::now());
        self.inner.claims.lock().register(&name, object);
        let mut workers = self.inner.workers.write();
        if let Some(entry) = workers.get(&name).filter(|entry| entry.object_uid == object.metadata.uid) {
            entry.worker.set_profile(object);
            entry.desired.send_if_modified(|held| {
                let changed = *held != desired;
                *held = desired;
                changed
            });
            return;
        }
        let worker = Arc::new(Worker::new(name.clone(), object, self.inner.signal.clone()));
        let (sender, receiver) = watch::channel(desired);
        let start = {
            let (worker, options) = (Arc::clone(&worker), Arc::clone(&self.inner.options));
            let claims = Arc::clone(&self.inner.claims);
            move || {
                let (worker, options, claims) = (Arc::clone(&worker), Arc::clone(&options), Arc::clone(&claims));
                Session::new(worker, options, claims, receiver.clone()).run()
            }
        };
        let entry = Entry {
            object_uid: object.metadata.uid.clone(),
            desired: sender,
            _session: AbortOnDropHandle::new(tokio::spawn(keeper::keep(Arc::clone(&worker), start))),
            worker,
        };
        workers.insert(name.clone(), entry);
        drop(workers);
        self.inner.signal.raise(Change::Worker { worker: name });
    }

    /// Forgets a worker: its connection and its watches end, its objects stay where they are.
    pub fn remove(&self, name: &WorkerName) {
        let removed = self.inner.workers.write().remove(name).is_some();
        self.inner.claims.lock().release(name);
        if removed {
            self.inner.signal.raise(Change::Worker { worker: name.clone() });
        }
    }

    /// Every worker as last observed. It shares the objects with what the watches hold, so it costs next to nothing.
    pub fn snapshot(&self) -> Arc<FleetView> {
        let workers = self.inner.workers.read();
        let views = workers.iter().map(|(name, entry)| (name.clone(), entry.worker.view()));
        Arc::new(FleetView { workers: views.collect() })
    }

    /// What changes from now on.
    pub fn changes(&self) -> impl Stream<Item = Change> + Send + use<> {
        stream::unfold(self.inner.signal.changes.subscribe(), async |mut changes| match changes.recv().await {
            Ok(change) => Some((change, changes)),
            Err(RecvError::Lagged(_)) => Some((Change::Everything, changes)),
            Err(RecvError::Closed) => None,
        })
    }

    /// A worker's client, for reading and port-forwarding; its requests are bounded as all others are. The
    /// number is another one whenever the client was made anew: what was opened through an old one is to be
    /// given up.
    pub fn client(&self, name: &WorkerName) -> Result<(Client, u64), FleetError> {
        let link = self.worker(name)?.link()?;
        Ok((link.client.clone(), link.number))
    }

    /// What to tell on the WorkerCluster; none where it is not registered.
    pub fn status(&self, name: &WorkerName) -> Option<WorkerFindings> {
        self.inner.workers.read().get(name).map(|entry| entry.worker.findings())
    }

    /// Carries out one action. The outcome is shown by the next snapshot where it is known.
    pub async fn execute(&self, action: &Action, context: WriteContext<'_>) -> Result<Outcome, WriteError> {
        let worker = self.worker(action.worker())?;
        crate::write::execute(&worker, &self.inner.options.system_namespace, action, context).await
    }

    /// Why the pods of a StatefulSet are not made, in its controller's words; none where it says nothing, or the worker
    /// does not answer.
    pub async fn why_no_pods(&self, worker: &WorkerName, set: &ObjectKey, uid: &str) -> Option<String> {
        let worker = self.worker(worker).ok()?;
        worker.pod_failures.of(&worker, set, uid).await
    }

    fn worker(&self, name: &WorkerName) -> Result<Arc<Worker>, FleetError> {
        let workers = self.inner.workers.read();
        let entry = workers.get(name).ok_or_else(|| FleetError::UnknownWorker { worker: name.clone() })?;
        Ok(Arc::clone(&entry.worker))
    }
}

/// A time a tenth longer or shorter, so that workers are not asked in step.
pub(crate) fn jittered(time: Duration) -> Duration {
    time.mul_f64(rand::random_range(0.9..1.1))
}
