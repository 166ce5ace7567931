//! How a mongod ends: it hands over, goes on for a while in quiesce mode, and then closes every connection.

use std::time::Duration;

use bson::Document;
use tokio::time::Instant;

use crate::{
    error::{CommandError, CommandResult, code},
    mongod::Mongod,
    query::number,
    repl::{ReplSetConfig, runtime::StepDownRequest},
};

/// So long that a server which ends slowly does not stand again meanwhile.
const NO_ELECTION: Duration = Duration::from_hours(24);
/// `timeoutSecs` of the command without one.
const COMMAND_TIME: Duration = Duration::from_secs(15);

/// What a shutdown was asked for with.
#[derive(Debug, Clone, Copy)]
pub struct Shutdown {
    /// For the step-down and for what is left of it in quiesce mode.
    time: Duration,
    /// Whether a primary ends although nobody can take over.
    force: bool,
}

impl Shutdown {
    /// By SIGTERM or SIGINT: whatever stands against it, the server ends.
    pub fn by_signal(time: Duration) -> Self {
        Self { time, force: true }
    }

    /// By the `shutdown` command.
    pub fn by_command(command: &Document) -> CommandResult<Self> {
        let time = match command.get("timeoutSecs") {
            None => COMMAND_TIME,
            Some(given) => number::as_i64(given)
                .and_then(|seconds| u64::try_from(seconds).ok())
                .map(Duration::from_secs)
                .ok_or_else(|| CommandError::bad_value("timeoutSecs must be a non-negative number of seconds"))?,
        };
        Ok(Self { time, force: command.get("force").and_then(number::as_bool).unwrap_or(false) })
    }
}

impl Mongod {
    /// Ends the server, as mongod does: a primary with other members steps down first, and then a secondary goes on
    /// for the rest of the time. Who is neither, ends at once.
    pub async fn shut_down(&self, how: Shutdown) -> CommandResult<()> {
        let deadline = Instant::now() + how.time;
        if let Some(replication) = &self.replication {
            let alone = replication.look(|c| c.config().is_none_or(|c: &ReplSetConfig| c.members.len() == 1));
            if !alone {
                let request = StepDownRequest { period: NO_ELECTION, catch_up: how.time, force: false };
                match replication.step_down(request).await {
                    Err(e) if e.code == code::NOT_WRITABLE_PRIMARY => {}
                    Err(e) if how.force => tracing::warn!(error = %e, "no step-down before shutdown"),
                    outcome => outcome?,
                }
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if self.options.version.quiesces() && replication.enter_quiesce_if_secondary(left) {
                tracing::info!(?left, "quiesce mode");
                tokio::time::sleep(left).await;
            }
        }
        self.shutdown.cancel();
        Ok(())
    }
}
