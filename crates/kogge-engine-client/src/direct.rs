//! Members at their pods' addresses, where these are routed to the operator; and each member by its own way.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use async_trait::async_trait;
use kogge_engine::PodName;
use rustls_pki_types::CertificateDer;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tracing::debug;

use crate::forward::{Trust, carry, listen, served};
use crate::port_forward::PortForward;
use crate::reach::{MemberReach, NO_TLS, ReachError, Tunnel};

/// A pod's address must take a connection within this.
const CONNECT_DEADLINE: Duration = Duration::from_secs(3);

/// A pod that is reached at its address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// Where its server listens.
    pub address: SocketAddr,
    /// The pod's uid.
    pub uid: String,
}

/// Whether a server takes a connection at its pod's address; the error says why not.
pub async fn try_address(address: SocketAddr) -> Result<(), String> {
    connect(address).await.map(drop)
}

async fn connect(address: SocketAddr) -> Result<TcpStream, String> {
    match timeout(CONNECT_DEADLINE, TcpStream::connect(address)).await {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(format!("no answer within {} s", CONNECT_DEADLINE.as_secs())),
    }
}

/// Reaches each pod by one way and never by another one instead: at its address, or through its worker's API.
#[derive(Clone, Default)]
pub struct Ways {
    direct: BTreeMap<PodName, Address>,
    through: PortForward,
    trust: Option<Trust>,
}

impl Ways {
    /// Reaches `direct` at their addresses, and the others as `through` says.
    pub fn new(direct: BTreeMap<PodName, Address>, through: PortForward, trust: Option<Trust>) -> Self {
        Self { direct, through: through.trusting(trust.clone()), trust }
    }
}

#[async_trait]
impl MemberReach for Ways {
    fn identity(&self, pod: &PodName) -> Option<String> {
        match self.direct.get(pod) {
            Some(direct) => Some(format!("{}/{}", direct.uid, direct.address)),
            None => self.through.identity(pod),
        }
    }

    async fn open(&self, pod: &PodName) -> Result<Tunnel, ReachError> {
        let Some(Address { address, .. }) = self.direct.get(pod).cloned() else {
            return self.through.open(pod).await;
        };
        // The driver would only say that its connection ended.
        connect(address).await.map_err(|reason| ReachError::NoRoute { pod: pod.clone(), address, reason })?;
        let trust = self.trust.clone();
        listen(pod, move |mut connection| {
            let trust = trust.clone();
            async move {
                let carried = match connect(address).await {
                    Ok(mut stream) => carry(trust.as_ref(), &mut connection, &mut stream)
                        .await
                        .map_err(|error| error.to_string()),
                    Err(reason) => Err(reason),
                };
                if let Err(error) = carried {
                    debug!(%address, %error, "connection ended");
                }
            }
        })
        .await
    }

    async fn certificate(&self, pod: &PodName) -> Result<CertificateDer<'static>, ReachError> {
        let Some(Address { address, .. }) = self.direct.get(pod) else {
            return self.through.certificate(pod).await;
        };
        let failed = |reason: String| ReachError::certificate(pod, reason);
        let trust = self.trust.as_ref().ok_or_else(|| failed(NO_TLS.to_owned()))?;
        let mut stream = connect(*address).await.map_err(failed)?;
        served(trust, &mut stream).await.map_err(|error| failed(error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    fn ways(address: SocketAddr) -> Ways {
        let direct = BTreeMap::from([("pod-0".into(), Address { address, uid: "u".to_owned() })]);
        Ways::new(direct, PortForward::default(), None)
    }

    #[tokio::test]
    async fn bytes_go_to_the_pod_and_back() {
        let server = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let ways = ways(server.local_addr().unwrap());
        tokio::spawn(async move {
            while let Ok((mut connection, _)) = server.accept().await {
                tokio::spawn(async move {
                    let mut word = [0; 4];
                    if connection.read_exact(&mut word).await.is_ok() {
                        connection.write_all(&word).await.unwrap();
                    }
                });
            }
        });
        let tunnel = ways.open(&"pod-0".into()).await.unwrap();
        assert!(tunnel.address.ip().is_loopback(), "the driver checks `localhost` certificates");
        let mut connection = TcpStream::connect(tunnel.address).await.unwrap();
        connection.write_all(b"ping").await.unwrap();
        let mut word = [0; 4];
        connection.read_exact(&mut word).await.unwrap();
        assert_eq!(&word, b"ping");
    }

    #[tokio::test]
    async fn an_address_without_a_route_is_named_and_no_other_way_is_taken() {
        let closed = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap().local_addr().unwrap();
        let error = ways(closed).open(&"pod-0".into()).await.unwrap_err().to_string();
        assert!(error.contains(&closed.to_string()) && error.contains("refused"), "{error}");
        assert!(ways(closed).open(&"pod-1".into()).await.is_err(), "a pod that nobody knows");
    }

    #[test]
    fn another_pod_or_another_way_is_another_identity() {
        let address = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        assert_eq!(ways(address(1)).identity(&"pod-0".into()).as_deref(), Some("u/127.0.0.1:1"));
        assert_ne!(ways(address(1)).identity(&"pod-0".into()), ways(address(2)).identity(&"pod-0".into()));
        assert_eq!(ways(address(1)).identity(&"pod-1".into()), None);
    }
}
