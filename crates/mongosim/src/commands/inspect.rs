//! What shells ask about a server, its databases and collections.

use bson::{Bson, DateTime, Document, doc};

use super::diagnostics;
use crate::{
    auth,
    error::{CommandError, CommandResult, code},
    mongod::Mongod,
    oplog,
    query::Filter,
    server::Request,
    storage::Size,
};

/// Sizes on disk are told in whole pages.
const PAGE: u64 = 4096;

pub(super) fn on_disk(size: Size) -> i64 {
    (size.bytes.div_ceil(PAGE).max(1) * PAGE) as i64
}

impl Mongod {
    /// `serverStatus`.
    pub(crate) fn server_status(&self) -> Document {
        let mut status = diagnostics::server_status("mongod", self.started, self.options.version);
        if let Some(replication) = &self.replication {
            let mut repl = replication.look(crate::repl::Coordinator::hello);
            repl.insert("rbid", 1);
            status.insert("repl", repl);
        }
        status
            .insert("storageEngine", doc! { "name": "redb", "supportsCommittedReads": true, "persistent": true });
        status
    }

    /// `dbStats`.
    pub(crate) fn database_stats(&self, request: &Request) -> CommandResult {
        let view = self.storage.read()?;
        let prefix = format!("{}.", request.db);
        let (mut collections, mut indexes, mut all) = (0_i64, 0_i64, Size::default());
        for (ns, entry) in view.collections()?.into_iter().filter(|(ns, _)| ns.starts_with(&prefix)) {
            let size = view.measure(&ns)?;
            collections += 1;
            indexes += 1 + entry.get_array("indexes").map_or(0, Vec::len) as i64;
            all.count += size.count;
            all.bytes += size.bytes;
        }
        let scale = scale(&request.body)?;
        let scaled = |bytes: i64| bytes as f64 / scale as f64;
        Ok(doc! {
            "db": &request.db,
            "collections": collections,
            "views": 0_i64,
            "objects": all.count as i64,
            "avgObjSize": average(all),
            "dataSize": scaled(all.bytes as i64),
            "storageSize": scaled(if collections == 0 { 0 } else { on_disk(all) }),
            "indexes": indexes,
            "indexSize": 0.0,
            "totalSize": scaled(if collections == 0 { 0 } else { on_disk(all) }),
            "scaleFactor": scale,
        })
    }

    /// `collStats`.
    pub(crate) fn collection_stats(&self, request: &Request) -> CommandResult {
        let ns = request.namespace().unwrap_or_default();
        let mut stats = doc! { "ns": &ns };
        stats.extend(self.storage_stats(&ns, scale(&request.body)?)?);
        Ok(stats)
    }

    /// The one row that `$collStats` gives.
    pub(super) fn collection_stats_row(&self, ns: &str, wanted: &Bson) -> CommandResult {
        let wanted = wanted
            .as_document()
            .ok_or_else(|| CommandError::new(5_447_000, "$collStats must take a nested object"))?;
        let mut row = doc! { "ns": ns, "host": self.own_host(), "localTime": DateTime::now() };
        for (part, options) in wanted {
            match part.as_str() {
                "count" => {
                    row.insert("count", self.storage.read()?.measure(ns)?.count as i64);
                }
                "storageStats" => {
                    let scale = options.as_document().map_or(Ok(1), scale)?;
                    row.insert("storageStats", self.storage_stats(ns, scale)?);
                }
                other => {
                    return Err(CommandError::new(
                        code::LOCATION_UNKNOWN_FIELD,
                        format!("BSON field '$collStats.{other}' is not supported"),
                    ));
                }
            }
        }
        Ok(row)
    }

    fn storage_stats(&self, ns: &str, scale: i64) -> CommandResult {
        let view = self.storage.read()?;
        let is_oplog = ns == oplog::NAMESPACE && self.replication.is_some();
        let size = if is_oplog { view.measure_oplog()? } else { view.measure(ns)? };
        let indexes = view.collection(ns)?.map_or(0, |entry| 1 + entry.get_array("indexes").map_or(0, Vec::len));
        let mut stats = doc! {
            "size": size.bytes as i64 / scale,
            "count": size.count as i64,
            "avgObjSize": average(size),
            "numOrphanDocs": 0,
            "storageSize": on_disk(size) / scale,
            "totalIndexSize": 0_i64,
            "totalSize": on_disk(size) / scale,
            "indexSizes": {},
            "nindexes": indexes as i32,
            "capped": is_oplog,
            "scaleFactor": scale,
        };
        if is_oplog {
            stats.extend(doc! { "max": -1, "maxSize": self.storage.oplog_limit() / scale });
        }
        Ok(stats)
    }

