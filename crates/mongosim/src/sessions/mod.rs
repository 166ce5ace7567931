//! Retryable writes: what each session's newest write was answered, kept in
//! `config.transactions` on every member and derived from the oplog alone.

use bson::{Bson, Document, doc};

use crate::{
    error::{CommandError, CommandResult, code},
    oplog::{OplogEntry, Statement},
    query::number,
    storage::{StorageResult, WriteView},
};

/// Where session records live.
pub const NAMESPACE: &str = "config.transactions";

/// A retryable write's session and number, from a command.
#[derive(Debug, Clone, PartialEq)]
pub struct RetryableWrite {
    /// The logical session id.
    pub lsid: Document,
    /// Its transaction number.
    pub txn_number: i64,
}

impl RetryableWrite {
    /// Reads `lsid` and `txnNumber`; `None` when the write is not retryable.
    pub fn from_command(command: &Document) -> CommandResult<Option<Self>> {
        let Some(txn_number) = command.get("txnNumber").and_then(number::as_i64) else { return Ok(None) };
        if command.contains_key("startTransaction") || command.contains_key("autocommit") {
            return Err(CommandError::new(
                code::ILLEGAL_OPERATION,
                "multi-document transactions are not supported",
            ));
        }
        let lsid = command
            .get_document("lsid")
            .map_err(|_| CommandError::new(code::INVALID_OPTIONS, "Transaction number requires a session ID"))?;
        Ok(Some(Self { lsid: lsid.clone(), txn_number }))
    }

    /// The oplog's stamp for one statement.
    pub fn statement(&self, stmt_id: i32, reply: Document) -> Statement {
        Statement { lsid: self.lsid.clone(), txn_number: self.txn_number, stmt_id, reply }
    }
}

/// What is known of one statement before it runs.
#[derive(Debug, Clone, PartialEq)]
pub enum Known {
    /// Not seen before.
    New,
    /// Done; what was answered.
    Done(Document),
    /// The session has gone on to a higher number.
    TooOld(i64),
}

fn key(lsid: &Document) -> Bson {
    lsid.get("id").cloned().unwrap_or(Bson::Null)
}

/// Looks a statement up.
pub fn look_up(view: &WriteView<'_>, write: &RetryableWrite, stmt_id: i32) -> StorageResult<Known> {
    let Some(record) = view.get_by_id(NAMESPACE, &key(&write.lsid))? else { return Ok(Known::New) };
    let newest = record.get_i64("txnNum").unwrap_or(-1);
    if write.txn_number < newest {
        return Ok(Known::TooOld(newest));
    }
    if write.txn_number > newest {
        return Ok(Known::New);
    }
    let reply = statements(&record)
        .find(|s| s.get_i32("stmtId").ok() == Some(stmt_id))
        .and_then(|s| s.get_document("reply").ok().cloned());
    Ok(reply.map_or(Known::New, Known::Done))
}

/// Records an entry's statement, on the primary and on those that follow it.
pub fn record(view: &mut WriteView<'_>, entry: &OplogEntry) -> StorageResult<()> {
    let Some(statement) = &entry.statement else { return Ok(()) };
    let id = key(&statement.lsid);
    let mut done = Vec::new();
    if let Some(record) = view.get_by_id(NAMESPACE, &id)? {
        let newest = record.get_i64("txnNum").unwrap_or(-1);
        if newest > statement.txn_number {
            return Ok(());
        }
        if newest == statement.txn_number {
            done = statements(&record)
                .filter(|s| s.get_i32("stmtId").ok() != Some(statement.stmt_id))
                .cloned()
                .map(Bson::Document)
                .collect();
        }
    }
    done.push(Bson::Document(doc! { "stmtId": statement.stmt_id, "reply": statement.reply.clone() }));
    let record = doc! {
        "_id": id,
        "txnNum": statement.txn_number,
        "lastWriteOpTime": entry.optime.to_document(),
        "lastWriteDate": entry.wall,
        "statements": done,
    };
    view.put(NAMESPACE, &record)
}

/// Makes the records of `lsids` anew from the oplog, after entries were undone.
pub fn rebuild(view: &mut WriteView<'_>, lsids: &[Document]) -> StorageResult<()> {
    if lsids.is_empty() {
        return Ok(());
    }
    let keys: Vec<Bson> = lsids.iter().map(key).collect();
    for key in &keys {
        view.delete(NAMESPACE, key)?;
    }
    for stored in view.oplog_from(0, usize::MAX)? {
        let Some(entry) = OplogEntry::from_document(&stored) else { continue };
        if entry.statement.as_ref().is_some_and(|s| keys.contains(&key(&s.lsid))) {
            record(view, &entry)?;
        }
    }
    Ok(())
}

fn statements(record: &Document) -> impl Iterator<Item = &Document> {
    record.get_array("statements").into_iter().flatten().filter_map(Bson::as_document)
}
