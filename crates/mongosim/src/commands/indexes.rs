//! Indexes: they are kept in the catalog, and unique ones are held up by looking at every document.

use std::collections::BTreeSet;

use bson::{Bson, Document, doc};

use super::write_concern::WriteConcern;
use crate::{
    error::{CommandError, CommandResult, code},
    mongod::Mongod,
    oplog::Operation,
    query::{lookup, number},
    server::Request,
    storage::{StorageResult, WriteView, document_key},
};

/// What an index may say of itself here; everything else changes what it does, and is refused.
const OPTIONS: [&str; 6] = ["v", "key", "name", "unique", "background", "ns"];

impl Mongod {
    /// `createIndexes`.
    pub(crate) async fn create_indexes(&self, request: &Request) -> CommandResult {
        let ns = request
            .namespace()
            .ok_or_else(|| CommandError::new(code::INVALID_NAMESPACE, "a collection name is needed"))?;
        let concern = WriteConcern::of(&request.body, self)?;
        let given = request.body.get_array("indexes").map_err(|_| {
            CommandError::new(
                code::LOCATION_MISSING_FIELD,
                "BSON field 'createIndexes.indexes' is missing but a required field",
            )
        })?;
        let indexes = given.iter().map(parse).collect::<CommandResult<Vec<_>>>()?;
        let target = request.body.get_str(&request.name).unwrap_or_default().to_owned();
        let log = format!("{}.$cmd", request.db);
        let (outcome, optime) = self
            .write(move |w| {
                let known = w.view().collection(&ns)?;
                let created = known.is_none();
                let known = indexes_of(&known.unwrap_or_default());
                let mut fresh = Vec::new();
                for index in indexes {
                    match known.iter().find(|other| other.get("name") == index.get("name")) {
                        Some(same) if same.get("key") != index.get("key") => {
                            return Ok(Err(CommandError::new(
                                86,
                                "An existing index has the same name as the requested index, but another key",
                            )));
                        }
                        Some(_) => {}
                        None => fresh.push(index),
                    }
                }
                for index in fresh.iter().filter(|index| is_unique(index)) {
                    if let Some(conflict) = present_conflict(w.view(), &ns, index)? {
                        return Ok(Err(conflict));
                    }
                }
                let mut reply = doc! {
                    "numIndexesBefore": 1 + known.len() as i32,
                    "numIndexesAfter": (1 + known.len() + fresh.len()) as i32,
                    "createdCollectionAutomatically": created,
                };
                if fresh.is_empty() && !created {
                    reply.insert("note", "all indexes already exist");
                } else {
                    w.log(&log, Operation::Command(doc! { "createIndexes": target, "indexes": fresh }), None)?;
                }
                Ok(Ok(reply))
            })
            .await?;
        let mut reply = outcome?;
        concern.wait(self, optime, &mut reply).await?;
        Ok(reply)
    }

    /// `dropIndexes`: one by name or by key, several by name, or all with `*`.
    pub(crate) async fn drop_indexes(&self, request: &Request) -> CommandResult {
        let ns = request.namespace().unwrap_or_default();
        let concern = WriteConcern::of(&request.body, self)?;
        let wanted = request.body.get("index").cloned().unwrap_or(Bson::Null);
        let target = request.body.get_str(&request.name).unwrap_or_default().to_owned();
        let log = format!("{}.$cmd", request.db);
        let (outcome, optime) = self
            .write(move |w| {
                let Some(entry) = w.view().collection(&ns)? else {
                    return Ok(Err(CommandError::new(code::NAMESPACE_NOT_FOUND, format!("ns not found {ns}"))));
                };
                let known = indexes_of(&entry);
                let names = match chosen(&known, &wanted) {
                    Ok(names) => names,
                    Err(e) => return Ok(Err(e)),
                };
                if !names.is_empty() {
                    w.log(&log, Operation::Command(doc! { "dropIndexes": target, "names": names }), None)?;
                }
                Ok(Ok(doc! { "nIndexesWas": 1 + known.len() as i32 }))
            })
            .await?;
        let mut reply = outcome?;
        concern.wait(self, optime, &mut reply).await?;
        Ok(reply)
    }
}

