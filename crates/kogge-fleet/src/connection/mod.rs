//! One worker's client, with its own deadline, limit and breaker.

mod breaker;
mod gate;
mod size;

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use kube::Client;
use kube::client::ClientBuilder;
use kube::config::AuthInfo;

use crate::kubeconfig::{KubeconfigError, WorkerCredentials};

pub(crate) use gate::{Bounds, GateError, Health};

/// A client that nothing else shares.
///
/// It is made from parsed credentials, never from a kubeconfig, so that no `exec` can run; and without
/// kube's own retries, which hold a request for 210 s while a server answers 503.
pub(crate) fn client(
    credentials: &WorkerCredentials,
    bounds: &Arc<Bounds>,
    connect: Duration,
) -> Result<Client, KubeconfigError> {
    let mut config = kube::Config::new(credentials.server.clone());
    config.root_cert = Some(credentials.authorities.clone());
    config.tls_server_name.clone_from(&credentials.tls_server_name);
    config.connect_timeout = Some(connect);
    config.default_retry = false;
    config.auth_info = AuthInfo {
        token: credentials.token.clone().map(Into::into),
        client_certificate_data: credentials.client.as_ref().map(|c| STANDARD.encode(&c.certificate)),
        client_key_data: credentials.client.as_ref().map(|c| STANDARD.encode(&c.key).into()),
        ..AuthInfo::default()
    };
    let builder = ClientBuilder::try_from(config).map_err(|_| KubeconfigError::UnusablePair)?;
    Ok(builder.with_layer(&gate::GateLayer::new(Arc::clone(bounds))).build())
}
