//! Waiting on conditions: each wait says what it waits for and, when it ends badly, what it saw last.

use std::time::{Duration, Instant};

use crate::error::{LabError, Result};

const POLL_INTERVAL: Duration = Duration::from_millis(150);
const REMINDER_INTERVAL: Duration = Duration::from_secs(15);

/// Asks `probe` until it succeeds; its error is what is still missing.
pub async fn until<T, F>(what: &str, deadline: Duration, mut probe: impl FnMut() -> F) -> Result<T>
where
    F: Future<Output = Result<T, String>>,
{
    let start = Instant::now();
    tracing::info!("waiting for {what}");
    let mut last = "nothing yet".to_owned();
    let mut reminded = start;
    while start.elapsed() < deadline {
        let rest = deadline.saturating_sub(start.elapsed());
        match tokio::time::timeout(rest, probe()).await {
            Ok(Ok(value)) => {
                tracing::info!("{what}: {:.1}s", start.elapsed().as_secs_f32());
                return Ok(value);
            }
            Ok(Err(missing)) => last = missing,
            Err(_) => break,
        }
        if reminded.elapsed() >= REMINDER_INTERVAL {
            reminded = Instant::now();
            tracing::info!("still waiting for {what} after {:.0}s: {last}", start.elapsed().as_secs_f32());
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
    Err(LabError::Timeout { what: what.to_owned(), deadline, last })
}

/// As [`until`], for conditions that are looked up without a remote call.
pub(crate) fn until_blocking<T>(
    what: &str,
    deadline: Duration,
    mut probe: impl FnMut() -> Result<T, String>,
) -> Result<T> {
    let start = Instant::now();
    loop {
        match probe() {
            Ok(value) => return Ok(value),
            Err(last) if start.elapsed() >= deadline => {
                return Err(LabError::Timeout { what: what.to_owned(), deadline, last });
            }
            Err(_) => std::thread::sleep(Duration::from_millis(20)),
        }
    }
}
