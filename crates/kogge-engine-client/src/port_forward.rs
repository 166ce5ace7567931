//! Members through their worker's API: one port-forward stream per connection.

use std::collections::BTreeMap;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use async_trait::async_trait;
use k8s_openapi::api::core::v1::Pod;
use kogge_engine::{PodName, Port};
use kube::api::Portforwarder;
use kube::{Api, Client};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::timeout;

use crate::reach::{Connection, MemberReach, ReachError};

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
    /// Changes whenever the worker's client was made anew: connections through an old one are given up.
    pub connection: u64,
}

/// Reaches pods by `portforward`. The server sees a connection from its pod's loopback.
#[derive(Clone, Default)]
pub struct PortForward {
    targets: BTreeMap<PodName, Target>,
}

impl PortForward {
    /// The pods that can be reached now: those that run, on workers that are connected.
    pub fn new(targets: BTreeMap<PodName, Target>) -> Self {
        Self { targets }
    }
}

#[async_trait]
impl MemberReach for PortForward {
    fn identity(&self, pod: &PodName) -> Option<String> {
        self.targets.get(pod).map(|target| format!("{}/{}", target.uid, target.connection))
    }

    async fn connect(&self, pod: &PodName, port: Port) -> Result<Connection, ReachError> {
        let target = self.targets.get(pod).ok_or_else(|| ReachError::NoPod(pod.clone()))?;
        let failed = |reason: String| ReachError::NoForward { pod: pod.clone(), port: port.name, reason };
        let pods: Api<Pod> = Api::namespaced(target.client.clone(), &target.namespace);
        let ports = [port.number];
        let mut forwarder = match timeout(OPEN_DEADLINE, pods.portforward(pod.as_str(), &ports)).await {
            Ok(Ok(forwarder)) => forwarder,
            Ok(Err(error)) => return Err(failed(error.to_string())),
            Err(_) => return Err(failed(format!("no answer within {} s", OPEN_DEADLINE.as_secs()))),
        };
        let stream = forwarder.take_stream(port.number);
        let stream = stream.ok_or_else(|| failed("the API server opened no stream".to_owned()))?;
        Ok(Box::new(Forwarded { stream, forwarder }))
    }
}

/// A stream, and what carries it, which ends with it.
struct Forwarded<S> {
    stream: S,
    forwarder: Portforwarder,
}

impl<S> Drop for Forwarded<S> {
    fn drop(&mut self) {
        self.forwarder.abort();
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Forwarded<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Forwarded<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
