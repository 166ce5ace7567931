use bson::DateTime;

use super::{OpTime, Operation, OplogEntry, Statement, apply};
use crate::storage::{StorageResult, WriteView};

/// Writes as a primary of one term, or as a standalone that keeps no oplog.
pub struct OplogWriter<'v, 't> {
    view: &'v mut WriteView<'t>,
    term: Option<i64>,
    head: OpTime,
}

impl<'v, 't> OplogWriter<'v, 't> {
    /// A writer of `term`; `None` for a standalone.
    pub fn new(view: &'v mut WriteView<'t>, term: Option<i64>) -> StorageResult<Self> {
        let head = view.oplog_head()?;
        Ok(Self { view, term, head })
    }

    /// What is there, this transaction's changes included.
    pub fn view(&self) -> &WriteView<'t> {
        self.view
    }

    /// Logs an operation and does it.
    pub fn log(&mut self, ns: &str, operation: Operation, statement: Option<Statement>) -> StorageResult<()> {
        let wall = DateTime::now();
        let now = (wall.timestamp_millis() as u64 / 1000) << 32 | 1;
        let optime = OpTime { ts: now.max(self.head.ts + 1), term: self.term.unwrap_or(-1) };
        let entry = OplogEntry { optime, wall, ns: ns.to_owned(), operation, statement };
        if self.term.is_some() {
            self.view.append(&entry)?;
            self.head = optime;
        }
        apply(self.view, &entry)
    }

    /// Makes the next entry no older than a time.
    pub fn advance(&mut self, to: OpTime) {
        self.head.ts = self.head.ts.max(to.ts.saturating_sub(1));
    }

    /// The newest entry's optime.
    pub fn head(&self) -> OpTime {
        self.head
    }
}
