use bson::{Bson, Document, doc};

use super::{
    write_concern::WriteConcern,
    write_statements::{Statement, execute, with_id, write_error},
};
use crate::{
    error::{CommandError, CommandResult, code},
    mongod::Mongod,
    query::{Filter, Projection, Sort, Update, number},
    server::Request,
    sessions::RetryableWrite,
};

const MAX_STATEMENTS: usize = 100_000;

fn flag(d: &Document, key: &str) -> bool {
    d.get(key).and_then(number::as_bool).unwrap_or(false)
}

fn sub(d: &Document, key: &str) -> CommandResult {
    match d.get(key) {
        None => Ok(Document::new()),
        Some(Bson::Document(sub)) => Ok(sub.clone()),
        Some(_) => Err(CommandError::new(code::TYPE_MISMATCH, format!("{key} must be a document"))),
    }
}

fn statements(request: &Request) -> CommandResult<Vec<Statement>> {
    let field = match request.name.as_str() {
        "insert" => "documents",
        "update" => "updates",
        _ => "deletes",
    };
    let given = request.body.get_array(field).map_err(|_| {
        CommandError::new(
            code::LOCATION_MISSING_FIELD,
            format!("BSON field '{}.{field}' is missing but a required field", request.name),
        )
    })?;
    if given.is_empty() || given.len() > MAX_STATEMENTS {
        return Err(CommandError::new(
            21,
            format!("Write batch sizes must be between 1 and {MAX_STATEMENTS}. Got {}", given.len()),
        ));
    }
    given
        .iter()
        .map(|value| {
            let d = value
                .as_document()
                .ok_or_else(|| CommandError::new(code::TYPE_MISMATCH, format!("{field} must hold documents")))?;
            Ok(match request.name.as_str() {
                "insert" => Statement::Insert(with_id(d.clone())),
                "update" => Statement::Update {
                    filter: Filter::parse(&sub(d, "q")?)?,
                    update: Update::parse(d.get("u").unwrap_or(&Bson::Null))?,
                    multi: flag(d, "multi"),
                    upsert: flag(d, "upsert"),
                },
                _ => Statement::Delete {
                    filter: Filter::parse(&sub(d, "q")?)?,
                    multi: d.get("limit").and_then(number::as_i64) != Some(1),
                },
            })
        })
        .collect()
}

impl Mongod {
    /// `insert`, `update`, `delete`.
    pub(crate) async fn write_command(&self, request: &Request) -> CommandResult {
        let ns = writable_namespace(request)?;
        let statements = statements(request)?;
        let ordered = request.body.get("ordered").and_then(number::as_bool).unwrap_or(true);
        let retryable = RetryableWrite::from_command(&request.body)?;
        let concern = WriteConcern::of(&request.body, self)?;
        let first_id = request.body.get("stmtId").and_then(number::as_i64).unwrap_or(0) as i32;
        let is_update = request.name == "update";
        let (mut reply, optime) = self
            .write(move |writer| {
                let mut totals = Totals::default();
                for (index, statement) in statements.iter().enumerate() {
                    let outcome = execute(writer, &ns, statement, retryable.as_ref(), first_id + index as i32)?;
                    if !totals.add(index, outcome) && ordered {
                        break;
                    }
                }
                Ok(totals.into_reply(is_update))
            })
            .await?;
        concern.wait(self, optime, &mut reply).await?;
        Ok(reply)
    }

    /// `findAndModify`.
    pub(crate) async fn find_and_modify(&self, request: &Request) -> CommandResult {
        let ns = writable_namespace(request)?;
        let body = &request.body;
        let remove = flag(body, "remove");
        let update = match (remove, body.get("update")) {
            (true, None) => None,
            (false, Some(update)) => Some(Update::parse(update)?),
            _ => {
                return Err(CommandError::new(
                    code::FAILED_TO_PARSE,
                    "Either an update or remove=true must be specified",
                ));
            }
        };
        let statement = Statement::FindAndModify {
            filter: Filter::parse(&sub(body, "query")?)?,
            sort: Sort::parse(&sub(body, "sort")?)?,
            update,
            upsert: flag(body, "upsert"),
            new: flag(body, "new"),
        };
        let projection = Projection::parse(&sub(body, "fields")?)?;
        let retryable = RetryableWrite::from_command(body)?;
        let concern = WriteConcern::of(body, self)?;
        let (outcome, optime) =
            self.write(move |writer| execute(writer, &ns, &statement, retryable.as_ref(), 0)).await?;
        let mut reply = outcome?;
        reply.remove("retried");
        if let (Some(projection), Ok(value)) = (projection, reply.get_document("value")) {
            let shown = projection.apply(value);
            reply.insert("value", shown);
        }
        concern.wait(self, optime, &mut reply).await?;
        Ok(reply)
    }
}

/// The namespace of a write by a client: `local` and `config` and the system's own are not theirs.
fn writable_namespace(request: &Request) -> CommandResult<String> {
    request.namespace().ok_or_else(|| {
        CommandError::new(code::INVALID_NAMESPACE, format!("Invalid namespace specified '{}.'", request.db))
    })
}

#[derive(Default)]
struct Totals {
    n: i32,
    modified: i32,
    upserted: Vec<Bson>,
    errors: Vec<Bson>,
    retried: Vec<Bson>,
}

impl Totals {
    fn add(&mut self, index: usize, outcome: CommandResult) -> bool {
        match outcome {
            Ok(part) => {
                self.n += part.get_i32("n").unwrap_or(0);
                self.modified += part.get_i32("nModified").unwrap_or(0);
                if let Some(id) = part.get("upserted") {
                    self.upserted.push(Bson::Document(doc! { "index": index as i32, "_id": id.clone() }));
                }
                if part.contains_key("retried") {
                    self.retried.push(Bson::Int32(index as i32));
                }
                true
            }
            Err(e) => {
                self.errors.push(write_error(index, &e));
                false
            }
        }
    }

    fn into_reply(self, is_update: bool) -> Document {
        let mut reply = doc! { "n": self.n, "ok": 1.0 };
        if is_update {
            reply.insert("nModified", self.modified);
        }
        for (name, list) in
            [("upserted", self.upserted), ("writeErrors", self.errors), ("retriedStmtIds", self.retried)]
        {
            if !list.is_empty() {
                reply.insert(name, list);
            }
        }
        reply
    }
}
