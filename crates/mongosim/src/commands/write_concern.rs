use std::time::Duration;

use bson::{Bson, Document, doc};

use crate::{
    error::{CommandError, CommandResult, code},
    mongod::Mongod,
    oplog::OpTime,
    query::number,
    repl::runtime::{Durability, Waited},
};

/// A write concern, checked.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct WriteConcern {
    durability: Option<Durability>,
    limit: Option<Duration>,
    /// A mode is named that the configuration does not define.
    unknown: bool,
}

impl WriteConcern {
    /// Reads `writeConcern`; without one, what the set's default is.
    pub(super) fn of(command: &Document, mongod: &Mongod) -> CommandResult<Self> {
        match command.get("writeConcern") {
            Some(Bson::Document(given))
                if given.contains_key("w") || given.contains_key("wtimeout") || given.contains_key("j") =>
            {
                Self::parse(given, mongod)
            }
            _ => Ok(mongod.default_write_concern()?.map_or_else(
                || Self::implicit(mongod),
                |stored| Self::parse(&stored, mongod).unwrap_or_else(|_| Self::implicit(mongod)),
            )),
        }
    }

    fn implicit(mongod: &Mongod) -> Self {
        Self { durability: mongod.implicit_durability(), limit: None, unknown: false }
    }

    fn parse(given: &Document, mongod: &Mongod) -> CommandResult<Self> {
        let durability = match given.get("w") {
            None => mongod.implicit_durability(),
            Some(Bson::String(w)) if w == "majority" => Some(Durability::Majority),
            Some(Bson::String(_)) => None,
            Some(w) => match number::as_i64(w) {
                Some(0 | 1) => None,
                Some(n @ 2..=50) => Some(Durability::Members(n as usize)),
                _ => {
                    return Err(CommandError::new(
                        code::FAILED_TO_PARSE,
                        "w has to be a number between 0 and 50 or a mode",
                    ));
                }
            },
        };
        let limit = given
            .get("wtimeout")
            .and_then(number::as_i64)
            .and_then(|ms| u64::try_from(ms).ok())
            .filter(|ms| *ms > 0)
            .map(Duration::from_millis);
        let unknown = given.get_str("w").is_ok_and(|mode| mode != "majority");
        Ok(Self { durability, limit, unknown })
    }

    /// Waits for a write; what goes wrong is added to the reply of a write that did happen.
    pub(super) async fn wait(self, mongod: &Mongod, optime: OpTime, reply: &mut Document) -> CommandResult<()> {
        if self.unknown && mongod.replication.is_some() {
            reply.insert(
                "writeConcernError",
                doc! {
                    "code": code::UNKNOWN_WRITE_CONCERN,
                    "codeName": "UnknownReplWriteConcern",
                    "errmsg": "No write concern mode of that name found in replica set configuration",
                },
            );
            return Ok(());
        }
        let (Some(replication), Some(durability)) = (&mongod.replication, self.durability) else { return Ok(()) };
        if let Durability::Members(n) = durability
            && replication
                .look(|c| c.config().is_some_and(|c| c.members.iter().filter(|m| !m.arbiter_only).count() < n))
        {
            reply.insert(
                "writeConcernError",
                doc! { "code": code::UNSATISFIABLE_WRITE_CONCERN, "codeName": "UnsatisfiableWriteConcern", "errmsg": "Not enough data-bearing nodes" },
            );
            return Ok(());
        }
        match replication.await_durable(optime, durability, self.limit).await? {
            Waited::Done => {}
            Waited::TimedOut => {
                reply.insert(
                    "writeConcernError",
                    doc! {
                        "code": code::WRITE_CONCERN_TIMEOUT,
                        "codeName": "WriteConcernTimeout",
                        "errmsg": "waiting for replication timed out",
                        "errInfo": { "wtimeout": true },
                    },
                );
            }
        }
        Ok(())
    }
}
