use std::collections::BTreeSet;

use bson::{Bson, Document, doc};

use super::write_concern::WriteConcern;
use crate::{
    error::{CommandError, CommandResult, code},
    mongod::Mongod,
    oplog::Operation,
    server::Request,
};

impl Mongod {
    /// `listDatabases`.
    pub(crate) fn list_databases(&self, request: &Request) -> CommandResult {
        let collections = self.storage.read()?.collections()?;
        let names: BTreeSet<&str> = collections.iter().filter_map(|(ns, _)| ns.split('.').next()).collect();
        let names_only = request.body.get_bool("nameOnly").unwrap_or(false);
        let databases: Vec<Bson> = names
            .into_iter()
            .map(|name| {
                Bson::Document(if names_only {
                    doc! { "name": name }
                } else {
                    doc! { "name": name, "sizeOnDisk": 4096_i64, "empty": false }
                })
            })
            .collect();
        Ok(doc! { "databases": databases, "totalSize": 4096_i64, "totalSizeMb": 0_i64 })
    }

    /// `listCollections`.
    pub(crate) fn list_collections(&self, request: &Request) -> CommandResult {
        let filter = match request.body.get_document("filter") {
            Ok(filter) => crate::query::Filter::parse(filter)?,
            Err(_) => crate::query::Filter::parse(&Document::new())?,
        };
        let prefix = format!("{}.", request.db);
        let rows = self
            .storage
            .read()?
            .collections()?
            .into_iter()
            .filter_map(|(ns, entry)| {
                let name = ns.strip_prefix(&prefix)?;
                let options = entry.get_document("options").cloned().unwrap_or_default();
                let mut row = doc! {
                    "name": name,
                    "type": "collection",
                    "options": options,
                    "info": { "readOnly": false },
                    "idIndex": { "v": 2, "key": { "_id": 1 }, "name": "_id_" },
                };
                if let Some(indexes) = entry.get("indexes") {
                    row.insert("indexes", indexes.clone());
                }
                Some(row)
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
        let mut rows = vec![doc! { "v": 2, "key": { "_id": 1 }, "name": "_id_" }];
        rows.extend(entry.get_array("indexes").into_iter().flatten().filter_map(Bson::as_document).cloned());
        Ok(self.cursors.first_batch(&ns, rows, Some(usize::MAX), true))
    }

    /// `create`, `drop`, `dropDatabase`, `createIndexes`.
    pub(crate) async fn change_catalog(&self, request: &Request) -> CommandResult {
        let concern = WriteConcern::of(&request.body, self)?;
        let view = self.storage.read()?;
        let ns = request.namespace();
        let exists = match &ns {
            Some(ns) => view.collection(ns)?.is_some(),
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
                let mut options = request.body.clone();
                options.retain(|key| !matches!(key, "create" | "lsid" | "writeConcern") && !key.starts_with('$'));
                (doc! { "create": target, "options": options }, Document::new())
            }
            "drop" if !exists => return Err(CommandError::new(code::NAMESPACE_NOT_FOUND, "ns not found")),
            "drop" => (doc! { "drop": target }, doc! { "nIndexesWas": 1, "ns": ns.unwrap_or_default() }),
            "createIndexes" => {
                let indexes = request.body.get_array("indexes").map_err(|_| {
                    CommandError::new(
                        code::LOCATION_MISSING_FIELD,
                        "BSON field 'createIndexes.indexes' is missing but a required field",
                    )
                })?;
                (
                    doc! { "createIndexes": target, "indexes": indexes.clone() },
                    doc! { "numIndexesBefore": 1, "numIndexesAfter": 1 + indexes.len() as i32, "createdCollectionAutomatically": !exists },
                )
            }
            _ => (doc! { "dropDatabase": 1 }, doc! { "dropped": &request.db }),
        };
        drop(view);
        let ns = format!("{}.$cmd", request.db);
        let ((), optime) = self.write(move |w| w.log(&ns, Operation::Command(command), None)).await?;
        concern.wait(self, optime, &mut reply).await?;
        Ok(reply)
    }
}

/// Keeps the fields whose names pass.
trait Retain {
    fn retain(&mut self, keep: impl Fn(&str) -> bool);
}

impl Retain for Document {
    fn retain(&mut self, keep: impl Fn(&str) -> bool) {
        let gone: Vec<String> = self.keys().filter(|key| !keep(key)).cloned().collect();
        for key in gone {
            self.remove(key);
        }
    }
}
