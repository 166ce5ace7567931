//! Open cursors.

use std::{
    collections::{HashMap, VecDeque},
    time::{Duration, Instant},
};

use bson::{Bson, Document, doc};
use parking_lot::Mutex;
use rand::Rng;

use crate::error::{CommandError, CommandResult, code};

/// Documents in a first batch that names no size.
pub const FIRST_BATCH: usize = 101;
/// After which a cursor that nobody reads on is closed.
const IDLE: Duration = Duration::from_mins(10);
const BATCH_BYTES: usize = 8 * 1024 * 1024;

/// What is left to give.
#[derive(Debug)]
pub enum Cursor {
    /// Documents of a snapshot.
    Rows {
        /// The namespace.
        ns: String,
        /// What is left.
        rows: VecDeque<Document>,
    },
    /// The oplog behind a timestamp, as it grows.
    Oplog {
        /// The last timestamp given.
        after: u64,
    },
}

/// All open cursors, by id.
#[derive(Debug, Default)]
pub struct Cursors {
    open: Mutex<HashMap<i64, (Instant, Cursor)>>,
}

impl Cursors {
    /// Keeps a cursor and gives its id.
    pub fn keep(&self, cursor: Cursor) -> i64 {
        let id = rand::rng().random_range(1..i64::MAX);
        let mut open = self.open.lock();
        open.retain(|_, (used, _)| used.elapsed() < IDLE);
        open.insert(id, (Instant::now(), cursor));
        id
    }

    /// Takes a cursor out, to read on.
    pub fn take(&self, id: i64) -> CommandResult<Cursor> {
        self.open
            .lock()
            .remove(&id)
            .map(|(_, cursor)| cursor)
            .ok_or_else(|| CommandError::new(code::CURSOR_NOT_FOUND, format!("cursor id {id} not found")))
    }

    /// Puts a cursor back under its id.
    pub fn put_back(&self, id: i64, cursor: Cursor) {
        self.open.lock().insert(id, (Instant::now(), cursor));
    }

    /// Closes a cursor; whether it was open.
    pub fn kill(&self, id: i64) -> bool {
        self.open.lock().remove(&id).is_some()
    }

    /// A first reply: a batch, and a cursor for what is left.
    pub fn first_batch(&self, ns: &str, rows: Vec<Document>, size: Option<usize>, single: bool) -> Document {
        let mut rows = VecDeque::from(rows);
        let batch = take_batch(&mut rows, Some(size.unwrap_or(FIRST_BATCH)));
        let id = if rows.is_empty() || single { 0 } else { self.keep(Cursor::Rows { ns: ns.to_owned(), rows }) };
        reply(ns, id, "firstBatch", batch)
    }
}

/// The next documents, bounded by number and bytes.
pub fn take_batch(rows: &mut VecDeque<Document>, size: Option<usize>) -> Vec<Bson> {
    let mut batch = Vec::new();
    let mut bytes = 0;
    while let Some(row) = rows.front() {
        bytes += row.to_vec().map_or(0, |v| v.len());
        let full = size.is_some_and(|size| batch.len() >= size) || (bytes > BATCH_BYTES && !batch.is_empty());
        if full {
            break;
        }
        batch.extend(rows.pop_front().map(Bson::Document));
    }
    batch
}

/// A cursor reply.
pub fn reply(ns: &str, id: i64, field: &str, batch: Vec<Bson>) -> Document {
    doc! { "cursor": { "id": id, "ns": ns, field: batch }, "ok": 1.0 }
}
