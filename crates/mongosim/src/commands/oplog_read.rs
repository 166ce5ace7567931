use std::time::Duration;

use bson::{Bson, Document, Timestamp, doc};
use tokio::time::{Instant, timeout_at};

use super::cursors::{self, Cursor};
use crate::{
    error::CommandResult,
    mongod::Mongod,
    oplog::{self, OpTime, OplogEntry},
    query::{Filter, Projection, Sort, number},
    server::Request,
};

const BATCH: usize = 1000;
const AWAIT: Duration = Duration::from_secs(1);

impl Mongod {
    /// `find` on the oplog: by timestamp, in either direction, and tailable.
    pub(super) fn find_in_oplog(&self, request: &Request) -> CommandResult {
        let body = &request.body;
        let query = body.get_document("filter").cloned().unwrap_or_default();
        let filter = Filter::parse(&query)?;
        let from = first_timestamp(&query);
        let backwards = match body.get_document("sort") {
            Ok(sort) => Sort::parse(sort)?.is_natural_backwards(),
            Err(_) => false,
        };
        let limit = body.get("limit").and_then(number::as_i64).filter(|n| *n > 0).map(|n| n as usize);
        let size = body.get("batchSize").and_then(number::as_i64).map_or(BATCH, |n| n.max(1) as usize);
        let tailable = body.get_bool("tailable").unwrap_or(false);
        let view = self.storage.read()?;
        let most = limit.unwrap_or(usize::MAX);
        let mut entries = match (tailable, backwards) {
            (true, _) => view.oplog_batch(from, size)?,
            (false, true) => view.oplog_newest(most)?,
            (false, false) => view.oplog_from(from, most)?,
        };
        entries.retain(|entry| filter.matches(entry));
        let after = entries.last().map_or(from.saturating_sub(1), |e| OplogEntry::optime_of(e).ts);
        if let Ok(projection) = body.get_document("projection")
            && let Some(projection) = Projection::parse(projection)?
        {
            entries = entries.iter().map(|entry| projection.apply(entry)).collect();
        }
        let reply = if tailable {
            let id = self.cursors.keep(Cursor::Oplog { after });
            cursors::reply(oplog::NAMESPACE, id, "firstBatch", entries.into_iter().map(Bson::Document).collect())
        } else {
            self.cursors.first_batch(
                oplog::NAMESPACE,
                entries,
                Some(size),
                body.get_bool("singleBatch").unwrap_or(false),
            )
        };
        Ok(self.with_repl_data(reply))
    }

    /// `getMore` on the oplog: waits for entries for up to `maxTimeMS`.
    pub(super) async fn more_of_oplog(&self, request: &Request, id: i64, after: u64) -> CommandResult {
        let limit = request.body.get("maxTimeMS").and_then(number::as_i64);
        let limit = limit.and_then(|ms| u64::try_from(ms).ok()).map_or(AWAIT, Duration::from_millis);
        let size = request.body.get("batchSize").and_then(number::as_i64).map_or(BATCH, |n| n.max(1) as usize);
        let deadline = Instant::now() + limit;
        let mut head = self.storage.head();
        let mut changes = self.replication.as_ref().map(|r| r.changes());
        let known = match request.body.get("lastKnownCommittedOpTime") {
            Some(known) => OpTime::from_bson(Some(known)),
            None => self.commit_point(),
        };
        let entries = loop {
            let newest = head.borrow_and_update().ts;
            let entries = if newest == after { Some(Vec::new()) } else { self.entries_behind(after, size)? };
            // A rollback takes entries away under a reader: it must look for common ground again.
            let Some(entries) = entries else {
                return Ok(cursors::reply(oplog::NAMESPACE, 0, "nextBatch", Vec::new()));
            };
            // News of the commit point go out at once as well: followers show it to their readers.
            if !entries.is_empty() || self.commit_point() > known {
                break entries;
            }
            let news = async {
                match &mut changes {
                    Some(changes) => tokio::select! {
                        moved = head.changed() => moved,
                        changed = changes.changed() => changed,
                    },
                    None => head.changed().await,
                }
            };
            if !matches!(timeout_at(deadline, news).await, Ok(Ok(()))) {
                break entries;
            }
        };
        let after = entries.last().map_or(after, |e| OplogEntry::optime_of(e).ts);
        self.cursors.put_back(id, Cursor::Oplog { after });
        let batch = entries.into_iter().map(Bson::Document).collect();
        Ok(self.with_repl_data(cursors::reply(oplog::NAMESPACE, id, "nextBatch", batch)))
    }

    /// Entries behind a timestamp that was given out; `None` if its entry is there no longer.
    fn entries_behind(&self, after: u64, limit: usize) -> CommandResult<Option<Vec<Document>>> {
        let view = self.storage.read()?;
        if after != 0 && view.oplog_at(after)?.is_none() {
            return Ok(None);
        }
        Ok(Some(view.oplog_batch(after.saturating_add(1), limit)?))
    }

    fn commit_point(&self) -> OpTime {
        self.replication.as_ref().map_or(OpTime::NULL, |r| r.look(crate::repl::Coordinator::commit_point))
    }

    fn with_repl_data(&self, mut reply: Document) -> Document {
        if let Some(replication) = &self.replication {
            let data = replication.look(|c| {
                doc! {
                    "term": c.term(),
                    "lastOpCommitted": c.commit_point().to_document(),
                    "lastOpApplied": self.storage.last_applied().to_document(),
                    "primaryIndex": c.primary_index().map_or(-1, |i| i as i32),
                    "isPrimary": c.is_leader(),
                }
            });
            reply.insert("$replData", data);
        }
        reply
    }
}

/// The least timestamp that a query on `ts` lets through.
fn first_timestamp(query: &Document) -> u64 {
    let bits = |t: Timestamp| OpTime::from(t).ts;
    match query.get("ts") {
        Some(Bson::Timestamp(t)) => bits(*t),
        Some(Bson::Document(range)) => range
            .get_timestamp("$gte")
            .map(bits)
            .or_else(|_| range.get_timestamp("$gt").map(|t| bits(t) + 1))
            .unwrap_or(0),
        _ => 0,
    }
}
