//! One worker's client, with its own deadline, limit and breaker.

mod breaker;
mod gate;
mod size;
pub(crate) mod warnings;

use std::sync::Arc;
use std::time::Duration;

use kube::Client;
use kube::client::ClientBuilder;
use kube::config::AuthInfo;

use crate::kubeconfig::{self, KubeconfigError, WorkerCredentials};
use crate::proxy::ProxyEnvironment;

pub(crate) use gate::{Bounds, GateError, Health};

/// A client that nothing else shares.
///
/// It is made from parsed credentials, never from a kubeconfig, so that no `exec` can run; and without
/// kube's own retries, which hold a request for 210 s while a server answers 503.
pub(crate) fn client(
    credentials: &WorkerCredentials,
    proxies: &ProxyEnvironment,
    bounds: &Arc<Bounds>,
    connect: Duration,
) -> Result<Client, KubeconfigError> {
    let mut config = kube::Config::new(credentials.server.clone());
    config.root_cert = Some(credentials.authorities.clone());
    config.tls_server_name.clone_from(&credentials.tls_server_name);
    config.proxy_url = proxies
        .of_server(&credentials.server, credentials.proxy.as_ref())
        .map_err(|error| KubeconfigError::Proxy { key: "HTTPS_PROXY of the operator".to_owned(), error })?;
    config.connect_timeout = Some(connect);
    config.default_retry = false;
    config.auth_info = AuthInfo {
        token: credentials.token.clone().map(Into::into),
        client_certificate_data: credentials.client.as_ref().map(|c| kubeconfig::encode(&c.certificate)),
        client_key_data: credentials.client.as_ref().map(|c| kubeconfig::encode(&c.key).into()),
        ..AuthInfo::default()
    };
    let builder =
        ClientBuilder::try_from(config).map_err(|error| KubeconfigError::Unusable { why: error.to_string() })?;
    Ok(builder.with_layer(&gate::GateLayer::new(Arc::clone(bounds))).build())
}
