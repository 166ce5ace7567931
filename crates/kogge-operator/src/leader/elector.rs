//! Keeps the Lease.

use std::sync::Arc;
use std::time::{Duration, Instant};

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::api::{ObjectMeta, PostParams};
use kube::{Api, Client};
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use super::record::{Move, Observation, Timing, released};

/// Why the Lease could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum ElectorError {
    /// The API server refused or did not answer.
    #[error("the Lease {name} could not be {what}: {source}")]
    Api {
        /// The Lease.
        name: String,
        /// Read or written.
        what: &'static str,
        /// Why.
        #[source]
        source: Box<kube::Error>,
    },
    /// No answer came within the deadline.
    #[error("the Lease {name} could not be {what} within {deadline:?}")]
    Deadline {
        /// The Lease.
        name: String,
        /// Read or written.
        what: &'static str,
        /// How long was waited.
        deadline: Duration,
    },
}

/// Whether this process leads, to be asked directly before each write.
#[derive(Clone, Debug)]
pub struct Leadership {
    until: Arc<Mutex<Option<Instant>>>,
}

impl Leadership {
    fn new() -> Self {
        Self { until: Arc::new(Mutex::new(None)) }
    }

    /// Whether this process may write now.
    pub fn is_leader(&self) -> bool {
        self.until.lock().is_some_and(|until| Instant::now() < until)
    }
}

/// Competes for a Lease and keeps it.
pub struct Elector {
    api: Api<Lease>,
    name: String,
    identity: String,
    timing: Timing,
    leadership: Leadership,
}

impl Elector {
    /// A candidate of that identity for the Lease of that name.
    pub fn new(client: Client, namespace: &str, name: &str, identity: &str, timing: Timing) -> Self {
        Self {
            api: Api::namespaced(client, namespace),
            name: name.to_owned(),
            identity: identity.to_owned(),
            timing,
            leadership: Leadership::new(),
        }
    }

    /// What writers ask.
    pub fn leadership(&self) -> Leadership {
        self.leadership.clone()
    }

    /// Waits until this process leads, or is told to stop; says whether it leads.
    pub async fn acquire(&self, stop: &CancellationToken) -> bool {
        let mut seen = Observation::default();
        let mut told = String::new();
        loop {
            let (began, outcome) = (Instant::now(), self.step(&mut seen).await);
            match outcome {
                Ok(None) => {
                    self.extend(began);
                    info!(identity = %self.identity, "leading");
                    return true;
                }
                Ok(Some(holder)) => {
                    if holder != told {
                        info!(%holder, "waiting for the lease");
                        told = holder;
                    }
                }
                Err(error) => warn!(%error, "the lease could not be taken; trying again"),
            }
            tokio::select! {
                () = stop.cancelled() => return false,
                () = tokio::time::sleep(self.timing.retry) => {}
            }
        }
    }

    /// Renews the Lease until it is told to stop, and then releases it, or until leadership is lost.
    pub async fn keep(&self, stop: &CancellationToken) {
        let mut seen = Observation::default();
        loop {
            tokio::select! {
                () = stop.cancelled() => return self.release().await,
                () = tokio::time::sleep(self.timing.retry) => {}
            }
            let began = Instant::now();
            match self.step(&mut seen).await {
                Ok(None) => self.extend(began),
                Ok(Some(holder)) => {
                    warn!(%holder, "the lease was taken over");
                    *self.leadership.until.lock() = None;
                    return;
                }
                Err(error) => {
                    warn!(%error, "the lease could not be renewed");
                    if !self.leadership.is_leader() {
                        return;
                    }
                }
            }
        }
    }

    /// Counted from before the renewal was sent: whoever else looks at the record saw it later than that.
    fn extend(&self, began: Instant) {
        *self.leadership.until.lock() = Some(began + self.timing.renew_deadline);
    }

    /// Reads the record and takes it where it may be taken; the holder, where somebody else holds it.
    async fn step(&self, seen: &mut Observation) -> Result<Option<String>, ElectorError> {
        let present = self.bounded("read", self.api.get_opt(&self.name)).await?;
        let wall = MicroTime(k8s_openapi::jiff::Timestamp::now());
        match seen.next(present.as_ref(), &self.identity, self.timing, Instant::now(), &wall) {
            Move::Wait { holder } => Ok(Some(holder)),
            Move::Take(record) => {
                self.write(present, *record).await?;
                debug!("the lease is held");
                Ok(None)
            }
        }
    }

    /// A replace guarded by resourceVersion: of two candidates one wins.
    async fn write(&self, present: Option<Lease>, record: LeaseSpec) -> Result<(), ElectorError> {
        let params =
            PostParams { field_manager: Some(kogge_api::FIELD_MANAGER.to_owned()), ..PostParams::default() };
        if let Some(mut lease) = present {
            lease.spec = Some(record);
            self.bounded("written", self.api.replace(&self.name, &params, &lease)).await?;
        } else {
            let metadata = ObjectMeta { name: Some(self.name.clone()), ..ObjectMeta::default() };
            let lease = Lease { metadata, spec: Some(record) };
            self.bounded("written", self.api.create(&params, &lease)).await?;
        }
        Ok(())
    }

    async fn release(&self) {
        *self.leadership.until.lock() = None;
        let wall = MicroTime(k8s_openapi::jiff::Timestamp::now());
        let outcome = async {
            let present = self.bounded("read", self.api.get_opt(&self.name)).await?;
            let record = present.as_ref().and_then(|l| l.spec.as_ref());
            match record.filter(|r| r.holder_identity.as_deref() == Some(&self.identity)) {
                Some(record) => self.write(present.clone(), released(record, &wall)).await,
                None => Ok(()),
            }
        };
        if let Err(error) = outcome.await {
            warn!(%error, "the lease could not be released; the next leader waits for it to run out");
        }
    }

    async fn bounded<T>(
        &self,
        what: &'static str,
        call: impl Future<Output = Result<T, kube::Error>>,
    ) -> Result<T, ElectorError> {
        let deadline = self.timing.renew_deadline / 2;
        let name = self.name.clone();
        match tokio::time::timeout(deadline, call).await {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(source)) => Err(ElectorError::Api { name, what, source: Box::new(source) }),
            Err(_) => Err(ElectorError::Deadline { name, what, deadline }),
        }
    }
}
