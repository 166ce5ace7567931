use std::{sync::Arc, time::Duration};

use bson::{Document, doc};
use futures::FutureExt;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpStream, lookup_host},
    time::{Instant, sleep_until, timeout_at},
};

use super::{Faults, Stream, Tls};
use crate::{
    auth::{ClusterKey, Mechanism, scram::ClientExchange},
    error::CommandError,
    wire::{self, Message, OpMsg, WireError},
};

/// How members prove the cluster key to each other.
const INTERNAL: Mechanism = Mechanism::ScramSha256;

/// Why a peer could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum NetError {
    /// The name does not resolve, nobody listens, or TLS fails.
    #[error("cannot connect to {host}: {reason}")]
    Connect {
        /// `host:port`.
        host: String,
        /// The system's reason.
        reason: String,
    },
    /// No answer within the deadline.
    #[error("no answer from {0} in time")]
    Timeout(String),
    /// The connection broke or spoke another protocol.
    #[error("connection to {host} failed: {source}")]
    Wire {
        /// `host:port`.
        host: String,
        /// What broke.
        source: WireError,
    },
    /// The peer refused the cluster key.
    #[error("{host} refused the internal authentication: {reason}")]
    Auth {
        /// `host:port`.
        host: String,
        /// The peer's reason, or what its signature lacked.
        reason: String,
    },
}

/// One connection to another member, authenticated with the cluster key when there is one.
#[derive(Debug)]
pub struct Connection {
    host: String,
    stream: BufReader<Stream>,
    faults: Arc<Faults>,
}

impl Connection {
    /// Resolves `host` afresh, connects and authenticates, all before `deadline`.
    pub async fn open(
        host: &str,
        tls: Option<&Tls>,
        key: Option<&ClusterKey>,
        faults: Arc<Faults>,
        deadline: Instant,
    ) -> Result<Self, NetError> {
        if faults.is_blocked(host) {
            sleep_until(deadline).await;
            return Err(NetError::Timeout(host.to_owned()));
        }
        let stream =
            timeout_at(deadline, connect(host, tls)).await.map_err(|_| NetError::Timeout(host.to_owned()))??;
        let mut connection = Self { host: host.to_owned(), stream: BufReader::new(stream), faults };
        if let Some(key) = key {
            connection.authenticate(key, deadline).await?;
        }
        Ok(connection)
    }

    /// Whether the peer has not closed an idle connection.
    pub(super) fn is_alive(&mut self) -> bool {
        let mut byte = [0];
        self.stream.read(&mut byte).now_or_never().is_none()
    }

    /// Sends a command and waits for its reply, a refusal included.
    pub async fn command(&mut self, command: &Document, limit: Duration) -> Result<Document, NetError> {
        self.command_until(command, Instant::now() + limit).await
    }

    async fn command_until(&mut self, command: &Document, deadline: Instant) -> Result<Document, NetError> {
        let exchange = timeout_at(deadline, self.exchange(command)).await;
        if self.faults.is_blocked(&self.host) {
            sleep_until(deadline).await;
            return Err(NetError::Timeout(self.host.clone()));
        }
        exchange
            .map_err(|_| NetError::Timeout(self.host.clone()))?
            .map_err(|source| NetError::Wire { host: self.host.clone(), source })
    }

    async fn exchange(&mut self, command: &Document) -> Result<Document, WireError> {
        if self.faults.is_blocked(&self.host) {
            std::future::pending::<()>().await;
        }
        let request_id = wire::next_request_id();
        let bytes = OpMsg::encode(request_id, 0, 0, command)?;
        self.stream.write_all(&bytes).await?;
        self.stream.flush().await?;
        match wire::read_message(&mut self.stream).await? {
            Some(Message::Msg(reply)) if reply.response_to == request_id => Ok(reply.body),
            Some(_) => Err(WireError::Malformed("reply to another request".into())),
            None => Err(WireError::Io(std::io::ErrorKind::UnexpectedEof.into())),
        }
    }

    async fn authenticate(&mut self, key: &ClusterKey, deadline: Instant) -> Result<(), NetError> {
        let mut last = None;
        for text in key.texts() {
            match self.scram(text, deadline).await {
                Err(refused @ NetError::Auth { .. }) => last = Some(refused),
                other => return other,
            }
        }
        last.map_or(Ok(()), Err)
    }

    async fn scram(&mut self, password: &str, deadline: Instant) -> Result<(), NetError> {
        let refused = |host: &str, reason: String| NetError::Auth { host: host.to_owned(), reason };
        let (exchange, first) = ClientExchange::start("__system");
        let reply = self
            .sasl(
                doc! { "saslStart": 1, "mechanism": INTERNAL.name(), "payload": binary(first), "$db": "local" },
                deadline,
            )
            .await?;
        let conversation = reply.get("conversationId").cloned().unwrap_or(bson::Bson::Int32(1));
        let server_first = payload(&reply);
        let (verifier, last) =
            exchange.answer(INTERNAL, password, &server_first).map_err(|e| refused(&self.host, e.to_string()))?;
        let reply = self
            .sasl(
                doc! { "saslContinue": 1, "conversationId": conversation, "payload": binary(last), "$db": "local" },
                deadline,
            )
            .await?;
        verifier.check(&payload(&reply)).map_err(|e| refused(&self.host, e.to_string()))
    }

    async fn sasl(&mut self, command: Document, deadline: Instant) -> Result<Document, NetError> {
        let reply = self.command_until(&command, deadline).await?;
        match CommandError::from_reply(&reply) {
            None => Ok(reply),
            Some(e) => Err(NetError::Auth { host: self.host.clone(), reason: e.message }),
        }
    }
}

async fn connect(host: &str, tls: Option<&Tls>) -> Result<Stream, NetError> {
    let failed = |reason: String| NetError::Connect { host: host.to_owned(), reason };
    let addresses = lookup_host(host).await.map_err(|e| failed(e.to_string()))?;
    let mut reason = "the name has no address".to_owned();
    for address in addresses {
        match TcpStream::connect(address).await {
            Ok(stream) => {
                stream.set_nodelay(true).map_err(|e| failed(e.to_string()))?;
                return match tls {
                    Some(tls) => tls.connect(host, stream).await.map_err(|e| failed(format!("TLS: {e}"))),
                    None => Ok(Stream::Plain(stream)),
                };
            }
            Err(e) => reason = format!("{address}: {e}"),
        }
    }
    Err(failed(reason))
}

fn binary(text: String) -> bson::Binary {
    bson::Binary { subtype: bson::spec::BinarySubtype::Generic, bytes: text.into_bytes() }
}

fn payload(reply: &Document) -> String {
    reply
        .get_binary_generic("payload")
        .map(|bytes| String::from_utf8_lossy(bytes).into_owned())
        .unwrap_or_default()
}
