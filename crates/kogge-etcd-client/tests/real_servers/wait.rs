//! Waiting on conditions.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

const POLL: Duration = Duration::from_millis(50);
const DEADLINE: Duration = Duration::from_secs(30);

/// Looks until `probe` finds what it looks for; its error says what is missing.
pub(crate) async fn until<T>(what: &str, mut probe: impl AsyncFnMut() -> Result<T, String>) -> Result<T> {
    let start = Instant::now();
    loop {
        match probe().await {
            Ok(found) => return Ok(found),
            Err(missing) if start.elapsed() > DEADLINE => bail!("{what}: not reached; last seen: {missing}"),
            Err(_) => tokio::time::sleep(POLL).await,
        }
    }
}
