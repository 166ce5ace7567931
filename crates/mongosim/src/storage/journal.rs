use std::{
    sync::{Arc, atomic::Ordering, mpsc},
    thread,
};

use redb::Database;
use tokio::sync::watch;

use super::{EXIT_ABRUPT, OplogLimit, ReadView, StorageError, StorageResult, WriteView};
use crate::oplog::OpTime;

/// Most changes that share one transaction.
const BATCH: usize = 1024;

/// A change, and what to do once it is durable.
pub(super) type Job = Box<dyn FnOnce(&mut WriteView<'_>) -> StorageResult<Box<dyn FnOnce() + Send>> + Send>;

/// Starts the writer. It ends when the last sender is gone.
pub(super) fn start(
    db: Arc<Database>,
    head: watch::Sender<OpTime>,
    limit: Arc<OplogLimit>,
) -> StorageResult<mpsc::Sender<Job>> {
    let (jobs, queue) = mpsc::channel::<Job>();
    let mut oplog_bytes = ReadView::open(&db)?.measure_oplog()?.bytes as i64;
    thread::Builder::new()
        .name("journal".into())
        .spawn(move || {
            while let Ok(first) = queue.recv() {
                let batch = std::iter::once(first).chain(queue.try_iter().take(BATCH - 1));
                if let Err(e) = commit(&db, &head, &limit, &mut oplog_bytes, batch) {
                    // After a failed commit nobody can say what is on disk: as mongod, stop.
                    tracing::error!(error = %e, "journal failed, aborting");
                    std::process::exit(EXIT_ABRUPT);
                }
            }
        })
        .map_err(|e| StorageError::Store(e.to_string()))?;
    Ok(jobs)
}

fn commit(
    db: &Database,
    head: &watch::Sender<OpTime>,
    limit: &OplogLimit,
    oplog_bytes: &mut i64,
    batch: impl Iterator<Item = Job>,
) -> StorageResult<()> {
    let transaction = db.begin_write()?;
    let mut acknowledgements = Vec::new();
    let newest = {
        let mut view = WriteView::open(&transaction)?;
        for job in batch {
            acknowledgements.push(job(&mut view)?);
        }
        let excess = *oplog_bytes + view.oplog_growth() - limit.bytes;
        if excess > 0 {
            view.truncate_oplog(excess, limit.pinned())?;
        }
        *oplog_bytes += view.oplog_growth();
        limit.exceeded.store(*oplog_bytes > limit.bytes, Ordering::Relaxed);
        view.oplog_head()?
    };
    transaction.commit()?;
    head.send_if_modified(|current| std::mem::replace(current, newest) != newest);
    for acknowledge in acknowledgements {
        acknowledge();
    }
    Ok(())
}
