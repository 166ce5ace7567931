//! Documents, catalog and oplog on disk, in one embedded store.
//!
//! Every change goes through one writer thread that runs what has queued up in one transaction
//! and commits it with one fsync: a change is answered, and seen by readers, only once it is
//! durable. So "applied" and "durable" are one and the same here, and `j: true` costs nothing.

mod journal;
mod keys;
mod tables;
mod vanished;

pub use keys::{document_key, type_order};
pub use tables::{ReadView, Size, View, WriteView};
pub use vanished::vanished;

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use redb::Database;
use tokio::sync::{oneshot, watch};

use crate::oplog::OpTime;
use journal::Job;

/// Many members share one machine, and their data is small.
const CACHE_BYTES: usize = 64 * 1024 * 1024;

/// The store, in the data directory.
const FILE: &str = "mongosim.redb";
/// How a process ends that cannot go on with its data, as mongod does after a panic of its storage.
pub const EXIT_ABRUPT: i32 = 14;

/// The store failed or is gone; the process does not go on after the first.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StorageError {
    /// The embedded store's own failure.
    #[error("storage: {0}")]
    Store(String),
    /// The writer has stopped.
    #[error("storage is shutting down")]
    Closed,
}

/// The result of reading or writing the store.
pub type StorageResult<T> = Result<T, StorageError>;

macro_rules! from_store_errors {
    ($($error:ty),*) => {$(
        impl From<$error> for StorageError {
            fn from(error: $error) -> Self { Self::Store(error.to_string()) }
        }
    )*};
}
from_store_errors!(
    redb::DatabaseError,
    redb::TransactionError,
    redb::TableError,
    redb::StorageError,
    redb::CommitError,
    bson::error::Error
);

/// How long the oplog may grow. It is longer while its oldest entries are not committed: a rollback
/// needs what came before them, as in the server.
#[derive(Debug)]
struct OplogLimit {
    bytes: i64,
    pinned: AtomicU64,
    exceeded: AtomicBool,
}

impl OplogLimit {
    /// The timestamp from which on all entries stay.
    fn pinned(&self) -> u64 {
        self.pinned.load(Ordering::Relaxed)
    }
}

/// A handle on the store; clones share it.
#[derive(Clone)]
pub struct Storage {
    db: Arc<Database>,
    jobs: std::sync::mpsc::Sender<Job>,
    head: watch::Receiver<OpTime>,
    limit: Arc<OplogLimit>,
}

impl Storage {
    /// Opens or makes the store in `dir`, with an oplog of at most so many bytes.
    pub fn open(dir: &Path, oplog_bytes: u64) -> StorageResult<Self> {
        std::fs::create_dir_all(dir).map_err(|e| StorageError::Store(format!("{}: {e}", dir.display())))?;
        let db = Database::builder().set_cache_size(CACHE_BYTES).create(dir.join(FILE))?;
        let db = Arc::new(db);
        tables::create(&db)?;
        let head = ReadView::open(&db)?.oplog_head()?;
        let (head_tx, head) = watch::channel(head);
        let limit = Arc::new(OplogLimit {
            bytes: i64::try_from(oplog_bytes).unwrap_or(i64::MAX),
            pinned: AtomicU64::new(0),
            exceeded: AtomicBool::new(false),
        });
        let jobs = journal::start(db.clone(), head_tx, limit.clone())?;
        Ok(Self { db, jobs, head, limit })
    }

    /// Keeps the oplog's entries from a timestamp on: what is there of the majority's commit point.
    pub fn pin_oplog(&self, from: u64) {
        let moved = self.limit.pinned.swap(from, Ordering::Relaxed) < from;
        if moved && self.limit.exceeded.load(Ordering::Relaxed) {
            // What may go now goes now, not with the next write. A writer that has ended has no oplog to shorten.
            drop(self.jobs.send(Box::new(|_| Ok(Box::new(|| {})))));
        }
    }

    /// The most bytes that the oplog has once its entries are committed.
    pub fn oplog_limit(&self) -> i64 {
        self.limit.bytes
    }

    /// A consistent view of what is durable now.
    pub fn read(&self) -> StorageResult<ReadView> {
        ReadView::open(&self.db)
    }

    /// Runs `change` in the next transaction and waits until it is durable. Changes run one after
    /// another; one that finds that it cannot be done must find so before it writes.
    pub async fn write<R: Send + 'static>(
        &self,
        change: impl FnOnce(&mut WriteView<'_>) -> StorageResult<R> + Send + 'static,
    ) -> StorageResult<R> {
        let (done, result) = oneshot::channel();
        let job: Job = Box::new(move |view| {
            let outcome = change(view)?;
            // Nobody waits any more when the client has gone: the change stands all the same.
            Ok(Box::new(move || drop(done.send(outcome))))
        });
        self.jobs.send(job).map_err(|_| StorageError::Closed)?;
        result.await.map_err(|_| StorageError::Closed)
    }

    /// The newest durable oplog entry, as it moves.
    pub fn head(&self) -> watch::Receiver<OpTime> {
        self.head.clone()
    }

    /// The newest durable oplog entry.
    pub fn last_applied(&self) -> OpTime {
        *self.head.borrow()
    }
}
