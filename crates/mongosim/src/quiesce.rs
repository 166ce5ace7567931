//! Quiesce mode: between the signal to end and the end, clients are told to go elsewhere and served on.

use std::time::Duration;

use tokio::{sync::watch, time::Instant};

use crate::error::{CommandError, CommandResult, code};

/// Whether a server is about to end, and when it does.
#[derive(Debug, Default)]
pub struct Quiesce(watch::Sender<Option<Instant>>);

impl Quiesce {
    /// Begins it, once; `announce` then wakes the hellos that wait for a change.
    pub async fn last(&self, length: Duration, announce: impl FnOnce()) {
        let end = Instant::now() + length;
        let first = self.0.send_if_modified(|known| known.is_none().then(|| *known = Some(end)).is_some());
        if first && !length.is_zero() {
            announce();
        }
        let end = self.0.borrow().unwrap_or(end);
        tokio::time::sleep_until(end).await;
    }

    /// What hello is answered in it: 91, with the time that is left. Every other command is served.
    pub fn refuse_hello(&self, server: &str) -> CommandResult<()> {
        let Some(end) = *self.0.borrow() else { return Ok(()) };
        let left = end.saturating_duration_since(Instant::now()).as_millis() as i64;
        let message = format!("{server} is in quiesce mode and will shut down");
        Err(CommandError::new(code::SHUTDOWN_IN_PROGRESS, message).with("remainingQuiesceTimeMillis", left))
    }
}
