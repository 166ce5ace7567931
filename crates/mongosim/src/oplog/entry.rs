use bson::{DateTime, Document, doc};

use super::{OpTime, optime::ts_bits};

/// What an entry does. Updates and deletes carry the document as it was, so that an entry can be
/// undone.
#[derive(Debug, Clone, PartialEq)]
pub enum Operation {
    /// `i`: a new document.
    Insert(Document),
    /// `u`: a document replaced.
    Update {
        /// As it was.
        before: Document,
        /// As it is now.
        after: Document,
    },
    /// `d`: a document removed; as it was.
    Delete(Document),
    /// `c`: create, drop, dropDatabase, createIndexes.
    Command(Document),
    /// `n`: nothing; a new primary's first entry, a reconfiguration.
    Noop(Document),
}

/// Which statement of which retryable write an entry is, and what was answered.
#[derive(Debug, Clone, PartialEq)]
pub struct Statement {
    /// The logical session.
    pub lsid: Document,
    /// The session's transaction number.
    pub txn_number: i64,
    /// The statement's place in its command.
    pub stmt_id: i32,
    /// The statement's share of the reply.
    pub reply: Document,
}

/// One entry.
#[derive(Debug, Clone, PartialEq)]
pub struct OplogEntry {
    /// Its place.
    pub optime: OpTime,
    /// The primary's clock.
    pub wall: DateTime,
    /// Namespace, `db.$cmd` for commands.
    pub ns: String,
    /// What it does.
    pub operation: Operation,
    /// The retryable write that it belongs to.
    pub statement: Option<Statement>,
}

impl OplogEntry {
    /// As the oplog stores and the wire carries it.
    pub fn to_document(&self) -> Document {
        let mut d = doc! {
            "ts": self.optime.timestamp(),
            "t": self.optime.term,
            "v": 2_i64,
            "wall": self.wall,
            "ns": &self.ns,
        };
        match &self.operation {
            Operation::Insert(document) => d.extend(doc! { "op": "i", "o": document.clone() }),
            Operation::Update { before, after } => {
                let id = after.get("_id").cloned();
                d.extend(doc! { "op": "u", "o": after.clone(), "o2": { "_id": id }, "preImage": before.clone() });
            }
            Operation::Delete(before) => {
                let id = before.get("_id").cloned();
                d.extend(doc! { "op": "d", "o": { "_id": id }, "preImage": before.clone() });
            }
            Operation::Command(command) => d.extend(doc! { "op": "c", "o": command.clone() }),
            Operation::Noop(message) => d.extend(doc! { "op": "n", "o": message.clone() }),
        }
        if let Some(s) = &self.statement {
            d.extend(doc! {
                "lsid": s.lsid.clone(),
                "txnNumber": s.txn_number,
                "stmtId": s.stmt_id,
                "reply": s.reply.clone(),
            });
        }
        d
    }

    /// Reads an entry; `None` when it is not one.
    pub fn from_document(d: &Document) -> Option<Self> {
        let sub = |key: &str| d.get_document(key).ok().cloned();
        let operation = match d.get_str("op").ok()? {
            "i" => Operation::Insert(sub("o")?),
            "u" => Operation::Update { before: sub("preImage")?, after: sub("o")? },
            "d" => Operation::Delete(sub("preImage")?),
            "c" => Operation::Command(sub("o")?),
            "n" => Operation::Noop(sub("o")?),
            _ => return None,
        };
        let statement = sub("lsid").and_then(|lsid| {
            Some(Statement {
                lsid,
                txn_number: d.get_i64("txnNumber").ok()?,
                stmt_id: d.get_i32("stmtId").ok()?,
                reply: sub("reply").unwrap_or_default(),
            })
        });
        Some(Self {
            optime: Self::optime_of(d),
            wall: d.get_datetime("wall").copied().unwrap_or(DateTime::from_millis(0)),
            ns: d.get_str("ns").ok()?.to_owned(),
            operation,
            statement,
        })
    }

    /// The optime of a stored entry.
    pub fn optime_of(d: &Document) -> OpTime {
        let ts = d.get_timestamp("ts").map_or(0, ts_bits);
        OpTime { ts, term: d.get_i64("t").unwrap_or(-1) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_survive_a_round_trip() {
        let entry = OplogEntry {
            optime: OpTime { ts: (1 << 32) | 7, term: 3 },
            wall: DateTime::from_millis(5),
            ns: "db.c".into(),
            operation: Operation::Update { before: doc! { "_id": 1 }, after: doc! { "_id": 1, "a": 2 } },
            statement: Some(Statement {
                lsid: doc! { "id": 9 },
                txn_number: 4,
                stmt_id: 0,
                reply: doc! { "n": 1 },
            }),
        };
        assert_eq!(OplogEntry::from_document(&entry.to_document()), Some(entry));
    }
}
