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
/// Where the statements of each session's newest write live.
const STATEMENTS: &str = "config.transactions.statements";

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

/// Each statement has a row of its own: a batch of many is recorded in as many steps, not in their square.
fn statement_key(lsid: &Document, stmt_id: i32) -> Bson {
    Bson::Document(doc! { "session": key(lsid), "stmtId": stmt_id })
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
    let row = view.get_by_id(STATEMENTS, &statement_key(&write.lsid, stmt_id))?;
    // A row of an earlier number is what is left of a longer batch.
    let row = row.filter(|row| row.get_i64("txnNum").ok() == Some(newest));
    Ok(row.and_then(|row| row.get_document("reply").ok().cloned()).map_or(Known::New, Known::Done))
}

/// Records an entry's statement, on the primary and on those that follow it.
pub fn record(view: &mut WriteView<'_>, entry: &OplogEntry) -> StorageResult<()> {
    let Some(statement) = &entry.statement else { return Ok(()) };
    let id = key(&statement.lsid);
    let newest = view.get_by_id(NAMESPACE, &id)?.and_then(|record| record.get_i64("txnNum").ok());
    if newest.is_some_and(|newest| newest > statement.txn_number) {
        return Ok(());
    }
    let record = doc! {
        "_id": id,
        "txnNum": statement.txn_number,
        "lastWriteOpTime": entry.optime.to_document(),
        "lastWriteDate": entry.wall,
    };
    view.put(NAMESPACE, &record)?;
    let row = doc! {
        "_id": statement_key(&statement.lsid, statement.stmt_id),
        "txnNum": statement.txn_number,
        "reply": statement.reply.clone(),
    };
    view.put(STATEMENTS, &row)
}

/// Makes the records of the sessions of `undone` anew from the oplog, after those statements were taken back.
pub fn rebuild(view: &mut WriteView<'_>, undone: &[Statement]) -> StorageResult<()> {
    if undone.is_empty() {
        return Ok(());
    }
    for statement in undone {
        view.delete(NAMESPACE, &key(&statement.lsid))?;
        view.delete(STATEMENTS, &statement_key(&statement.lsid, statement.stmt_id))?;
    }
    let sessions: Vec<Bson> = undone.iter().map(|statement| key(&statement.lsid)).collect();
    for stored in view.oplog_from(0, usize::MAX)? {
        let Some(entry) = OplogEntry::from_document(&stored) else { continue };
        if entry.statement.as_ref().is_some_and(|s| sessions.contains(&key(&s.lsid))) {
            record(view, &entry)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use bson::DateTime;

    use super::*;
    use crate::{
        oplog::{OpTime, Operation},
        storage::Storage,
    };

    fn entry(ts: u64, txn_number: i64, stmt_id: i32) -> OplogEntry {
        OplogEntry {
            optime: OpTime { ts, term: 1 },
            wall: DateTime::from_millis(0),
            ns: "test.c".to_owned(),
            operation: Operation::Insert(doc! { "_id": ts as i64 }),
            statement: Some(Statement { lsid: doc! { "id": 1 }, txn_number, stmt_id, reply: doc! { "n": 1 } }),
        }
    }

    #[tokio::test]
    async fn half_a_batch_taken_back_is_half_known() {
        let dir = tempfile::tempdir().unwrap();
        let storage = Storage::open(dir.path(), 1 << 20).unwrap();
        let known = storage
            .write(|view| {
                let [done, also_done, undone] = [entry(1, 5, 0), entry(2, 5, 1), entry(3, 5, 2)];
                for entry in [&done, &also_done, &undone] {
                    view.append(entry)?;
                    record(view, entry)?;
                }
                view.remove_entry(3)?;
                rebuild(view, &[undone.statement.unwrap()])?;
                let write = |txn_number| RetryableWrite { lsid: doc! { "id": 1 }, txn_number };
                Ok([
                    look_up(view, &write(5), 1)?,
                    look_up(view, &write(5), 2)?,
                    look_up(view, &write(4), 0)?,
                    look_up(view, &write(6), 0)?,
                ])
            })
            .await
            .unwrap();
        assert_eq!(known, [Known::Done(doc! { "n": 1 }), Known::New, Known::TooOld(5), Known::New]);
    }
}
