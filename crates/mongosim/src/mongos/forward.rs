use std::time::Duration;

use bson::Document;
use tokio::time::Instant;

use super::{Mongos, SetMonitor};
use crate::{
    error::{CommandError, CommandResult, code, is_ok},
    query::number,
};

const COMMAND_LIMIT: Duration = Duration::from_mins(2);

/// Fields that a shard says of itself and a client of mongos must not see.
const OWN_FIELDS: [&str; 4] = ["$replData", "topologyVersion", "electionId", "opTime"];

impl Mongos {
    /// Runs a command on a set's primary and gives the primary's reply, a refusal included. When
    /// the primary is lost, a command that may run twice is sent to the next: one with a
    /// transaction number, which shards recognise, or one that changes nothing (`idempotent`).
    pub(super) async fn run_on(&self, set: &SetMonitor, command: &Document, idempotent: bool) -> CommandResult {
        let deadline = Instant::now() + Self::FIND_PRIMARY;
        let may_repeat = idempotent || command.contains_key("txnNumber");
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let host = set.primary(left).await?;
            let lost = match self.run_once(set, &host, command).await {
                Ok(reply) => match loss(&reply) {
                    Some(loss) if loss.executed_nothing || may_repeat => Lost::Refused(reply),
                    _ => return Ok(cleaned(reply)),
                },
                Err(e) if may_repeat => Lost::Silent(e),
                Err(e) => return Err(e),
            };
            set.forget(&host);
            if Instant::now() >= deadline {
                return match lost {
                    Lost::Refused(reply) => Ok(cleaned(reply)),
                    Lost::Silent(e) => Err(e),
                };
            }
            tracing::debug!(set = set.name(), host, "primary lost, trying the next");
        }
    }

    async fn run_once(&self, set: &SetMonitor, host: &str, command: &Document) -> CommandResult {
        let limit = command
            .get("maxTimeMS")
            .and_then(number::as_i64)
            .and_then(|ms| u64::try_from(ms).ok())
            .filter(|ms| *ms > 0)
            .map_or(COMMAND_LIMIT, |ms| Duration::from_millis(ms) + Duration::from_secs(5));
        let unreachable = |reason: String| CommandError::new(code::HOST_UNREACHABLE, reason);
        tokio::select! {
            biased;
            reply = self.peers.command(host, command, limit) => {
                reply.map_err(|e| {
                    set.forget(host);
                    unreachable(e.to_string())
                })
            }
            () = set.deposed(host) => Err(unreachable(format!("{host} is no longer the primary of {}", set.name()))),
        }
    }
}

enum Lost {
    Refused(Document),
    Silent(CommandError),
}

struct Loss {
    executed_nothing: bool,
}

/// Whether a reply says that its node is not the primary (any more).
fn loss(reply: &Document) -> Option<Loss> {
    let code_of = |d: &Document| d.get("code").and_then(number::as_i64).map(|code| code as i32);
    if is_ok(reply) {
        let concern = reply.get_document("writeConcernError").ok().and_then(code_of)?;
        return CommandError::is_not_primary(concern).then_some(Loss { executed_nothing: false });
    }
    let code = code_of(reply)?;
    let executed_nothing = matches!(
        code,
        code::NOT_WRITABLE_PRIMARY | code::NOT_PRIMARY_NO_SECONDARY_OK | code::NOT_PRIMARY_OR_SECONDARY
    );
    CommandError::is_not_primary(code).then_some(Loss { executed_nothing })
}

fn cleaned(mut reply: Document) -> Document {
    for field in OWN_FIELDS {
        reply.remove(field);
    }
    reply
}
