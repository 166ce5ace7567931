//! The engine's client as the operator sees it.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::future::try_join_all;
use kogge_engine_client::{
    CertificateError, ClusterAccess as Access, Credentials as Users, Execute, Observe, Outcome, Served,
    StepFailure, Told, served_certificate,
};
use kogge_etcd::{Etcd, Goal, Millis, Pod, PodName, Step, Topology};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;

use crate::access::{CLIENT, ClusterAccess};
use crate::credentials::Credentials;
use crate::engine::Engine;
use crate::error::StepError;

/// etcd's default, which the charts leave as it is.
const ELECTION_TIMEOUT: Duration = Duration::from_secs(1);

/// The servers ask nobody for a password, and for certificates by the database's own authority, where they have TLS.
fn access(access: &Access) -> ClusterAccess {
    let credentials = Credentials { client: access.trust.clone(), peer: access.trust.clone(), user: None };
    ClusterAccess { reach: access.reach.clone(), credentials, election_timeout: ELECTION_TIMEOUT }
}

impl Observe for Engine {
    type Engine = Etcd;

    async fn observe(&self, way: &Access, goal: &Goal, pods: &BTreeMap<PodName, Pod>, now: Millis) -> Topology {
        Self::observe(self, &access(way), goal, pods, now).await
    }
}

impl Execute for Engine {
    type Error = StepError;

    async fn execute(&self, way: &Access, step: &Step) -> Result<Outcome, StepError> {
        Self::execute(self, &access(way), step).await
    }

    /// The servers know no users.
    async fn create_users(
        &self,
        _: &Access,
        _: &[PodName],
        _: &Users,
        _: impl Fn() -> bool + Send + Sync,
    ) -> Result<Told, StepError> {
        Ok(Told::All)
    }

    /// The servers know no users.
    async fn remove_users(
        &self,
        _: &Access,
        _: &[PodName],
        _: &[String],
        _: impl Fn() -> bool + Send + Sync,
    ) -> Result<Told, StepError> {
        Ok(Told::All)
    }

    /// Servers read their certificates at every handshake: they are only looked at.
    async fn reload_certificates(
        &self,
        way: &Access,
        wanted: &BTreeMap<PodName, &str>,
        _: impl Fn() -> bool + Send + Sync,
    ) -> Result<Served<StepError>, CertificateError> {
        let looks = wanted.iter().map(|(pod, pem)| async move {
            let leaf = CertificateDer::from_pem_slice(pem.as_bytes());
            let leaf = leaf.map_err(|error| CertificateError(error.to_string()))?;
            let served = served_certificate(&*way.reach, pod, CLIENT, way.trust.as_ref()).await;
            Ok((served.ok() != Some(leaf)).then(|| pod.clone()))
        });
        let missing = try_join_all(looks).await?.into_iter().flatten().collect();
        Ok(Served { missing, failed: None })
    }
}

impl StepFailure for StepError {
    fn reason(&self) -> &'static str {
        Self::reason(self)
    }

    fn is_for_a_person(&self) -> bool {
        Self::is_for_a_person(self)
    }

    fn is_final(&self) -> bool {
        self.is_for_a_person()
    }
}
