//! Members at their pods' addresses, where these are routed to the operator; and each member by its own way.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use async_trait::async_trait;
use kogge_engine::{PodName, Port};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::port_forward::PortForward;
use crate::reach::{Connection, MemberReach, ReachError};

/// A pod's address must take a connection within this.
const CONNECT_DEADLINE: Duration = Duration::from_secs(3);

/// A pod that is reached at its address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// The pod's address.
    pub ip: IpAddr,
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
}

impl Ways {
    /// Reaches `direct` at their addresses, and the others as `through` says.
    pub fn new(direct: BTreeMap<PodName, Address>, through: PortForward) -> Self {
        Self { direct, through }
    }
}

#[async_trait]
impl MemberReach for Ways {
    fn identity(&self, pod: &PodName) -> Option<String> {
        match self.direct.get(pod) {
            Some(direct) => Some(format!("{}/{}", direct.uid, direct.ip)),
            None => self.through.identity(pod),
        }
    }

    async fn connect(&self, pod: &PodName, port: Port) -> Result<Connection, ReachError> {
        let Some(Address { ip, .. }) = self.direct.get(pod) else {
            return self.through.connect(pod, port).await;
        };
        let address = (*ip, port.number).into();
        let no_route = |reason| ReachError::NoRoute { pod: pod.clone(), port: port.name, address, reason };
        let stream = connect(address).await.map_err(no_route)?;
        stream.set_nodelay(true).map_err(|error| no_route(error.to_string()))?;
        Ok(Box::new(stream))
    }

    async fn probe(&self, pod: &PodName, port: Port) -> Result<(), ReachError> {
        if self.direct.contains_key(pod) { self.connect(pod, port).await.map(drop) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::sync::Arc;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;
    use crate::tunnel::Tunnel;

    fn ways(ip: IpAddr) -> Ways {
        let direct = BTreeMap::from([("pod-0".into(), Address { ip, uid: "u".to_owned() })]);
        Ways::new(direct, PortForward::default())
    }

    async fn listener() -> (TcpListener, Port) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let number = listener.local_addr().unwrap().port();
        (listener, Port { name: "client", number })
    }

    const LOCALHOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    #[tokio::test]
    async fn bytes_go_to_the_pod_and_back() {
        let (server, port) = listener().await;
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
        let tunnel = Tunnel::open(Arc::new(ways(LOCALHOST)), &"pod-0".into(), port, None).await.unwrap();
        assert!(tunnel.address.ip().is_loopback(), "the driver checks `localhost` certificates");
        let mut connection = TcpStream::connect(tunnel.address).await.unwrap();
        connection.write_all(b"ping").await.unwrap();
        let mut word = [0; 4];
        connection.read_exact(&mut word).await.unwrap();
        assert_eq!(&word, b"ping");
    }

    #[tokio::test]
    async fn an_address_without_a_route_is_named_and_no_other_way_is_taken() {
        let (closed, port) = listener().await;
        let address = closed.local_addr().unwrap();
        drop(closed);
        let open = async |pod: &str| Tunnel::open(Arc::new(ways(LOCALHOST)), &pod.into(), port, None).await;
        let error = open("pod-0").await.unwrap_err().to_string();
        assert!(error.contains(&address.to_string()) && error.contains("refused"), "{error}");
        let other = ways(LOCALHOST).connect(&"pod-1".into(), port).await;
        assert!(matches!(other, Err(ReachError::NoPod(_))), "a pod that nobody knows");
    }

    #[test]
    fn another_pod_or_another_way_is_another_identity() {
        let ip = |last| IpAddr::V4(Ipv4Addr::new(127, 0, 0, last));
        assert_eq!(ways(ip(1)).identity(&"pod-0".into()).as_deref(), Some("u/127.0.0.1"));
        assert_ne!(ways(ip(1)).identity(&"pod-0".into()), ways(ip(2)).identity(&"pod-0".into()));
        assert_eq!(ways(ip(1)).identity(&"pod-1".into()), None);
    }
}
