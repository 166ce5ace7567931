//! Cluster time: replies say how far the node is, and reads wait until it is as far as they ask.

use std::time::Duration;

use bson::{Binary, DateTime, Document, Timestamp, doc, spec::BinarySubtype};

use crate::{
    error::{CommandError, CommandResult, code},
    mongod::Mongod,
    oplog::{OpTime, Operation},
    query::number,
    server::{Client, Request},
};

/// How long a read waits that names no limit of its own.
const WAIT: Duration = Duration::from_mins(1);
/// A time further ahead of this node's clock was never given out.
const MOST_AHEAD_SECONDS: i64 = 10;

/// `$clusterTime`, signed by nobody as where there are no keys for signing.
pub fn cluster_time(ts: Timestamp) -> Document {
    let hash = Binary { subtype: BinarySubtype::Generic, bytes: vec![0; 20] };
    doc! { "clusterTime": ts, "signature": { "hash": hash, "keyId": 0_i64 } }
}

impl Mongod {
    /// Adds `operationTime` and `$clusterTime` to a member's reply.
    pub(crate) fn tell_time(&self, client: &Client, reply: &mut Document) {
        let applied = self.storage.last_applied();
        if self.replication.is_some() && !applied.is_null() {
            reply.insert("operationTime", applied.timestamp());
            if let Some(time) = self.time_for(client, applied.timestamp()) {
                reply.insert("$clusterTime", time);
            }
        }
    }

    /// Waits until this node holds what `readConcern.afterClusterTime` asks for.
    pub(crate) async fn await_cluster_time(&self, request: &Request) -> CommandResult<()> {
        let Ok(concern) = request.body.get_document("readConcern") else { return Ok(()) };
        let Ok(asked) = concern.get_timestamp("afterClusterTime") else { return Ok(()) };
        let Some(replication) = &self.replication else {
            return Err(CommandError::new(
                code::ILLEGAL_OPERATION,
                "Cannot specify afterClusterTime readConcern without replication enabled",
            ));
        };
        if i64::from(asked.time) > DateTime::now().timestamp_millis() / 1000 + MOST_AHEAD_SECONDS {
            return Err(CommandError::new(
                code::INVALID_OPTIONS,
                format!(
                    "readConcern afterClusterTime value must not be greater than the current clusterTime. Requested clusterTime: {asked}"
                ),
            ));
        }
        let asked = OpTime::from(asked);
        let mut head = self.storage.head();
        if head.borrow_and_update().ts >= asked.ts {
            return Ok(());
        }
        // The time came from another set: a primary moves its own on to it.
        if replication.look(crate::repl::Coordinator::is_writable) {
            let message = Operation::Noop(doc! { "msg": "waiting for cluster time" });
            self.write(move |w| {
                w.advance(asked);
                w.log("", message, None)
            })
            .await?;
            return Ok(());
        }
        let limit = request.body.get("maxTimeMS").and_then(number::as_i64).and_then(|ms| u64::try_from(ms).ok());
        let limit = limit.filter(|ms| *ms > 0).map_or(WAIT, Duration::from_millis);
        let reached = head.wait_for(|head| head.ts >= asked.ts);
        match tokio::time::timeout(limit, reached).await {
            Ok(Ok(_)) => Ok(()),
            _ => Err(CommandError::new(code::MAX_TIME_MS_EXPIRED, "operation exceeded time limit")),
        }
    }
}
