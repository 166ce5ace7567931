//! What a worker's API server answers when it is asked who it is and what Kogge may do there.

mod failure;
mod permissions;

use std::time::Duration;

use http::Request;
use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::api::rbac::v1::PolicyRule;
use kube::Client;
use serde::Deserialize;

use crate::connection::Health;

pub(crate) use failure::ProbeFailure;
pub(crate) use permissions::missing;

/// The rules that Kogge's credentials must be given by a worker's Roles (A11).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RequiredRules {
    /// In each of the allowed namespaces.
    pub namespaced: Vec<PolicyRule>,
    /// In Kogge's own namespace in the worker. Where this is not empty, the ConfigMaps and Secrets there
    /// that carry our label are watched as well.
    pub system: Vec<PolicyRule>,
    /// In the cluster as a whole.
    pub cluster: Vec<PolicyRule>,
}

/// The identity of the cluster behind a client: the UID of `kube-system`, which lives as long as the cluster.
pub(crate) async fn identity(client: &Client, deadline: Duration) -> Result<String, ProbeFailure> {
    let namespace: Namespace = get(client, "/api/v1/namespaces/kube-system", deadline).await?;
    namespace.metadata.uid.ok_or(ProbeFailure::NotKubernetes)
}

/// The API server's version, such as `v1.34.4`.
pub(crate) async fn version(client: &Client, deadline: Duration) -> Result<String, ProbeFailure> {
    #[derive(Deserialize)]
    struct Version {
        #[serde(rename = "gitVersion")]
        git_version: String,
    }
    get::<Version>(client, "/version", deadline).await.map(|version| version.git_version)
}

async fn get<T: serde::de::DeserializeOwned>(
    client: &Client,
    path: &'static str,
    deadline: Duration,
) -> Result<T, ProbeFailure> {
    let mut request = Request::get(path).body(Vec::new()).map_err(|_| ProbeFailure::NotKubernetes)?;
    request.extensions_mut().insert(Health { deadline });
    client.request(request).await.map_err(|error| ProbeFailure::of(&error))
}
