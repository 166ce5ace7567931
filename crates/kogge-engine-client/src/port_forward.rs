//! Members through their worker's API: a loopback listener per pod, one port-forward stream per connection.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use k8s_openapi::api::core::v1::Pod;
use kogge_engine::PodName;
use kube::api::Portforwarder;
use kube::{Api, Client};
use rustls_pki_types::CertificateDer;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tracing::debug;

use crate::forward::{Trust, carry, listen, served};
use crate::reach::{MemberReach, NO_TLS, ReachError, Tunnel};

/// The worker's API and the kubelet behind it must open a stream within this.
const OPEN_DEADLINE: Duration = Duration::from_secs(4);

/// Where a pod is.
#[derive(Clone)]
pub struct Target {
    /// A client for its worker. Its read timeout ends idle streams, so it must be above a minute.
    pub client: Client,
    /// Its namespace there.
    pub namespace: String,
    /// Its uid.
    pub uid: String,
    /// The port that its server listens on.
    pub port: u16,
    /// Changes whenever the worker's client was made anew: connections through an old one are given up.
    pub connection: u64,
}

/// Reaches pods by `portforward`.
#[derive(Clone, Default)]
pub struct PortForward {
    targets: BTreeMap<PodName, Target>,
    trust: Option<Trust>,
}

impl PortForward {
    /// The pods that can be reached now: those that run, on workers that are connected.
    pub fn new(targets: BTreeMap<PodName, Target>) -> Self {
        Self { targets, trust: None }
    }

    /// Speaks TLS to servers that `trust` trusts.
    #[must_use]
    pub fn trusting(self, trust: Option<Trust>) -> Self {
        Self { trust, ..self }
    }

    fn way(&self, pod: &PodName) -> Result<Way, ReachError> {
        let target = self.targets.get(pod).ok_or_else(|| ReachError::NoPod(pod.clone()))?;
        Ok(Way {
            pods: Api::namespaced(target.client.clone(), &target.namespace),
            pod: pod.clone(),
            port: target.port,
            trust: self.trust.clone(),
        })
    }
}

#[async_trait]
impl MemberReach for PortForward {
    fn identity(&self, pod: &PodName) -> Option<String> {
        self.targets.get(pod).map(|target| format!("{}/{}", target.uid, target.connection))
    }

    async fn open(&self, pod: &PodName) -> Result<Tunnel, ReachError> {
        let way = self.way(pod)?;
        listen(pod, move |connection| way.clone().carry(connection)).await
    }

    async fn certificate(&self, pod: &PodName) -> Result<CertificateDer<'static>, ReachError> {
        let way = self.way(pod)?;
        let failed = |reason: String| ReachError::certificate(pod, reason);
        let trust = way.trust.as_ref().ok_or_else(|| failed(NO_TLS.to_owned()))?;
        let (forwarder, mut stream) = way.stream().await.map_err(failed)?;
        let seen = served(trust, &mut stream).await;
        drop(stream);
        forwarder.abort();
        seen.map_err(|error| failed(error.to_string()))
    }
}

#[derive(Clone)]
struct Way {
    pods: Api<Pod>,
    pod: PodName,
    port: u16,
    trust: Option<Trust>,
}

impl Way {
    /// Carries one connection. On failure the connection is dropped, which is how the driver learns of it.
    async fn carry(self, mut connection: TcpStream) {
        let (forwarder, mut stream) = match self.stream().await {
            Ok(opened) => opened,
            Err(reason) => {
                debug!(pod = %self.pod, reason, "port-forward not opened");
                return;
            }
        };
        if let Err(error) = carry(self.trust.as_ref(), &mut connection, &mut stream).await {
            debug!(pod = %self.pod, %error, "port-forward ended");
        }
        drop(stream);
        forwarder.abort();
    }

    /// A stream to the server, or why there is none.
    async fn stream(&self) -> Result<(Portforwarder, impl AsyncRead + AsyncWrite + Unpin + use<>), String> {
        let ports = [self.port];
        let opening = self.pods.portforward(self.pod.as_str(), &ports);
        let mut forwarder = match timeout(OPEN_DEADLINE, opening).await {
            Ok(Ok(forwarder)) => forwarder,
            Ok(Err(error)) => return Err(error.to_string()),
            Err(_) => return Err(format!("no answer within {} s", OPEN_DEADLINE.as_secs())),
        };
        let stream = forwarder.take_stream(self.port).ok_or("the API server opened no stream")?;
        Ok((forwarder, stream))
    }
}
