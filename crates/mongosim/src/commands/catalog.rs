use std::collections::BTreeMap;

use bson::{Bson, Document, doc};

use super::{inspect::on_disk, write_concern::WriteConcern};
use crate::{
    auth::Privilege,
    error::{CommandError, CommandResult, code},
    mongod::Mongod,
    oplog::Operation,
    query::Filter,
    server::{Client, Request},
    storage::Size,
};

impl Mongod {
    /// `listDatabases`.
    pub(crate) fn list_databases(&self, request: &Request) -> CommandResult {
        let view = self.storage.read()?;
        let names_only = request.body.get_bool("nameOnly").unwrap_or(false);
        let filter = Filter::parse(&request.body.get_document("filter").cloned().unwrap_or_default())?;
        let mut sizes: BTreeMap<String, Size> = BTreeMap::new();
        for (ns, _) in view.collections()? {
            let Some((db, _)) = ns.split_once('.') else { continue };
            let size = sizes.entry(db.to_owned()).or_default();
            if !names_only {
                let more = view.measure(&ns)?;
                size.count += more.count;
                size.bytes += more.bytes;
            }
        }
        let mut total = 0;
        let databases: Vec<Bson> = sizes
            .into_iter()
            .map(|(name, size)| {
                if names_only {
                    return doc! { "name": name };
                }
                doc! { "name": name, "sizeOnDisk": on_disk(size), "empty": false }
            })
            .filter(|row| filter.matches(row))
            .inspect(|row| total += row.get_i64("sizeOnDisk").unwrap_or(0))
            .map(Bson::Document)
            .collect();
        if names_only {
            return Ok(doc! { "databases": databases });
        }
        Ok(doc! { "databases": databases, "totalSize": total, "totalSizeMb": total / (1024 * 1024) })
    }

    /// `listCollections`.
    pub(crate) fn list_collections(&self, request: &Request) -> CommandResult {
        let filter = Filter::parse(&request.body.get_document("filter").cloned().unwrap_or_default())?;
        let prefix = format!("{}.", request.db);
        let mut found: Vec<(String, Document)> = Vec::new();
        for (ns, entry) in self.storage.read()?.collections()? {
            if let Some(name) = ns.strip_prefix(&prefix) {
                found.push((name.to_owned(), entry.get_document("options").cloned().unwrap_or_default()));
            }
        }
        if request.db == "local" && self.replication.is_some() {
            found.push(("oplog.rs".to_owned(), doc! { "capped": true, "size": self.storage.oplog_limit() }));
        }
        let rows = found
            .into_iter()
            .map(|(name, options)| {
                doc! {
                    "name": name,
                    "type": "collection",
                    "options": options,
                    "info": { "readOnly": false },
                    "idIndex": id_index(),
                }
            })
            .filter(|row| filter.matches(row))
            .collect();
        let ns = format!("{}.$cmd.listCollections", request.db);
        Ok(self.cursors.first_batch(&ns, rows, Some(usize::MAX), true))
    }

    /// `listIndexes`.
    pub(crate) fn list_indexes(&self, request: &Request) -> CommandResult {
        let ns = request.namespace().unwrap_or_default();
        let entry = self
            .storage
            .read()?
            .collection(&ns)?
            .ok_or_else(|| CommandError::new(code::NAMESPACE_NOT_FOUND, format!("ns does not exist: {ns}")))?;
        let mut rows = vec![id_index()];
        rows.extend(entry.get_array("indexes").into_iter().flatten().filter_map(Bson::as_document).cloned());
        Ok(self.cursors.first_batch(&ns, rows, Some(usize::MAX), true))
    }

