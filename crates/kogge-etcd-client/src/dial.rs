//! A connection to a port of a member, with TLS where the credentials have it.

use std::time::Duration;

use http::Uri;
use http::uri::Authority;
use kogge_engine::Port;
use kogge_engine_client::{Connection, ReachError};
use kogge_etcd::{Goal, PodName, Url};
use tokio::time::timeout;

use crate::access::{CLIENT, ClusterAccess, PEER};
use crate::error::CallError;

/// A connection must be there within this, and shake hands within as much again.
const DIAL_DEADLINE: Duration = Duration::from_secs(2);

/// What is spoken inside TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    Http1,
    Http2,
}

impl Protocol {
    fn alpn(self) -> &'static [u8] {
        match self {
            Self::Http1 => b"http/1.1",
            Self::Http2 => b"h2",
        }
    }
}

/// A member, and what its certificates bear.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Member {
    pub(crate) pod: PodName,
    client: Url,
    peer: Url,
}

impl Member {
    /// The goal's members, wanted and leaving. Of those that leave only the URL for peers is known.
    pub(crate) fn of(goal: &Goal) -> impl Iterator<Item = Self> {
        let wanted = goal.members.iter().map(|m| (&m.pod, &m.client_url, &m.peer_url));
        let leaving = goal.leaving.iter().map(|m| (&m.pod, &m.peer_url, &m.peer_url));
        wanted.chain(leaving).map(|(pod, client, peer)| Self {
            pod: pod.clone(),
            client: client.clone(),
            peer: peer.clone(),
        })
    }

    /// Host and port by which a port is known.
    pub(crate) fn authority(&self, port: Port) -> Result<Authority, CallError> {
        let url = if port == PEER { &self.peer } else { &self.client };
        let authority = url.as_str().parse::<Uri>().ok().and_then(|uri| uri.authority().cloned());
        authority.ok_or_else(|| CallError::Unreachable {
            reason: format!("the URL {url} of {} cannot be read; write it as https://HOST:PORT", self.pod),
        })
    }
}

/// Connects to a port. No answer to the handshake is a silence, which says something else than no connection: a client
/// port takes connections before it answers.
pub(crate) async fn open(
    access: &ClusterAccess,
    member: &Member,
    port: Port,
    protocol: Protocol,
) -> Result<Connection, CallError> {
    let pod = &member.pod;
    let Ok(connected) = timeout(DIAL_DEADLINE, access.reach.connect(pod, port)).await else {
        let seconds = DIAL_DEADLINE.as_secs();
        return Err(CallError::Unreachable {
            reason: format!("no connection to its {} port within {seconds} s", port.name),
        });
    };
    let stream = connected.map_err(|error: ReachError| CallError::Unreachable { reason: error.to_string() })?;
    let trust = match port {
        CLIENT => &access.credentials.client,
        PEER => &access.credentials.peer,
        _ => &None,
    };
    let Some(trust) = trust else { return Ok(stream) };
    let authority = member.authority(port)?;
    let host = authority.host().trim_start_matches('[').trim_end_matches(']');
    let handshake = timeout(DIAL_DEADLINE, trust.connect(host, Some(protocol.alpn()), stream)).await;
    match handshake.map_err(|_| CallError::late("TLS handshake", DIAL_DEADLINE))? {
        Ok(stream) => Ok(Box::new(stream)),
        Err(error) => Err(CallError::Unreachable {
            reason: format!("the TLS handshake with its {} port failed: {error}", port.name),
        }),
    }
}
