use bson::{Bson, Document, doc, oid::ObjectId};

use super::indexes;
use crate::{
    error::{CommandError, CommandResult, code, code_name},
    oplog::{Operation, OplogWriter},
    query::{Filter, Sort, Update},
    sessions::{self, Known, RetryableWrite},
    storage::StorageResult,
};

/// One statement of a write command, checked.
#[derive(Debug, Clone)]
pub(super) enum Statement {
    Insert(Document),
    Update { filter: Filter, update: Update, multi: bool, upsert: bool },
    Delete { filter: Filter, multi: bool },
    FindAndModify { filter: Filter, sort: Sort, update: Option<Update>, upsert: bool, new: bool },
}

/// Runs a statement unless its session has it done; gives its share of the reply.
pub(super) fn execute(
    writer: &mut OplogWriter<'_, '_>,
    ns: &str,
    statement: &Statement,
    retryable: Option<&RetryableWrite>,
    stmt_id: i32,
) -> StorageResult<CommandResult> {
    if let Some(write) = retryable {
        match sessions::look_up(writer.view(), write, stmt_id)? {
            Known::New => {}
            Known::Done(mut reply) => {
                reply.insert("retried", true);
                return Ok(Ok(reply));
            }
            Known::TooOld(newest) => {
                return Ok(Err(CommandError::new(
                    code::TRANSACTION_TOO_OLD,
                    format!(
                        "Cannot start transaction with number {} because a newer one, {newest}, has already started",
                        write.txn_number
                    ),
                )));
            }
        }
    }
    let stamp = |reply: &Document| retryable.map(|write| write.statement(stmt_id, reply.clone()));
    match statement {
        Statement::Insert(document) => {
            let id = document.get("_id").unwrap_or(&Bson::Null);
            if writer.view().get_by_id(ns, id)?.is_some() {
                return Ok(Err(duplicate(ns, id)));
            }
            let reply = doc! { "n": 1 };
            if let Some(conflict) = indexes::conflict(writer.view(), ns, document)? {
                return Ok(Err(conflict));
            }
            writer.log(ns, Operation::Insert(document.clone()), stamp(&reply))?;
            Ok(Ok(reply))
        }
        Statement::Update { filter, update, multi, upsert } => {
            let limit = if *multi { None } else { Some(1) };
            let found = writer.view().matching(ns, filter, limit)?;
            if found.is_empty() && *upsert {
                return insert_by_upsert(writer, ns, filter, update, |id| {
                    let reply = doc! { "n": 1, "nModified": 0, "upserted": id };
                    (stamp(&reply), reply)
                });
            }
            let mut modified = 0;
            for before in &found {
                let after = match update.apply(before, false) {
                    Ok(after) => after,
                    Err(e) => return Ok(Err(e)),
                };
                if after != *before {
                    if let Some(conflict) = indexes::conflict(writer.view(), ns, &after)? {
                        return Ok(Err(conflict));
                    }
                    modified += 1;
                    let reply = doc! { "n": 1, "nModified": 1 };
                    writer.log(ns, Operation::Update { before: before.clone(), after }, stamp(&reply))?;
                }
            }
            Ok(Ok(doc! { "n": found.len() as i32, "nModified": modified }))
        }
        Statement::Delete { filter, multi } => {
            let limit = if *multi { None } else { Some(1) };
            let found = writer.view().matching(ns, filter, limit)?;
            for before in &found {
                writer.log(ns, Operation::Delete(before.clone()), stamp(&doc! { "n": 1 }))?;
            }
            Ok(Ok(doc! { "n": found.len() as i32 }))
        }
        Statement::FindAndModify { filter, sort, update, upsert, new } => {
            let mut found = writer.view().matching(ns, filter, None)?;
            sort.sort(&mut found);
            match (found.into_iter().next(), update) {
                (Some(before), Some(update)) => {
                    let after = match update.apply(&before, false) {
                        Ok(after) => after,
                        Err(e) => return Ok(Err(e)),
                    };
                    if let Some(conflict) = indexes::conflict(writer.view(), ns, &after)? {
                        return Ok(Err(conflict));
                    }
                    let value = if *new { after.clone() } else { before.clone() };
                    let reply = doc! { "lastErrorObject": { "n": 1, "updatedExisting": true }, "value": value };
                    writer.log(ns, Operation::Update { before, after }, stamp(&reply))?;
                    Ok(Ok(reply))
                }
                (Some(before), None) => {
                    let reply = doc! { "lastErrorObject": { "n": 1 }, "value": before.clone() };
                    writer.log(ns, Operation::Delete(before), stamp(&reply))?;
                    Ok(Ok(reply))
                }
                (None, Some(update)) if *upsert => insert_by_upsert_with(writer, ns, filter, update, |inserted| {
                    let id = inserted.get("_id").cloned();
                    let value = if *new { Bson::Document(inserted.clone()) } else { Bson::Null };
                    let reply = doc! {
                        "lastErrorObject": { "n": 1, "updatedExisting": false, "upserted": id },
                        "value": value,
                    };
                    (stamp(&reply), reply)
                }),
                (None, _) => {
                    Ok(Ok(doc! { "lastErrorObject": { "n": 0, "updatedExisting": false }, "value": Bson::Null }))
                }
            }
        }
    }
}

type Stamped = (Option<crate::oplog::Statement>, Document);

fn insert_by_upsert(
    writer: &mut OplogWriter<'_, '_>,
    ns: &str,
    filter: &Filter,
    update: &Update,
    reply: impl FnOnce(Bson) -> Stamped,
) -> StorageResult<CommandResult> {
    insert_by_upsert_with(writer, ns, filter, update, |inserted| {
        reply(inserted.get("_id").cloned().unwrap_or(Bson::Null))
    })
}

fn insert_by_upsert_with(
    writer: &mut OplogWriter<'_, '_>,
    ns: &str,
    filter: &Filter,
    update: &Update,
    reply: impl FnOnce(&Document) -> Stamped,
) -> StorageResult<CommandResult> {
    let document = match update.upsert(filter) {
        Ok(document) => with_id(document),
        Err(e) => return Ok(Err(e)),
    };
    let id = document.get("_id").unwrap_or(&Bson::Null);
    if writer.view().get_by_id(ns, id)?.is_some() {
        return Ok(Err(duplicate(ns, id)));
    }
    if let Some(conflict) = indexes::conflict(writer.view(), ns, &document)? {
        return Ok(Err(conflict));
    }
    let (stamp, reply) = reply(&document);
    writer.log(ns, Operation::Insert(document), stamp)?;
    Ok(Ok(reply))
}

/// The document with its `_id` first, a new one if it has none.
pub(super) fn with_id(document: Document) -> Document {
    let id = document.get("_id").cloned().unwrap_or_else(|| Bson::ObjectId(ObjectId::new()));
    let mut ordered = doc! { "_id": id };
    ordered.extend(document);
    ordered
}

fn duplicate(ns: &str, id: &Bson) -> CommandError {
    indexes::duplicate_key(ns, "_id_", doc! { "_id": 1 }, doc! { "_id": id.clone() })
}

/// An element of `writeErrors`.
pub(super) fn write_error(index: usize, error: &CommandError) -> Bson {
    let mut d = doc! {
        "index": index as i32,
        "code": error.code,
        "codeName": code_name(error.code),
        "errmsg": &error.message,
    };
    d.extend(error.extra.clone());
    Bson::Document(d)
}
