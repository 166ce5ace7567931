//! The task that keeps one worker's connection: probes it, replaces it, and restarts its watches.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use kogge_api::hysteresis::{ANSWERS_TO_RECOVER, Answered, Hysteresis};
use kube::Client;
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::claims::Claims;
use super::desired::{Desired, Limits};
use super::findings::Verdict;
use super::keeper::Ended;
use super::review::review;
use super::worker::Worker;
use super::{FleetOptions, jittered};
use crate::connection::{self, Bounds};
use crate::kubeconfig::WorkerCredentials;
use crate::probe::{self, ProbeFailure};
use crate::proxy;
use crate::watch::kinds::{self, Slot};
use crate::watch::supervisor::{self, Sink};

/// Failed probes in a row after which a worker is silent.
const PATIENCE: u32 = 2;
/// The pause before a failed probe is repeated.
const RETRY: Duration = Duration::from_millis(500);
/// The pause between two probes of a worker that answers again after a silence.
const RECOVERING: Duration = Duration::from_secs(1);
/// Probes between two questions for the server's version.
const VERSION_EVERY: u32 = 120;

/// One worker's task.
pub(super) struct Session {
    worker: Arc<Worker>,
    options: Arc<FleetOptions>,
    claims: Arc<Mutex<Claims>>,
    desired: watch::Receiver<Desired>,
    standing: Option<Standing>,
    /// Failed probes in a row.
    failures: u32,
    /// Whether it fell silent, and how far it is on its way back.
    health: Hysteresis,
    /// Answered probes until the version is asked for again.
    until_version: u32,
}

/// A connection that was proved to lead to this worker's cluster.
struct Standing {
    credentials: WorkerCredentials,
    limits: Limits,
    bounds: Arc<Bounds>,
    client: Client,
    uid: String,
    slots: BTreeSet<Slot>,
    tasks: JoinSet<()>,
}

/// Why the cluster that answered is not taken as this worker's.
enum Refusal {
    Probe(ProbeFailure),
    Credentials(Verdict),
    /// It is another cluster than before.
    Changed(Verdict),
    /// It is another WorkerCluster's.
    Taken(Verdict),
}

impl Refusal {
    /// The refusal of credentials that were to replace others: these go on, so the cluster itself is well.
    fn of_a_change(self) -> Self {
        match self {
            Self::Probe(failure) => Self::Credentials(Verdict::no(
                failure.reason(),
                format!("the changed kubeconfig is not used: {failure}"),
            )),
            other => other,
        }
    }
}

impl Session {
    pub(super) fn new(
        worker: Arc<Worker>,
        options: Arc<FleetOptions>,
        claims: Arc<Mutex<Claims>>,
        desired: watch::Receiver<Desired>,
    ) -> Self {
        Self {
            worker,
            options,
            claims,
            desired,
            standing: None,
            failures: 0,
            health: Hysteresis::default(),
            until_version: 0,
        }
    }

    /// Runs until it is aborted, until the worker is removed, or until one of its tasks ends, which none does by
    /// itself.
    pub(super) async fn run(mut self) -> Ended {
        loop {
            let pause = self.tick().await;
            tokio::select! {
                changed = self.desired.changed() => if changed.is_err() { return Ended::Removed },
                () = tokio::time::sleep(jittered(pause)) => {}
                () = a_task_ended(&mut self.standing) => return Ended::TaskFailed,
            }
        }
    }

    /// One look at the worker; returns how long to wait for the next.
    async fn tick(&mut self) -> Duration {
        let desired = self.desired.borrow_and_update().clone();
        let wanted = desired.credentials.clone().and_then(|credentials| {
            let valid = credentials.check_validity(Timestamp::now());
            valid.map(|()| credentials).map_err(|error| Verdict::no(error.reason(), error.to_string()))
        });
        match wanted {
            Ok(credentials) if !self.stands_with(&credentials, desired.bounds) => {
                match self.replace(credentials, &desired).await {
                    Ok(()) => self.options.probe_period,
                    Err(refusal) if self.standing.is_none() => {
                        self.refused(refusal);
                        self.options.probe_period
                    }
                    // What stood before goes on, with the credentials that it has.
                    Err(refusal) => {
                        self.refused(refusal.of_a_change());
                        self.probe(&desired, false).await
                    }
                }
            }
            Ok(_) => self.probe(&desired, true).await,
            Err(verdict) => {
                self.refused(Refusal::Credentials(verdict));
                self.probe(&desired, false).await
            }
        }
    }

    fn stands_with(&self, credentials: &WorkerCredentials, limits: Limits) -> bool {
        self.standing.as_ref().is_some_and(|s| s.credentials == *credentials && s.limits == limits)
    }

