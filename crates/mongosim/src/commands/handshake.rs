//! `hello`, awaitable.

use std::time::Duration;

use bson::{DateTime, Document, doc, oid::ObjectId};
use tokio::sync::watch;

use crate::{
    error::{CommandError, CommandResult},
    options::ServerVersion,
    query::number,
    server::{Client, Request},
    wire,
};

/// After which a session that nobody uses ends.
pub const SESSION_MINUTES: i32 = 30;

/// Waits, if the client asks for it, until the topology differs from what it knows.
pub async fn await_topology(
    request: &Request,
    process_id: ObjectId,
    mut topology: watch::Receiver<i64>,
) -> CommandResult<()> {
    let (Ok(known), Some(limit)) = (
        request.body.get_document("topologyVersion"),
        request.body.get("maxAwaitTimeMS").and_then(number::as_i64),
    ) else {
        return Ok(());
    };
    let counter = known.get("counter").and_then(number::as_i64).unwrap_or(-1);
    if known.get_object_id("processId").ok() != Some(process_id) || counter != *topology.borrow_and_update() {
        return Ok(());
    }
    let limit =
        u64::try_from(limit).map_err(|_| CommandError::bad_value("maxAwaitTimeMS must not be negative"))?;
    let changed = async {
        // The sender lives as long as the process; should it go, the deadline ends the wait.
        if topology.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    // Running out of time is an ordinary answer: nothing has changed.
    drop(tokio::time::timeout(Duration::from_millis(limit), changed).await);
    Ok(())
}

/// What a client gives back to wait for a change.
pub fn topology_version(process_id: ObjectId, counter: i64) -> Document {
    doc! { "processId": process_id, "counter": counter }
}

/// Adds what every server says to its own part of hello.
pub fn complete(
    mut hello: Document,
    request: &Request,
    client: &Client,
    process_id: ObjectId,
    counter: i64,
    version: ServerVersion,
) -> Document {
    if request.name != "hello"
        && let Some(writable) = hello.get("isWritablePrimary").cloned()
    {
        hello.insert("ismaster", writable);
    }
    hello.extend(doc! {
        "helloOk": true,
        "topologyVersion": topology_version(process_id, counter),
        "maxBsonObjectSize": wire::MAX_DOCUMENT_BYTES,
        "maxMessageSizeBytes": wire::MAX_MESSAGE_BYTES,
        "maxWriteBatchSize": 100_000,
        "localTime": DateTime::now(),
        "logicalSessionTimeoutMinutes": SESSION_MINUTES,
        "connectionId": client.id,
        "minWireVersion": 0,
        "maxWireVersion": version.max_wire(),
        "readOnly": false,
        "ok": 1.0,
    });
    hello
}
