//! `saslStart` and `saslContinue`, with SCRAM-SHA-256 alone.

use std::sync::LazyLock;

use async_trait::async_trait;
use bson::{Binary, Bson, Document, doc, spec::BinarySubtype};
use parking_lot::Mutex;

use crate::{
    auth::{
        ClusterKey, Conversation, Principal,
        scram::{self, Credential, INTERNAL_ITERATIONS, ServerExchange},
        users,
    },
    error::{CommandError, CommandResult, code},
    server::{Client, Request},
};

const MECHANISM: &str = "SCRAM-SHA-256";

/// Where users are looked up: the own store, or for mongos the config servers.
#[async_trait]
pub trait Users: Send + Sync {
    /// The stored document of a user.
    async fn user(&self, db: &str, name: &str) -> CommandResult<Option<Document>>;
    /// The cluster's key, if there is one.
    fn key(&self) -> Option<&ClusterKey>;
}

fn denied() -> CommandError {
    CommandError::new(code::AUTHENTICATION_FAILED, "Authentication failed.")
}

/// The `saslSupportedMechs` of hello for a user that exists.
pub async fn supported_mechanisms(users: &dyn Users, name: &str) -> Option<Vec<Bson>> {
    let (db, user) = name.split_once('.')?;
    let known = if (db, user) == ("local", "__system") {
        users.key().is_some()
    } else {
        users.user(db, user).await.ok()?.is_some()
    };
    known.then(|| vec![Bson::String(MECHANISM.to_owned())])
}

/// `speculativeAuthenticate` of hello: an error only means that the client starts over.
pub async fn speculate(users: &dyn Users, client: &mut Client, given: &Document) -> Option<Document> {
    let db = given.get_str("db").unwrap_or("admin").to_owned();
    let request = Request { name: "saslStart".into(), db, body: given.clone() };
    start(users, client, &request).await.ok()
}

/// `saslStart`.
pub async fn start(users: &dyn Users, client: &mut Client, request: &Request) -> CommandResult {
    client.auth.conversation = None;
    let mechanism = request.body.get_str("mechanism").unwrap_or_default();
    if mechanism != MECHANISM {
        return Err(CommandError::new(
            code::MECHANISM_UNAVAILABLE,
            format!("Received authentication for mechanism {mechanism} which is not enabled"),
        ));
    }
    let first = payload(&request.body)?;
    let name = scram::user_of(&first).map_err(|e| CommandError::bad_value(e.to_string()))?;
    let (principal, credentials) = resolve(users, &request.db, &name).await?;
    let (exchange, reply) = ServerExchange::start(&first, credentials).map_err(|_| denied())?;
    let skip_empty = request
        .body
        .get_document("options")
        .is_ok_and(|options| options.get_bool("skipEmptyExchange").unwrap_or(false));
    client.auth.conversation = Some(Conversation { exchange, principal, proven: false, skip_empty });
    Ok(step(reply, false))
}

/// `saslContinue`.
pub fn proceed(client: &mut Client, request: &Request) -> CommandResult {
    let mut conversation =
        client.auth.conversation.take().ok_or_else(|| CommandError::new(17, "No SASL session state found"))?;
    if conversation.proven {
        client.auth.principal = Some(conversation.principal);
        return Ok(step(String::new(), true));
    }
    let last = payload(&request.body)?;
    let reply = conversation.exchange.finish(&last).map_err(|_| {
        tracing::info!(user = conversation.principal.user, peer = %client.peer, "authentication failed");
        denied()
    })?;
    if conversation.skip_empty {
        client.auth.principal = Some(conversation.principal);
        return Ok(step(reply, true));
    }
    // Members skip the empty round; so does this server's own client, which is known by then.
    if conversation.principal.is_system() {
        client.auth.principal = Some(conversation.principal.clone());
    }
    conversation.proven = true;
    client.auth.conversation = Some(conversation);
    Ok(step(reply, false))
}

async fn resolve(users: &dyn Users, db: &str, name: &str) -> CommandResult<(Principal, Vec<Credential>)> {
    if db == "local" && name == "__system" {
        let key = users.key().ok_or_else(denied)?;
        return Ok((Principal::system(), internal_credentials(key)?));
    }
    let stored = users.user(db, name).await?.ok_or_else(denied)?;
    let credential = users::credential(&stored).ok_or_else(denied)?;
    let principal = Principal { user: name.to_owned(), db: db.to_owned(), roles: users::roles(&stored) };
    Ok((principal, vec![credential]))
}

/// Credentials of the cluster's keys, derived once for each and with one salt, as the client is
/// told only one.
fn internal_credentials(key: &ClusterKey) -> CommandResult<Vec<Credential>> {
    static DERIVED: LazyLock<Mutex<Vec<(String, Credential)>>> = LazyLock::new(Mutex::default);
    let mut derived = DERIVED.lock();
    let mut credentials: Vec<Credential> = Vec::new();
    for text in key.texts() {
        if let Some((_, credential)) = derived.iter().find(|(known, _)| known == text) {
            credentials.push(credential.clone());
            continue;
        }
        let credential = match credentials.first() {
            Some(first) => first.same_salt(text),
            None => Credential::derive(text, INTERNAL_ITERATIONS),
        }
        .map_err(|e| CommandError::new(code::AUTHENTICATION_FAILED, e.to_string()))?;
        derived.push((text.to_owned(), credential.clone()));
        credentials.push(credential);
    }
    Ok(credentials)
}

fn payload(command: &Document) -> CommandResult<String> {
    let wrong = || CommandError::bad_value("payload must be the bytes of a SCRAM message");
    match command.get("payload") {
        Some(Bson::Binary(binary)) => String::from_utf8(binary.bytes.clone()).map_err(|_| wrong()),
        Some(Bson::String(text)) => Ok(text.clone()),
        _ => Err(wrong()),
    }
}

fn step(payload: String, done: bool) -> Document {
    doc! {
        "conversationId": 1,
        "done": done,
        "payload": Binary { subtype: BinarySubtype::Generic, bytes: payload.into_bytes() },
        "ok": 1.0,
    }
}
