//! New certificates without a restart: every server is told to read its files again until it serves what they should
//! hold. The kubelet brings a changed Secret into a pod in its own time, and nothing but the server's own handshake says
//! what it serves.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::future::join_all;
use kogge_engine::Engine as _;
use kogge_engine_client::{CertificateError, ClusterAccess, Served, served_certificate};
use kogge_mongo::{MongoDb, PodName};
use mongodb::bson::doc;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;

use crate::engine::Engine;
use crate::error::{CommandError, StepError};
use crate::session::Login;

const DEADLINE: Duration = Duration::from_secs(15);
/// How many servers read their files at once: one of each set would do, and a fleet of port-forwards would not.
const AT_ONCE: usize = 8;

impl Engine {
    /// Looks at the certificate that each server serves, and tells those that serve another one than is wanted, as PEM,
    /// to read their files again. `may` is asked directly before each command; where it says no, nothing more is sent.
    pub async fn reload_certificates(
        &self,
        access: &ClusterAccess,
        wanted: &BTreeMap<PodName, &str>,
        may: impl Fn() -> bool,
    ) -> Result<Served<StepError>, CertificateError> {
        let mut servers = Vec::new();
        for (pod, pem) in wanted {
            let leaf = CertificateDer::from_pem_slice(pem.as_bytes());
            servers.push((pod, leaf.map_err(|error| CertificateError(error.to_string()))?));
        }
        let mut served = Served { missing: Vec::new(), failed: None };
        for some in servers.chunks(AT_ONCE) {
            let asked = some.iter().map(|(pod, leaf)| self.reload(access, pod, leaf, &may));
            for ((pod, _), outcome) in some.iter().zip(join_all(asked).await) {
                match outcome {
                    Ok(true) => {}
                    Ok(false) => served.missing.push((*pod).clone()),
                    Err(error) => {
                        served.missing.push((*pod).clone());
                        served.failed.get_or_insert(error);
                    }
                }
            }
        }
        Ok(served)
    }

    /// Whether a server serves a certificate; one that does not is told to read its files again.
    async fn reload(
        &self,
        access: &ClusterAccess,
        pod: &PodName,
        leaf: &CertificateDer<'_>,
        may: &impl Fn() -> bool,
    ) -> Result<bool, StepError> {
        let failed = |source| StepError::Command { pod: pod.clone(), source };
        let unseen = |error| failed(CommandError::unreachable(&error));
        let served = async || {
            let trust = access.trust.as_ref();
            served_certificate(&*access.reach, pod, MongoDb::PORT, trust).await.map_err(unseen)
        };
        if served().await? == *leaf {
            return Ok(true);
        }
        if !may() {
            return Ok(false);
        }
        let operator = Login::User(&access.credentials.operator);
        let session = self.sessions.get(access, pod, operator).await.map_err(failed)?;
        session.run(doc! { "rotateCertificates": 1 }, DEADLINE).await.map_err(failed)?;
        Ok(served().await? == *leaf)
    }
}