    /// `create`, `drop`, `dropDatabase`.
    pub(crate) async fn change_catalog(&self, request: &Request) -> CommandResult {
        let concern = WriteConcern::of(&request.body, self)?;
        let ns = request.namespace();
        let exists = match &ns {
            Some(ns) => self.storage.read()?.collection(ns)?.is_some(),
            None => false,
        };
        let target = request.body.get_str(&request.name).unwrap_or_default().to_owned();
        let (command, mut reply) = match request.name.as_str() {
            "create" if exists => {
                return Err(CommandError::new(
                    code::NAMESPACE_EXISTS,
                    format!("Collection {} already exists.", ns.unwrap_or_default()),
                ));
            }
            "create" => {
                check_create(&request.body)?;
                (doc! { "create": target }, Document::new())
            }
            "drop" if !exists => return Err(CommandError::new(code::NAMESPACE_NOT_FOUND, "ns not found")),
            "drop" => (doc! { "drop": target }, doc! { "nIndexesWas": 1, "ns": ns.unwrap_or_default() }),
            _ => (doc! { "dropDatabase": 1 }, doc! { "dropped": &request.db }),
        };
        let ns = format!("{}.$cmd", request.db);
        let ((), optime) = self.write(move |w| w.log(&ns, Operation::Command(command), None)).await?;
        concern.wait(self, optime, &mut reply).await?;
        Ok(reply)
    }

    /// `renameCollection`, within one database or into another.
    pub(crate) async fn rename_collection(&self, request: &Request) -> CommandResult {
        let concern = WriteConcern::of(&request.body, self)?;
        let name = |key: &str| {
            let ns = request.body.get_str(key).unwrap_or_default().to_owned();
            let valid =
                ns.split_once('.').is_some_and(|(db, collection)| !db.is_empty() && !collection.is_empty());
            if valid {
                Ok(ns)
            } else {
                Err(CommandError::new(code::INVALID_NAMESPACE, format!("Invalid namespace '{ns}'")))
            }
        };
        let (from, to) = (name("renameCollection")?, name("to")?);
        let replaces = request.body.get_bool("dropTarget").unwrap_or(false);
        let (outcome, optime) = self
            .write(move |w| {
                if w.view().collection(&from)?.is_none() {
                    return Ok(Err(CommandError::new(
                        code::NAMESPACE_NOT_FOUND,
                        format!("Source collection {from} does not exist"),
                    )));
                }
                if !replaces && w.view().collection(&to)?.is_some() {
                    return Ok(Err(CommandError::new(code::NAMESPACE_EXISTS, "target namespace exists")));
                }
                w.log("admin.$cmd", Operation::Command(doc! { "renameCollection": from, "to": to }), None)?;
                Ok(Ok(Document::new()))
            })
            .await?;
        let mut reply = outcome?;
        concern.wait(self, optime, &mut reply).await?;
        Ok(reply)
    }
}

/// Leaves of a `listDatabases` reply what the client may read.
pub fn show_only_readable(client: &Client, reply: &mut Document) {
    if client.auth.allows(Privilege::Monitor) {
        return;
    }
    if let Ok(databases) = reply.get_array_mut("databases") {
        databases.retain(|row| {
            let name = row.as_document().and_then(|row| row.get_str("name").ok());
            name.is_some_and(|name| client.auth.allows(Privilege::Read(name)))
        });
    }
}

fn id_index() -> Document {
    doc! { "v": 2, "key": { "_id": 1 }, "name": "_id_" }
}

/// What a collection can be made with: nothing that would change how it behaves.
fn check_create(command: &Document) -> CommandResult<()> {
    const HARMLESS: [&str; 9] = [
        "create",
        "lsid",
        "writeConcern",
        "comment",
        "maxTimeMS",
        "apiVersion",
        "storageEngine",
        "idIndex",
        "autoIndexId",
    ];
    match command.keys().find(|key| !key.starts_with('$') && !HARMLESS.contains(&key.as_str())) {
        Some(option) if command.get(option).and_then(crate::query::number::as_bool) != Some(false) => Err(
            CommandError::new(code::INVALID_OPTIONS, format!("the option '{option}' of create is not supported")),
        ),
        _ => Ok(()),
    }
}
