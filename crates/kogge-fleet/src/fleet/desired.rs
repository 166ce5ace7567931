//! What a WorkerCluster and its Secret ask of a connection.

use std::time::Duration;

use jiff::Timestamp;
use kogge_api::WorkerCluster;
use kogge_api::worker_cluster::AllowedNamespaces;

use super::SecretLookup;
use super::findings::Verdict;
use crate::kubeconfig::{KubeconfigError, WorkerCredentials};

/// The connection that should stand.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Desired {
    /// The credentials, or what is wrong with them.
    pub(super) credentials: Result<WorkerCredentials, Verdict>,
    /// The UID that the WorkerCluster had before.
    pub(super) pinned: Option<String>,
    pub(super) bounds: Limits,
    pub(super) allowed: AllowedNamespaces,
}

/// The bounds of a worker's requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Limits {
    pub(super) concurrency: usize,
    pub(super) deadline: Duration,
}

impl Desired {
    pub(super) fn new(object: &WorkerCluster, secret: &SecretLookup, system: &str, now: Timestamp) -> Self {
        let key = &object.spec.kubeconfig.secret_ref;
        let credentials = match secret {
            SecretLookup::Found(bytes) => WorkerCredentials::parse(bytes, now)
                .map_err(|error| Verdict::no(error.reason(), in_secret(system, &key.name, &key.key, &error))),
            SecretLookup::NoSecret => Err(Verdict::no(
                "SecretMissing",
                format!(
                    "Secret {system}/{} does not exist: make it with `kogge worker join`, or correct spec.kubeconfig.secretRef.name",
                    key.name
                ),
            )),
            SecretLookup::NoKey => Err(Verdict::no(
                "SecretKeyMissing",
                format!(
                    "Secret {system}/{} has no key {:?}: put the kubeconfig there, or correct spec.kubeconfig.secretRef.key",
                    key.name, key.key
                ),
            )),
        };
        let limits = &object.spec.limits;
        Self {
            credentials,
            pinned: object.status.as_ref().and_then(|status| status.uid.clone()),
            bounds: Limits {
                concurrency: usize::try_from(limits.concurrency).unwrap_or(1).max(1),
                deadline: limits.request_timeout.into(),
            },
            allowed: object.spec.allowed_namespaces.clone(),
        }
    }
}

/// The error, with the place of the kubeconfig.
fn in_secret(system: &str, name: &str, key: &str, error: &KubeconfigError) -> String {
    format!("Secret {system}/{name}, key {key}: {error}")
}