    /// Builds a connection, proves where it leads, and swaps it in: client and watches together.
    async fn replace(&mut self, credentials: WorkerCredentials, desired: &Desired) -> Result<(), Refusal> {
        let limits = desired.bounds;
        let bounds = Arc::new(Bounds::new(limits.concurrency, limits.deadline));
        let client = self.build(&credentials, &bounds)?;
        let uid = probe::identity(&client, self.options.probe_deadline).await.map_err(Refusal::Probe)?;
        self.check_identity(&uid, desired)?;
        if let Some(mut before) = self.standing.take() {
            before.tasks.shutdown().await;
        }
        tracing::info!(worker = %self.worker.name(), uid, server = %credentials.server, "connected");
        let standing =
            Standing { credentials, limits, bounds, client, uid, slots: BTreeSet::new(), tasks: JoinSet::new() };
        self.standing = Some(standing);
        self.failures = 0;
        self.health = Hysteresis::default();
        self.restart(desired).await;
        self.answered(true).await;
        Ok(())
    }

    fn build(&self, credentials: &WorkerCredentials, bounds: &Arc<Bounds>) -> Result<Client, Refusal> {
        connection::client(credentials, &self.options.proxies, bounds, self.options.probe_deadline)
            .map_err(|error| Refusal::Credentials(Verdict::no(error.reason(), error.to_string())))
    }

    /// Whether a cluster is this worker's own: the one it was before, and nobody else's.
    fn check_identity(&self, uid: &str, desired: &Desired) -> Result<(), Refusal> {
        let before = desired.pinned.as_deref().or(self.standing.as_ref().map(|s| s.uid.as_str()));
        if let Some(before) = before.filter(|&before| before != uid) {
            return Err(Refusal::Changed(Verdict::no(
                "UIDChanged",
                format!(
                    "the credentials lead to cluster {uid}, and this worker is cluster {before}: restore the credentials of {before}, or make another WorkerCluster for {uid}"
                ),
            )));
        }
        if self.options.control_uid.as_deref() == Some(uid) {
            return Err(Refusal::Taken(Verdict::no(
                "ControlCluster",
                format!(
                    "the credentials lead to cluster {uid}, which is the control cluster itself, so Kogge does not use it as a worker: give this WorkerCluster the credentials of another cluster, or delete it"
                ),
            )));
        }
        let holder = self.claims.lock().claim(self.worker.name(), uid);
        if holder != *self.worker.name() {
            return Err(Refusal::Taken(Verdict::no(
                "UIDAlreadyClaimed",
                format!(
                    "cluster {uid} is WorkerCluster {holder} already: delete one of the two, or give this one the credentials of another cluster"
                ),
            )));
        }
        Ok(())
    }

    /// Asks the standing connection whether it still leads to its cluster. `current` where its credentials
    /// are those that are wanted.
    async fn probe(&mut self, desired: &Desired, current: bool) -> Duration {
        let Some(standing) = &self.standing else { return self.options.probe_period };
        match probe::identity(&standing.client, self.options.probe_deadline).await {
            Ok(uid) => {
                if let Err(refusal) = self.check_identity(&uid, desired) {
                    self.disconnect().await;
                    self.refused(refusal);
                    return self.options.probe_period;
                }
                self.failures = 0;
                let answered = self.health.answer();
                if answered == Answered::Recovering {
                    self.recovering();
                    return self.options.probe_period.min(RECOVERING);
                }
                let slots = self.slots(desired);
                // The view begins anew before the worker counts as live: what the old watches told may be
                // long past.
                if answered == Answered::Recovered || self.standing.as_ref().is_some_and(|s| s.slots != slots) {
                    self.restart(desired).await;
                }
                self.answered(current).await;
                self.options.probe_period
            }
            Err(failure) => {
                self.failures = self.failures.saturating_add(1);
                self.health.miss();
                self.renew_client();
                if self.failures >= PATIENCE {
                    self.health.fall_silent();
                    self.refused(Refusal::Probe(failure));
                    self.options.probe_period
                } else {
                    RETRY
                }
            }
        }
    }

    /// After a failure the pool may hold connections that are dead and do not know it, so the next probe has
    /// one of its own. The others get it when the worker is back from its silence.
    fn renew_client(&mut self) {
        let renewed = self.standing.as_ref().and_then(|s| self.build(&s.credentials, &s.bounds).ok());
        if let (Some(standing), Some(client)) = (&mut self.standing, renewed) {
            standing.client = client;
        }
    }

    async fn disconnect(&mut self) {
        self.worker.disconnect();
        if let Some(mut standing) = self.standing.take() {
            standing.tasks.shutdown().await;
        }
    }

