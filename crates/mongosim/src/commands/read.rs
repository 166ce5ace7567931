use std::{collections::BTreeMap, time::Duration};

use bson::{Bson, Document, doc};

use super::cursors::{self, Cursor};
use crate::{
    error::{CommandError, CommandResult, code},
    mongod::Mongod,
    oplog::{self, OpTime, Operation, OplogEntry},
    query::{Filter, Projection, Sort, aggregate::Pipeline, compare, lookup, number},
    server::Request,
    storage::document_key,
};

const MAJORITY_WAIT: Duration = Duration::from_secs(10);

fn sub(d: &Document, key: &str) -> CommandResult {
    match d.get(key) {
        None => Ok(Document::new()),
        Some(Bson::Document(sub)) => Ok(sub.clone()),
        Some(_) => Err(CommandError::new(code::TYPE_MISMATCH, format!("{key} must be a document"))),
    }
}

fn size(d: &Document, key: &str) -> CommandResult<Option<usize>> {
    match d.get(key) {
        None => Ok(None),
        Some(value) => number::as_i64(value)
            .and_then(|n| usize::try_from(n).ok())
            .map(Some)
            .ok_or_else(|| CommandError::new(51024, format!("BSON field '{key}' value must be >= 0"))),
    }
}

impl Mongod {
    /// `find`.
    pub(crate) async fn find(&self, request: &Request) -> CommandResult {
        let ns = request.namespace().ok_or_else(|| {
            CommandError::new(code::INVALID_NAMESPACE, "Collection name must be a string that is not empty")
        })?;
        if ns == oplog::NAMESPACE {
            return self.find_in_oplog(request);
        }
        let body = &request.body;
        let filter = Filter::parse(&sub(body, "filter")?)?;
        let sort = Sort::parse(&sub(body, "sort")?)?;
        let projection = Projection::parse(&sub(body, "projection")?)?;
        let (skip, limit) = (size(body, "skip")?.unwrap_or(0), size(body, "limit")?.filter(|n| *n > 0));
        let mut rows = self.rows(&ns, &filter, body).await?;
        sort.sort(&mut rows);
        if sort.is_natural_backwards() {
            rows.reverse();
        }
        let rows = rows.into_iter().skip(skip).take(limit.unwrap_or(usize::MAX));
        let rows: Vec<Document> = match projection {
            Some(projection) => rows.map(|d| projection.apply(&d)).collect(),
            None => rows.collect(),
        };
        let single = body.get_bool("singleBatch").unwrap_or(false);
        Ok(self.cursors.first_batch(&ns, rows, size(body, "batchSize")?, single))
    }

    /// `count`.
    pub(crate) async fn count(&self, request: &Request) -> CommandResult {
        let ns = request.namespace().unwrap_or_default();
        let filter = Filter::parse(&sub(&request.body, "query")?)?;
        let rows = self.rows(&ns, &filter, &request.body).await?;
        let skip = size(&request.body, "skip")?.unwrap_or(0);
        let limit = size(&request.body, "limit")?.filter(|n| *n > 0).unwrap_or(usize::MAX);
        Ok(doc! { "n": rows.len().saturating_sub(skip).min(limit) as i32 })
    }

    /// `distinct`.
    pub(crate) async fn distinct(&self, request: &Request) -> CommandResult {
        let ns = request.namespace().unwrap_or_default();
        let key = request
            .body
            .get_str("key")
            .map_err(|_| CommandError::new(code::TYPE_MISMATCH, "key must be a string"))?;
        let rows = self.rows(&ns, &Filter::parse(&sub(&request.body, "query")?)?, &request.body).await?;
        let mut values: Vec<Bson> = Vec::new();
        for value in rows.iter().flat_map(|row| lookup(row, key)) {
            let items = value.as_array().cloned().unwrap_or_else(|| vec![value.clone()]);
            for item in items {
                if !values.iter().any(|v| compare(v, &item).is_eq()) {
                    values.push(item);
                }
            }
        }
        Ok(doc! { "values": values })
    }

    /// `aggregate`.
    pub(crate) async fn aggregate(&self, request: &Request) -> CommandResult {
        let stages = request.body.get_array("pipeline").map_err(|_| {
            CommandError::new(code::TYPE_MISMATCH, "'pipeline' option must be specified as an array")
        })?;
        let first = stages.first().and_then(Bson::as_document).and_then(|stage| stage.iter().next());
        let first = first.map(|(name, value)| (name.as_str(), value));
        let (rows, stages) = match (request.namespace(), first) {
            (Some(ns), Some(("$collStats", wanted))) => {
                (vec![self.collection_stats_row(&ns, wanted)?], &stages[1..])
            }
            (Some(ns), _) => {
                // What a pipeline cannot do is refused before anything is read.
                Pipeline::parse(stages)?;
                (self.rows(&ns, &Filter::parse(&Document::new())?, &request.body).await?, stages.as_slice())
            }
            (None, Some(("$currentOp", _))) => (self.current_operations(request), &stages[1..]),
            (None, first) => {
                return Err(CommandError::new(
                    code::INVALID_NAMESPACE,
                    format!(
                        "{{aggregate: 1}} is not valid for '{}'; a collection is required.",
                        first.map_or("an empty pipeline", |(name, _)| name)
                    ),
                ));
            }
        };
        let ns = request.namespace().unwrap_or_else(|| format!("{}.$cmd.aggregate", request.db));
        let rows = Pipeline::parse(stages)?.run(rows)?;
        let batch = request.body.get_document("cursor").ok().map(|c| size(c, "batchSize")).transpose()?.flatten();
        Ok(self.cursors.first_batch(&ns, rows, batch, false))
    }

