//! What a monitoring system scrapes; `docs/reference/metrics.md` lists it.

mod groups;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use kogge_engine::{EngineView, GroupName};
use parking_lot::Mutex;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

use groups::Groups;

/// The labels of what is counted per controller.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct Outcome {
    /// The kind that was reconciled.
    pub kind: String,
    /// `Ok`, or the error's reason.
    pub reason: String,
}

/// The labels of what is counted per worker.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct PerWorker {
    /// The WorkerCluster.
    pub worker: String,
}

/// The labels of what is counted per kind of write.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct PerWrite {
    /// The WorkerCluster.
    pub worker: String,
    /// How it ended.
    pub outcome: String,
}

/// The labels of what is counted per kind of object.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct PerKind {
    /// The kind.
    pub kind: String,
}

/// Every metric of the operator.
#[derive(Clone)]
pub struct Metrics {
    registry: Arc<Mutex<Registry>>,
    reconciles: Family<Outcome, Counter>,
    duration: Histogram,
    live: Family<PerWorker, Gauge>,
    writes: Family<PerWrite, Counter>,
    undecodable: Family<PerKind, Gauge>,
    groups: Groups,
    leader: Gauge,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

impl Default for Metrics {
    fn default() -> Self {
        let metrics = Self {
            registry: Arc::new(Mutex::new(Registry::with_prefix("kogge"))),
            reconciles: Family::default(),
            duration: Histogram::new(exponential_buckets(0.005, 2.0, 14)),
            live: Family::default(),
            writes: Family::default(),
            undecodable: Family::default(),
            groups: Groups::default(),
            leader: Gauge::default(),
        };
        let mut registry = metrics.registry.lock();
        registry.register("reconciles", "Reconciles by kind and outcome", metrics.reconciles.clone());
        registry.register("reconcile_duration_seconds", "Time of a reconcile", metrics.duration.clone());
        registry.register("worker_live", "Whether a worker cluster answers", metrics.live.clone());
        registry.register("worker_writes", "Writes to workers by outcome", metrics.writes.clone());
        registry.register(
            "undecodable_objects",
            "Objects that cannot be decoded and are not managed",
            metrics.undecodable.clone(),
        );
        registry.register_collector(Box::new(metrics.groups.clone()));
        registry.register("leader", "Whether this process leads", metrics.leader.clone());
        drop(registry);
        metrics
    }
}

impl Metrics {
    /// Counts a reconcile.
    pub fn reconciled(&self, kind: &str, reason: &str, took: Duration) {
        self.reconciles.get_or_create(&Outcome { kind: kind.to_owned(), reason: reason.to_owned() }).inc();
        self.duration.observe(took.as_secs_f64());
    }

    /// Takes note of whether a worker answers.
    pub fn worker_live(&self, worker: &str, live: bool) {
        self.live.get_or_create(&PerWorker { worker: worker.to_owned() }).set(live.into());
    }

    /// Forgets a worker that is gone.
    pub fn worker_gone(&self, worker: &str) {
        self.live.remove(&PerWorker { worker: worker.to_owned() });
    }

    /// Takes note of how many objects of a kind cannot be decoded.
    pub fn undecodable(&self, kind: &str, count: usize) {
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        self.undecodable.get_or_create(&PerKind { kind: kind.to_owned() }).set(count);
    }

    /// Counts a write to a worker.
    pub fn written(&self, worker: &str, outcome: &str) {
        let labels = PerWrite { worker: worker.to_owned(), outcome: outcome.to_owned() };
        self.writes.get_or_create(&labels).inc();
    }

    /// Takes note of how the groups of a database stand. `name` gives a group's name for people, `queued` whether it
    /// waits for its turn.
    pub fn observed<A>(
        &self,
        cluster: &str,
        view: &EngineView<A>,
        name: impl Fn(&GroupName) -> String,
        queued: impl Fn(&GroupName) -> bool,
    ) {
        self.groups.observe(cluster, view, name, queued);
    }

    /// Counts a step on a group.
    pub fn stepped(&self, cluster: &str, group: &str, step: &str, outcome: &str) {
        self.groups.stepped(cluster, group, step, outcome);
    }

    /// Forgets a database that is gone.
    pub fn database_gone(&self, cluster: &str) {
        self.groups.forget(cluster);
    }

    /// Takes note of leadership.
    pub fn leading(&self, leads: bool) {
        self.leader.set(leads.into());
    }

    /// All metrics in the OpenMetrics text format.
    pub fn text(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.registry.lock())?;
        Ok(text)
    }
}

#[cfg(test)]
mod tests;
