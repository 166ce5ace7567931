//! Members through their worker's API: a loopback listener per pod, one port-forward stream per connection.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use k8s_openapi::api::core::v1::Pod;
use kogge_mongo::PodName;
use kube::{Api, Client};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tracing::debug;

use crate::forward::{Trust, carry, listen};
use crate::reach::{MemberReach, ReachError, Tunnel};

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
}

#[async_trait]
impl MemberReach for PortForward {
    fn identity(&self, pod: &PodName) -> Option<String> {
        self.targets.get(pod).map(|target| format!("{}/{}", target.uid, target.connection))
    }

    async fn open(&self, pod: &PodName) -> Result<Tunnel, ReachError> {
        let target = self.targets.get(pod).ok_or_else(|| ReachError::NoPod(pod.clone()))?;
        let way = Way {
            pods: Api::namespaced(target.client.clone(), &target.namespace),
            pod: pod.clone(),
            port: target.port,
            trust: self.trust.clone(),
        };
        listen(pod, move |connection| way.clone().carry(connection)).await
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
        let ports = [self.port];
        let opening = self.pods.portforward(self.pod.as_str(), &ports);
        let mut forwarder = match timeout(OPEN_DEADLINE, opening).await {
            Ok(Ok(forwarder)) => forwarder,
            Ok(Err(error)) => {
                debug!(pod = %self.pod, %error, "port-forward refused");
                return;
            }
            Err(_) => {
                debug!(pod = %self.pod, "port-forward not opened in time");
                return;
            }
        };
        let Some(mut stream) = forwarder.take_stream(self.port) else {
            return;
        };
        if let Err(error) = carry(self.trust.as_ref(), &mut connection, &mut stream).await {
            debug!(pod = %self.pod, %error, "port-forward ended");
        }
        drop(stream);
        forwarder.abort();
    }
}