    /// `getMore`.
    pub(crate) async fn get_more(&self, request: &Request) -> CommandResult {
        let id = request
            .body
            .get("getMore")
            .and_then(number::as_i64)
            .ok_or_else(|| CommandError::new(code::TYPE_MISMATCH, "getMore must be a cursor id"))?;
        match self.cursors.take(id)? {
            Cursor::Rows { ns, mut rows } => {
                let batch = cursors::take_batch(&mut rows, size(&request.body, "batchSize")?.filter(|n| *n > 0));
                let left = if rows.is_empty() { 0 } else { id };
                if left != 0 {
                    self.cursors.put_back(id, Cursor::Rows { ns: ns.clone(), rows });
                }
                Ok(cursors::reply(&ns, left, "nextBatch", batch))
            }
            Cursor::Oplog { after } => self.more_of_oplog(request, id, after).await,
        }
    }

    /// `killCursors`.
    pub(crate) fn kill_cursors(&self, request: &Request) -> Document {
        let ids = request.body.get_array("cursors").cloned().unwrap_or_default();
        let (killed, unknown): (Vec<Bson>, Vec<Bson>) =
            ids.into_iter().partition(|id| number::as_i64(id).is_some_and(|id| self.cursors.kill(id)));
        doc! { "cursorsKilled": killed, "cursorsNotFound": unknown, "cursorsAlive": [], "cursorsUnknown": [] }
    }

    /// The documents that fit, as the read concern sees them.
    async fn rows(&self, ns: &str, filter: &Filter, body: &Document) -> CommandResult<Vec<Document>> {
        let level = body
            .get_document("readConcern")
            .ok()
            .and_then(|concern| concern.get_str("level").ok())
            .unwrap_or("local");
        match level {
            "local" | "available" => Ok(self.storage.read()?.matching(ns, filter, None)?),
            "majority" | "snapshot" => self.committed_rows(ns, filter).await,
            "linearizable" => {
                let ((), optime) =
                    self.write(|w| w.log("", Operation::Noop(doc! { "msg": "linearizable read" }), None)).await?;
                let rows = self.storage.read()?.matching(ns, filter, None)?;
                if let Some(replication) = &self.replication {
                    replication
                        .await_durable(optime, crate::repl::runtime::Durability::Majority, Some(MAJORITY_WAIT))
                        .await?;
                }
                Ok(rows)
            }
            other => Err(CommandError::bad_value(format!("unknown read concern level '{other}'"))),
        }
    }

    /// What a majority holds: the present, with what is not yet committed taken back.
    async fn committed_rows(&self, ns: &str, filter: &Filter) -> CommandResult<Vec<Document>> {
        let Some(replication) = self.replication.as_ref().filter(|_| !ns.starts_with("local.")) else {
            return Ok(self.storage.read()?.matching(ns, filter, None)?);
        };
        let least = OpTime { ts: 1, term: -1 };
        if !replication.await_committed(least, Some(MAJORITY_WAIT)).await {
            return Err(CommandError::new(code::MAX_TIME_MS_EXPIRED, "no majority commit point is known yet"));
        }
        let committed = replication.look(crate::repl::Coordinator::commit_point);
        let view = self.storage.read()?;
        let mut before: BTreeMap<Vec<u8>, Option<Document>> = BTreeMap::new();
        for stored in view.oplog_after_reversed(committed.ts)? {
            let Some(entry) = OplogEntry::from_document(&stored).filter(|entry| entry.ns == ns) else { continue };
            let (document, earlier) = match entry.operation {
                Operation::Insert(document) => (document, None),
                Operation::Update { before, .. } | Operation::Delete(before) => (before.clone(), Some(before)),
                Operation::Command(_) | Operation::Noop(_) => continue,
            };
            before.insert(document_key(document.get("_id").unwrap_or(&Bson::Null)), earlier);
        }
        if before.is_empty() {
            return Ok(view.matching(ns, filter, None)?);
        }
        let mut rows: BTreeMap<Vec<u8>, Document> = BTreeMap::new();
        view.scan(ns, |key, document| {
            rows.insert(key.to_vec(), document);
            true
        })?;
        for (key, earlier) in before {
            match earlier {
                Some(document) => rows.insert(key, document),
                None => rows.remove(&key),
            };
        }
        Ok(rows.into_values().filter(|d| filter.matches(d)).collect())
    }
}
