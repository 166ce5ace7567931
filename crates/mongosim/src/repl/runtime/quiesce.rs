use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

use super::Replication;
use crate::{
    error::{CommandError, CommandResult, code},
    repl::MemberState,
};

impl Replication {
    /// Begins quiesce mode, which only a secondary has. Those who wait on hello are told at once.
    pub fn enter_quiesce_if_secondary(self: &Arc<Self>, time: Duration) -> bool {
        self.with_result(|c, _| {
            if c.state() != MemberState::Secondary {
                return (false, Vec::new());
            }
            *self.quiesce_until.lock() = Some(Instant::now() + time);
            (true, c.touch_topology())
        })
    }

    /// Refuses hello in quiesce mode, so that clients go elsewhere while what they have begun is still served.
    pub fn check_not_quiescing(&self) -> CommandResult<()> {
        let Some(until) = *self.quiesce_until.lock() else { return Ok(()) };
        let left = until.saturating_duration_since(Instant::now());
        Err(CommandError::new(code::SHUTDOWN_IN_PROGRESS, "The server is in quiesce mode and will shut down")
            .with("remainingQuiesceTimeMillis", left.as_millis() as i64))
    }
}
