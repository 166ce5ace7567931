//! What every reconcile shares.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::apps::v1::ControllerRevision;
use k8s_openapi::api::core::v1::Secret;
use kogge_api::{ClusterId, WorkerCluster};
use kogge_chart_store::ChartStore;
use kogge_database::Rival;
use kogge_database::queue::{Demand, Queue};
use kogge_engine::{Database, GroupName, Millis};
use kogge_fleet::{Fence, Fleet};
use kube::runtime::events::{Event, EventType, Recorder};
use kube::runtime::reflector::Store;
use kube::{Api, Resource, ResourceExt as _};
use parking_lot::Mutex;
use tracing::warn;

use crate::control::Control;
use crate::leader::Leadership;
use crate::metrics::Metrics;
use crate::own_objects::OwnObjects;
use crate::reachability::Reachability;
use crate::recent::RecentSecrets;
use crate::renders::{Renders, UnpackedRevisions};
use crate::undecodable::UndecodableObjects;

/// The deadline of an event: it is told, or it is not; nothing waits for it.
const EVENT_DEADLINE: Duration = Duration::from_secs(3);

/// What every reconcile shares.
pub struct Context {
    /// The control cluster.
    pub control: Control,
    /// The UID of its `kube-system`.
    pub control_uid: String,
    /// Kogge's own namespace.
    pub namespace: String,
    /// The workers.
    pub fleet: Fleet,
    /// The charts.
    pub charts: Arc<ChartStore>,
    /// The image of Kogge's own containers in the pods.
    pub agent_image: String,
    /// Whether this process may write.
    pub leadership: Leadership,
    /// What is counted.
    pub metrics: Metrics,
    /// Tells events.
    pub recorder: Recorder,
    /// The WorkerClusters.
    pub workers: Store<WorkerCluster>,
    /// What cannot be decoded.
    pub undecodable: UndecodableObjects,
    /// The databases of each kind.
    pub databases: Vec<Arc<dyn Declared>>,
    /// Which groups may be changed now.
    pub turns: Turns,
    /// The databases' own secrets.
    pub secrets: OwnObjects<Secret>,
    /// The databases' ControllerRevisions.
    pub revisions: OwnObjects<ControllerRevision>,
    /// What they unpack to.
    pub unpacked: UnpackedRevisions,
    /// Secrets beside the resources.
    pub recent: RecentSecrets,
    /// What specs rendered to.
    pub renders: Renders,
    /// What answered last, for the log.
    pub reachability: Reachability,
    /// The zero of the monotonic clock that observations are dated by.
    pub started: Instant,
}

/// How long after its start a process says nothing of workers that it has not reached yet: what the one before
/// it said of them stands.
const SETTLING_IN: Duration = Duration::from_secs(15);

/// The databases of one kind.
pub trait Declared: Send + Sync {
    /// All of them, as their resources declare them.
    fn all(&self) -> Vec<Database>;

    /// Those that can meet this one, whose clusterID or names they may have.
    fn rivals(&self, of: &Database) -> Vec<Rival>;

    /// Whether all were listed once: only then is one that is not here not there (A14).
    fn are_listed(&self) -> bool;
}

impl Context {
    /// Every database of every kind.
    pub(crate) fn declared(&self) -> impl Iterator<Item = Database> {
        self.databases.iter().flat_map(|kind| kind.all())
    }

    /// Whether the databases of every kind were listed once.
    pub(crate) fn knows_databases(&self) -> bool {
        self.databases.iter().all(|kind| kind.are_listed())
    }

    /// The other resources that can meet a database; none before all of every kind were listed.
    pub(crate) fn rivals(&self, of: &Database) -> Option<Vec<Rival>> {
        self.knows_databases().then(|| self.databases.iter().flat_map(|kind| kind.rivals(of)).collect())
    }

    /// Whether this process is too young to tell a silent worker from one that it has not reached yet.
    pub fn is_settling_in(&self) -> bool {
        self.started.elapsed() < SETTLING_IN
    }

    /// Waits until everything was listed that a pass takes what is missing from.
    pub(crate) async fn until_listed(&self) {
        // A store whose watch has ended is never ready, and the process ends with it.
        let (_workers, (), ()) = tokio::join!(
            self.workers.wait_until_ready(),
            self.secrets.until_listed(),
            self.revisions.until_listed()
        );
    }

    /// Forgets a database that is gone; `name` is its namespace and name.
    pub fn forget(&self, id: &ClusterId, name: &str) {
        self.renders.forget(id);
        self.unpacked.forget(id);
        self.turns.forget(id);
        self.metrics.database_gone(name);
        self.reachability.database_gone(name);
    }

    /// The objects of a kind in Kogge's own namespace.
    pub fn own<K>(&self) -> Api<K>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
    {
        self.control.namespaced(&self.namespace)
    }

    /// Now, on the monotonic clock.
    pub fn now(&self) -> Millis {
        Millis::try_from(self.started.elapsed().as_millis()).unwrap_or(Millis::MAX)
    }

    /// Tells what happened on the object that the user looks at. An event that cannot be told is logged.
    pub async fn tell<K>(&self, object: &K, type_: EventType, reason: &str, note: &str)
    where
        K: Resource<DynamicType = ()>,
    {
        let mut note = note.to_owned();
        note.truncate(note.floor_char_boundary(1000));
        let event = Event {
            type_,
            reason: reason.to_owned(),
            note: Some(note),
            action: "Reconcile".to_owned(),
            secondary: None,
        };
        let reference = object.object_ref(&());
        let publishing = self.recorder.publish(&event, &reference);
        match tokio::time::timeout(EVENT_DEADLINE, publishing).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => warn!(%error, reason, object = %object.name_any(), "event not sent"),
            Err(_) => warn!(reason, object = %object.name_any(), "event not sent in time"),
        }
    }
}

impl Fence for Leadership {
    fn is_leader(&self) -> bool {
        Leadership::is_leader(self)
    }
}

/// Turns to change groups, over all databases.
pub struct Turns(Mutex<Queue>);

impl Turns {
    /// Lets `limit` groups be changed in one vdc at a time.
    pub fn new(limit: usize) -> Self {
        Self(Mutex::new(Queue::new(limit)))
    }

    /// The groups of a database that have to wait. Nobody begins anything before each database has said what it has
    /// under way, but for no longer than a new leader takes to see its workers.
    pub fn ask(&self, id: &ClusterId, demand: Demand, context: &Context) -> BTreeSet<GroupName> {
        let mut queue = self.0.lock();
        let wanted: BTreeSet<GroupName> = demand.wanted.keys().cloned().collect();
        let waiting = queue.ask(id, demand, context.now());
        let knows_all = || {
            let ids: Vec<ClusterId> = context.declared().filter_map(|database| database.cluster_id).collect();
            queue.knows(ids.iter())
        };
        if context.is_settling_in() && !knows_all() { wanted } else { waiting }
    }

    /// Forgets a database that is gone.
    pub fn forget(&self, id: &ClusterId) {
        self.0.lock().forget(id);
    }
}
