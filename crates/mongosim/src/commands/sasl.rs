//! `saslStart` and `saslContinue`.

use std::sync::LazyLock;

use async_trait::async_trait;
use bson::{Binary, Bson, Document, doc, spec::BinarySubtype};
use parking_lot::Mutex;

use crate::{
    auth::{
        ClusterKey, Conversation, Mechanism, Principal,
        scram::{self, Credential, INTERNAL_ITERATIONS, ServerExchange},
        users,
    },
    error::{CommandError, CommandResult, code},
    server::{Client, Request},
};

/// Where users are looked up: the own store, or for mongos the config servers.
#[async_trait]
pub trait Users: Send + Sync {
    /// The stored document of a user.
    async fn user(&self, db: &str, name: &str) -> CommandResult<Option<Document>>;
    /// The cluster's key, if there is one.
    fn key(&self) -> Option<&ClusterKey>;
    /// `authenticationMechanisms`.
    fn enabled(&self) -> &[Mechanism];
}

fn denied() -> CommandError {
    CommandError::new(code::AUTHENTICATION_FAILED, "Authentication failed.")
}

/// Adds what hello says of authentication. Where the users cannot be read, hello fails: a client that was told nothing
/// would take it for an unknown user and fall back to SCRAM-SHA-1 (`SASLServerMechanismRegistry`).
pub async fn complete_hello(
    users: &dyn Users,
    client: &mut Client,
    request: &Request,
    hello: &mut Document,
) -> CommandResult<()> {
    if let Ok(name) = request.body.get_str("saslSupportedMechs")
        && let Some(mechanisms) = supported_mechanisms(users, name).await?
    {
        hello.insert("saslSupportedMechs", mechanisms);
    }
    if let Ok(given) = request.body.get_document("speculativeAuthenticate")
        && let Some(reply) = speculate(users, client, given).await
    {
        hello.insert("speculativeAuthenticate", reply);
    }
    Ok(())
}

/// The `saslSupportedMechs` of a user that exists.
async fn supported_mechanisms(users: &dyn Users, name: &str) -> CommandResult<Option<Vec<Bson>>> {
    let (db, user) = name
        .split_once('.')
        .ok_or_else(|| CommandError::bad_value("UserName must contain a '.' separated database.user pair"))?;
    let known: Vec<Mechanism> = if (db, user) == ("local", "__system") {
        if users.key().is_none() {
            return Ok(None);
        }
        Mechanism::ALL.to_vec()
    } else {
        match users.user(db, user).await? {
            Some(stored) => users::proves(&stored).collect(),
            None => return Ok(None),
        }
    };
    let enabled = users.enabled();
    Ok(Some(known.into_iter().filter(|m| enabled.contains(m)).map(|m| m.name().into()).collect()))
}

/// `speculativeAuthenticate` of hello: an error only means that the client starts over.
async fn speculate(users: &dyn Users, client: &mut Client, given: &Document) -> Option<Document> {
    let db = given.get_str("db").unwrap_or("admin").to_owned();
    let request = Request { name: "saslStart".into(), db, body: given.clone() };
    start(users, client, &request).await.ok()
}

/// `saslStart`.
pub async fn start(users: &dyn Users, client: &mut Client, request: &Request) -> CommandResult {
    client.auth.conversation = None;
    let mechanism = request.body.get_str("mechanism").unwrap_or_default();
    let mechanism = Mechanism::named(mechanism).filter(|m| users.enabled().contains(m)).ok_or_else(|| {
        CommandError::new(
            code::MECHANISM_UNAVAILABLE,
            format!("Received authentication for mechanism {mechanism} which is not enabled"),
        )
    })?;
    let first = payload(&request.body)?;
    let name = scram::user_of(&first).map_err(|e| CommandError::bad_value(e.to_string()))?;
    let (principal, credentials) = resolve(users, &request.db, &name, mechanism).await?;
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

async fn resolve(
    users: &dyn Users,
    db: &str,
    name: &str,
    mechanism: Mechanism,
) -> CommandResult<(Principal, Vec<Credential>)> {
    if db == "local" && name == "__system" {
        let key = users.key().ok_or_else(denied)?;
        return Ok((Principal::system(), internal_credentials(key, mechanism)?));
    }
    let stored = users.user(db, name).await?.ok_or_else(denied)?;
    let credential = users::credential(&stored, mechanism).ok_or_else(denied)?;
    let principal = Principal { user: name.to_owned(), db: db.to_owned(), roles: users::roles(&stored) };
    Ok((principal, vec![credential]))
}

/// Credentials of the cluster's keys, derived once for each and with one salt, as the client is
/// told only one.
fn internal_credentials(key: &ClusterKey, mechanism: Mechanism) -> CommandResult<Vec<Credential>> {
    static DERIVED: LazyLock<Mutex<Vec<(Mechanism, String, Credential)>>> = LazyLock::new(Mutex::default);
    let mut derived = DERIVED.lock();
    let mut credentials: Vec<Credential> = Vec::new();
    for text in key.texts() {
        let known = derived.iter().find(|(of, known, _)| *of == mechanism && known == text);
        if let Some((_, _, credential)) = known {
            credentials.push(credential.clone());
            continue;
        }
        let user = &Principal::system().user;
        let credential = match credentials.first() {
            Some(first) => first.same_salt(user, text),
            None => Credential::derive(mechanism, user, text, INTERNAL_ITERATIONS),
        }
        .map_err(|e| CommandError::new(code::AUTHENTICATION_FAILED, e.to_string()))?;
        derived.push((mechanism, text.to_owned(), credential.clone()));
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