/// An index as the catalog keeps it; kinds that are not implemented are refused (67).
fn parse(value: &Bson) -> CommandResult<Document> {
    let refused = |message: String| CommandError::new(code::CANNOT_CREATE_INDEX, message);
    let given = value
        .as_document()
        .ok_or_else(|| CommandError::new(code::TYPE_MISMATCH, "an index must be a document"))?;
    let key = given
        .get_document("key")
        .ok()
        .filter(|key| !key.is_empty())
        .ok_or_else(|| refused("Index keys cannot be empty.".to_owned()))?;
    if let Some((path, kind)) = key.iter().find(|(_, kind)| !matches!(number::as_i64(kind), Some(1 | -1))) {
        return Err(refused(format!("Unknown index plugin {kind} of {path}: only 1 and -1 are supported")));
    }
    if let Some(option) = given.keys().find(|option| !OPTIONS.contains(&option.as_str())) {
        return Err(refused(format!("the index option {option} is not supported")));
    }
    let name = given.get_str("name").map_err(|_| {
        CommandError::new(
            code::FAILED_TO_PARSE,
            "The 'name' field is a required property of an index specification",
        )
    })?;
    let mut index = doc! { "v": 2, "key": key.clone(), "name": name };
    if is_unique(given) {
        index.insert("unique", true);
    }
    Ok(index)
}

fn is_unique(index: &Document) -> bool {
    index.get("unique").and_then(number::as_bool).unwrap_or(false)
}

/// A collection's indexes beside that of `_id`.
fn indexes_of(entry: &Document) -> Vec<Document> {
    entry.get_array("indexes").into_iter().flatten().filter_map(Bson::as_document).cloned().collect()
}

fn chosen(known: &[Document], wanted: &Bson) -> CommandResult<Vec<String>> {
    let name = |index: &Document| index.get_str("name").unwrap_or_default().to_owned();
    let not_found = |what: &dyn std::fmt::Display| {
        CommandError::new(code::INDEX_NOT_FOUND, format!("index not found with name [{what}]"))
    };
    match wanted {
        Bson::String(all) if all == "*" => Ok(known.iter().map(name).collect()),
        Bson::String(id) if id == "_id_" => Err(CommandError::new(code::INVALID_OPTIONS, "cannot drop _id index")),
        Bson::String(one) => {
            let found = known.iter().find(|index| name(index) == *one).ok_or_else(|| not_found(one))?;
            Ok(vec![name(found)])
        }
        Bson::Document(key) => {
            let found = known.iter().find(|index| index.get_document("key").is_ok_and(|own| own == key));
            Ok(vec![name(found.ok_or_else(|| not_found(key))?)])
        }
        Bson::Array(names) => {
            Ok(names.iter().map(|one| chosen(known, one)).collect::<CommandResult<Vec<_>>>()?.concat())
        }
        _ => Err(CommandError::new(code::TYPE_MISMATCH, "index must be a name, a key, or a list of names")),
    }
}

/// What an index sees of a document.
fn index_key(index: &Document, document: &Document) -> Vec<u8> {
    let paths = index.get_document("key").ok().into_iter().flat_map(Document::keys);
    let values = paths.map(|path| lookup(document, path).first().map_or(Bson::Null, |value| (*value).clone()));
    document_key(&Bson::Array(values.collect()))
}

/// The refusal of a document that a unique index does not let in.
pub(super) fn conflict(
    view: &WriteView<'_>,
    ns: &str,
    document: &Document,
) -> StorageResult<Option<CommandError>> {
    let Some(entry) = view.collection(ns)? else { return Ok(None) };
    let own = document_key(document.get("_id").unwrap_or(&Bson::Null));
    for index in indexes_of(&entry).iter().filter(|index| is_unique(index)) {
        let key = index_key(index, document);
        let mut taken = false;
        view.scan(ns, |id, other| {
            taken = id != own && index_key(index, &other) == key;
            !taken
        })?;
        if taken {
            return Ok(Some(duplicate(ns, index, document)));
        }
    }
    Ok(None)
}

fn present_conflict(view: &WriteView<'_>, ns: &str, index: &Document) -> StorageResult<Option<CommandError>> {
    let mut seen = BTreeSet::new();
    let mut found = None;
    view.scan(ns, |_, document| {
        if !seen.insert(index_key(index, &document)) {
            found = Some(duplicate(ns, index, &document));
        }
        found.is_none()
    })?;
    Ok(found)
}

fn duplicate(ns: &str, index: &Document, document: &Document) -> CommandError {
    let pattern = index.get_document("key").cloned().unwrap_or_default();
    let value: Document = pattern
        .keys()
        .map(|path| (path.clone(), lookup(document, path).first().map_or(Bson::Null, |value| (*value).clone())))
        .collect();
    duplicate_key(ns, index.get_str("name").unwrap_or_default(), pattern, value)
}

/// Error 11000.
pub(super) fn duplicate_key(ns: &str, index: &str, pattern: Document, value: Document) -> CommandError {
    let fields: Vec<String> = value.iter().map(|(path, value)| format!("{path}: {value}")).collect();
    CommandError::new(
        code::DUPLICATE_KEY,
        format!("E11000 duplicate key error collection: {ns} index: {index} dup key: {{ {} }}", fields.join(", ")),
    )
    .with("keyPattern", pattern)
    .with("keyValue", value)
}