    /// `explain` of a `find`, `count`, `aggregate`, `distinct`, `update` or `delete`: every plan is a scan.
    pub(crate) fn explain(&self, request: &Request) -> CommandResult {
        let inner = request
            .body
            .get_document("explain")
            .map_err(|_| CommandError::new(code::TYPE_MISMATCH, "explain must be a document"))?;
        let mut explained = Request::new(inner.clone());
        explained.db.clone_from(&request.db);
        let filter = match explained.name.as_str() {
            "find" => "filter",
            "count" | "distinct" => "query",
            "aggregate" | "update" | "delete" => "",
            other => {
                return Err(CommandError::new(
                    code::COMMAND_NOT_FOUND,
                    format!("Explain failed due to unknown command: {other}"),
                ));
            }
        };
        let query = inner.get_document(filter).cloned().unwrap_or_default();
        let by_id = Filter::parse(&query)?.id().is_some();
        let plan = doc! { "stage": if by_id { "IDHACK" } else { "COLLSCAN" }, "direction": "forward" };
        Ok(doc! {
            "explainVersion": "1",
            "queryPlanner": {
                "namespace": explained.namespace().unwrap_or_default(),
                "parsedQuery": query,
                "winningPlan": plan,
                "rejectedPlans": [],
            },
            "command": inner.clone(),
            "serverInfo": { "host": self.own_host(), "port": i32::from(self.options.port), "version": self.options.version.full() },
        })
    }

    /// The rows of `$currentOp`: no operation is kept track of but the one that asks.
    pub(super) fn current_operations(&self, request: &Request) -> Vec<Document> {
        vec![doc! {
            "type": "op",
            "host": self.own_host(),
            "active": true,
            "currentOpTime": DateTime::now().try_to_rfc3339_string().unwrap_or_default(),
            "op": "command",
            "ns": format!("{}.$cmd.aggregate", request.db),
            "command": request.body.clone(),
        }]
    }

    /// `profile`: off, and to be left so.
    pub(crate) fn profile(request: &Request) -> CommandResult {
        match request.body.get("profile").and_then(crate::query::number::as_i64) {
            Some(-1 | 0) => Ok(doc! { "was": 0, "slowms": 100, "sampleRate": 1.0 }),
            _ => Err(CommandError::bad_value("the profiler is not supported: only level 0 is")),
        }
    }

    /// `rolesInfo`: the roles that the server has; others cannot be made.
    pub(crate) fn roles_info(request: &Request) -> Document {
        let all = request.body.get_bool("showBuiltinRoles").unwrap_or(false);
        let named = match request.body.get("rolesInfo") {
            Some(Bson::String(name)) => Some(name.clone()),
            Some(Bson::Document(d)) => d.get_str("role").ok().map(str::to_owned),
            _ => None,
        };
        let roles = auth::known_roles(&request.db).filter(|role| match &named {
            Some(name) => role.role == *name,
            None => all,
        });
        let roles: Vec<Bson> = roles
            .map(|role| {
                let mut row = role.to_document();
                row.extend(doc! { "isBuiltin": true, "roles": [], "inheritedRoles": [] });
                Bson::Document(row)
            })
            .collect();
        doc! { "roles": roles }
    }
}

fn average(size: Size) -> i64 {
    size.bytes.checked_div(size.count).unwrap_or(0) as i64
}

fn scale(options: &Document) -> CommandResult<i64> {
    match options.get("scale") {
        None => Ok(1),
        Some(scale) => crate::query::number::as_i64(scale)
            .filter(|scale| *scale >= 1)
            .ok_or_else(|| CommandError::bad_value("scale has to be a number of at least 1")),
    }
}
