use bson::{Bson, Document, doc};

use super::{Operation, OplogEntry};
use crate::{
    sessions,
    storage::{StorageResult, WriteView},
};

/// Does what an entry says. Doing it twice is the same as once, so that initial sync may apply
/// entries to documents that already hold them.
pub fn apply(view: &mut WriteView<'_>, entry: &OplogEntry) -> StorageResult<()> {
    match &entry.operation {
        Operation::Insert(document) => view.put(&entry.ns, document)?,
        Operation::Update { after, .. } => view.put(&entry.ns, after)?,
        Operation::Delete(before) => view.delete(&entry.ns, id(before))?,
        Operation::Command(command) => apply_command(view, &entry.ns, command)?,
        Operation::Noop(_) => {}
    }
    sessions::record(view, entry)
}

/// Commands that do not say what was there before.
const LOSSY: [&str; 4] = ["drop", "dropDatabase", "dropIndexes", "renameCollection"];

/// Takes back what an entry did; `false` when only a fresh initial sync can.
pub fn undo(view: &mut WriteView<'_>, entry: &OplogEntry) -> StorageResult<bool> {
    match &entry.operation {
        Operation::Insert(document) => view.delete(&entry.ns, id(document))?,
        Operation::Update { before, .. } | Operation::Delete(before) => view.put(&entry.ns, before)?,
        Operation::Command(command) => {
            return Ok(!LOSSY.iter().any(|name| command.contains_key(*name)));
        }
        Operation::Noop(_) => {}
    }
    Ok(true)
}

fn id(document: &Document) -> &Bson {
    document.get("_id").unwrap_or(&Bson::Null)
}

fn apply_command(view: &mut WriteView<'_>, ns: &str, command: &Document) -> StorageResult<()> {
    let db = ns.split('.').next().unwrap_or(ns);
    let Some((name, value)) = command.iter().next() else { return Ok(()) };
    let collection = format!("{db}.{}", value.as_str().unwrap_or_default());
    match name.as_str() {
        "create" if view.collection(&collection)?.is_none() => {
            let options = command.get_document("options").cloned().unwrap_or_default();
            view.put_collection(&collection, &doc! { "options": options })?;
        }
        "drop" => view.drop_collection(&collection)?,
        "dropDatabase" => {
            let prefix = format!("{db}.");
            for (ns, _) in view.collections()? {
                if ns.starts_with(&prefix) {
                    view.drop_collection(&ns)?;
                }
            }
        }
        "dropIndexes" => {
            let Some(mut entry) = view.collection(&collection)? else { return Ok(()) };
            let gone = command.get_array("names").cloned().unwrap_or_default();
            let mut indexes = entry.get_array("indexes").cloned().unwrap_or_default();
            indexes.retain(|index| {
                !index.as_document().and_then(|d| d.get("name")).is_some_and(|name| gone.contains(name))
            });
            entry.insert("indexes", indexes);
            view.put_collection(&collection, &entry)?;
        }
        "renameCollection" => {
            let (from, to) = (value.as_str().unwrap_or_default(), command.get_str("to").unwrap_or_default());
            // Its second time, when an initial sync applies it again, there is nothing left to do.
            let Some(entry) = view.collection(from)? else { return Ok(()) };
            let documents = view.all(from)?;
            view.drop_collection(to)?;
            view.put_collection(to, &entry)?;
            documents.iter().try_for_each(|document| view.put(to, document))?;
            view.drop_collection(from)?;
        }
        "createIndexes" => {
            let mut entry = view.collection(&collection)?.unwrap_or_default();
            let mut indexes = entry.get_array("indexes").cloned().unwrap_or_default();
            for index in command.get_array("indexes").into_iter().flatten() {
                if !indexes.contains(index) {
                    indexes.push(index.clone());
                }
            }
            entry.insert("indexes", indexes);
            view.put_collection(&collection, &entry)?;
        }
        _ => {}
    }
    Ok(())
}