    /// The worker answered, and is who it should be.
    async fn answered(&mut self, current: bool) {
        let Some(standing) = &self.standing else { return };
        let version = if self.until_version == 0 {
            probe::version(&standing.client, self.options.probe_deadline).await.ok()
        } else {
            None
        };
        let uid = standing.uid.clone();
        let ending = standing.credentials.ending(Timestamp::now());
        self.until_version = match (&version, self.until_version) {
            (Some(_), _) => VERSION_EVERY,
            (None, left) => left.saturating_sub(1),
        };
        self.worker.report(|report| {
            report.answered = Some(Instant::now());
            report.silence = None;
            report.verdicts.reachable = Verdict::yes("Answers", "the API server answers");
            if current {
                report.verdicts.claimed = Verdict::yes("Claimed", format!("cluster {uid} is this worker's alone"));
                report.verdicts.credentials = match ending {
                    Some(ending) => Verdict::yes(ending.nearness.reason(), ending.to_string()),
                    None => Verdict::yes("Accepted", "the API server accepts the credentials"),
                };
            }
            report.uid = Some(uid);
            if version.is_some() {
                report.version = version;
            }
        });
    }

    /// It answers again, which is not enough yet: what flaps would be acted upon again and again.
    fn recovering(&self) {
        let message =
            format!("it was silent, and counts as live once it answered {ANSWERS_TO_RECOVER} times in a row");
        self.worker.report(|report| {
            report.verdicts.reachable = Verdict::unknown("Recovering", message.clone());
            report.silence = Some(("Recovering".to_owned(), message));
        });
    }

    /// Tells what stands in the way. Without a connection, the worker is silent for that reason; with one, it
    /// goes on being observed unless the connection itself failed.
    fn refused(&self, refusal: Refusal) {
        let standing = self.standing.is_some();
        let through = self.through();
        let silent_probe = matches!(&refusal, Refusal::Probe(_)) && self.failures >= PATIENCE;
        self.worker.report(|report| {
            let verdicts = &mut report.verdicts;
            let verdict = match refusal {
                Refusal::Credentials(verdict) => {
                    verdicts.credentials = verdict.clone();
                    verdict
                }
                Refusal::Changed(verdict) => {
                    verdicts.claimed = verdict.clone();
                    verdict
                }
                Refusal::Taken(verdict) => {
                    verdicts.claimed = verdict.clone();
                    if !standing {
                        report.uid = None;
                    }
                    verdict
                }
                Refusal::Probe(failure) => {
                    let verdict = Verdict::no(failure.reason(), format!("{failure}{through}"));
                    match failure {
                        ProbeFailure::NoAnswer(_)
                        | ProbeFailure::ConnectionFailed(_)
                        | ProbeFailure::ServerError(_)
                        | ProbeFailure::NotKubernetes => verdicts.reachable = verdict.clone(),
                        ProbeFailure::ServerCertificate(_)
                        | ProbeFailure::ClientCertificate(_)
                        | ProbeFailure::Unauthorized => verdicts.credentials = verdict.clone(),
                        ProbeFailure::IdentityForbidden => verdicts.permissions = verdict.clone(),
                    }
                    verdict
                }
            };
            if !standing || silent_probe {
                report.silence = Some((verdict.reason, verdict.message));
            }
        });
    }

    /// The proxy on the way, as the end of a sentence; nothing where there is none.
    fn through(&self) -> String {
        let desired = self.desired.borrow();
        let proxy = desired.credentials.as_ref().ok().and_then(|credentials| {
            self.options.proxies.of_server(&credentials.server, credentials.proxy.as_ref()).ok().flatten()
        });
        proxy.map(|proxy| format!("; it is asked through the proxy {}", proxy::shown(&proxy))).unwrap_or_default()
    }

    fn slots(&self, desired: &Desired) -> BTreeSet<Slot> {
        let system = (!self.options.required.system.is_empty()).then_some(self.options.system_namespace.as_str());
        kinds::slots(&desired.allowed, system)
    }

    /// Starts every watch, and the review of permissions, anew with the present client.
    async fn restart(&mut self, desired: &Desired) {
        let slots = self.slots(desired);
        let Some(standing) = &mut self.standing else { return };
        standing.tasks.shutdown().await;
        standing.slots.clone_from(&slots);
        self.worker.store(|store| store.begin(&slots));
        self.worker.connect(standing.client.clone(), standing.uid.clone());
        self.worker.changed();
        for slot in slots {
            let sink: Arc<dyn Sink> = Arc::clone(&self.worker) as Arc<dyn Sink>;
            let timeout = jittered(self.options.watch_timeout);
            standing.tasks.spawn(supervisor::supervise(slot, standing.client.clone(), timeout, sink));
        }
        standing.tasks.spawn(review(
            Arc::clone(&self.worker),
            standing.client.clone(),
            Arc::clone(&self.options),
            desired.clone(),
        ));
    }
}

/// Waits until a watch or the review of permissions ends: by a panic, for they run for as long as their connection.
async fn a_task_ended(standing: &mut Option<Standing>) {
    match standing {
        Some(standing) if !standing.tasks.is_empty() => {
            if let Some(Err(error)) = standing.tasks.join_next().await {
                tracing::error!(panicked = error.is_panic(), "a task of a worker failed");
            }
        }
        _ => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests;
