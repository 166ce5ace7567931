//! The listener, one task per connection, and the loop that reads requests and writes replies.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};

use async_trait::async_trait;
use bson::{Bson, Document};
use tokio::{
    io::{AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
};
use tokio_util::sync::CancellationToken;

use crate::{
    auth::AuthState,
    net::{Stream, Tls},
    wire::{self, EXHAUST_ALLOWED, MORE_TO_COME, Message, OpMsg, OpQuery, WireError},
};

/// A connected client.
pub struct Client {
    /// `connectionId`.
    pub id: i64,
    /// Its address.
    pub peer: SocketAddr,
    /// Who it is.
    pub auth: AuthState,
}

/// One command.
#[derive(Debug, Clone)]
pub struct Request {
    /// The first field's name.
    pub name: String,
    /// `$db`.
    pub db: String,
    /// The command.
    pub body: Document,
}

impl Request {
    /// A command from a message's body.
    pub fn new(body: Document) -> Self {
        let name = body.keys().next().cloned().unwrap_or_default();
        let db = body.get_str("$db").unwrap_or("admin").to_owned();
        Self { name, db, body }
    }

    /// The collection that the command's first field names, as `db.collection`.
    pub fn namespace(&self) -> Option<String> {
        let collection = self.body.get_str(&self.name).ok().filter(|c| !c.is_empty())?;
        Some(format!("{}.{collection}", self.db))
    }
}

/// What runs commands: a mongod or a mongos.
#[async_trait]
pub trait Service: Send + Sync + 'static {
    /// Runs a command; every outcome is a reply.
    async fn run(&self, client: &mut Client, request: &Request) -> Document;
}

static CONNECTIONS: AtomicI64 = AtomicI64::new(0);

/// Accepts connections until `shutdown`.
pub async fn serve(
    listener: TcpListener,
    tls: Option<Arc<Tls>>,
    service: Arc<dyn Service>,
    shutdown: CancellationToken,
) {
    loop {
        let accepted = tokio::select! {
            () = shutdown.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                let (tls, service, shutdown) = (tls.clone(), service.clone(), shutdown.clone());
                tokio::spawn(async move {
                    let client = Client {
                        id: CONNECTIONS.fetch_add(1, Ordering::Relaxed) + 1,
                        peer,
                        auth: AuthState::default(),
                    };
                    tokio::select! {
                        () = shutdown.cancelled() => {}
                        ended = converse(stream, tls.as_deref(), client, service.as_ref()) => {
                            if let Err(e) = ended {
                                tracing::debug!(%peer, error = %e, "connection ended");
                            }
                        }
                    }
                });
            }
            Err(e) => {
                tracing::warn!(error = %e, "accept failed");
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            }
        }
    }
}

async fn converse(
    stream: TcpStream,
    tls: Option<&Tls>,
    mut client: Client,
    service: &dyn Service,
) -> Result<(), WireError> {
    stream.set_nodelay(true)?;
    let stream = match tls {
        Some(tls) => tls.accept(stream).await?,
        None => Stream::Plain(stream),
    };
    let mut stream = BufReader::new(stream);
    while let Some(message) = wire::read_message(&mut stream).await? {
        match message {
            Message::Query(OpQuery { request_id, body }) => {
                let reply = service.run(&mut client, &Request::new(body)).await;
                let bytes = OpQuery::encode_reply(wire::next_request_id(), request_id, &reply)?;
                stream.write_all(&bytes).await?;
                stream.flush().await?;
            }
            Message::Msg(message) => answer(&mut stream, message, &mut client, service).await?,
        }
    }
    Ok(())
}

async fn answer(
    stream: &mut BufReader<Stream>,
    message: OpMsg,
    client: &mut Client,
    service: &dyn Service,
) -> Result<(), WireError> {
    let mut request = Request::new(message.body);
    let mut responding_to = message.request_id;
    loop {
        let reply = service.run(client, &request).await;
        if message.flags & MORE_TO_COME != 0 {
            return Ok(());
        }
        let next = exhaust(&request, &reply).filter(|_| message.flags & EXHAUST_ALLOWED != 0);
        let flags = if next.is_some() { MORE_TO_COME } else { 0 };
        let request_id = wire::next_request_id();
        let bytes = OpMsg::encode(request_id, responding_to, flags, &reply)?;
        stream.write_all(&bytes).await?;
        stream.flush().await?;
        let Some(version) = next else { return Ok(()) };
        request.body.insert("topologyVersion", version);
        responding_to = request_id;
    }
}

/// The topology version to wait on next, when a reply is one of a stream of hellos.
fn exhaust(request: &Request, reply: &Document) -> Option<Bson> {
    let awaits = request.body.contains_key("maxAwaitTimeMS") && request.body.contains_key("topologyVersion");
    (awaits && crate::error::is_ok(reply)).then(|| reply.get("topologyVersion").cloned()).flatten()
}
