use std::time::{Duration, Instant};

use anyhow::{Result, bail};

const PATIENCE: Duration = Duration::from_secs(40);
const PACE: Duration = Duration::from_millis(25);

/// Waits until something is so.
pub(crate) async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) -> Result<()> {
    wait_for(what, async || holds().await.then_some(())).await
}

/// Waits until there is an answer.
pub(crate) async fn wait_for<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> Result<T> {
    let began = Instant::now();
    loop {
        if let Some(found) = look().await {
            return Ok(found);
        }
        if began.elapsed() > PATIENCE {
            bail!("waited {PATIENCE:?} for {what}");
        }
        tokio::time::sleep(PACE).await;
    }
}

/// Watches that something stays so.
pub(crate) async fn stays(what: &str, long: Duration, mut holds: impl AsyncFnMut() -> bool) -> Result<()> {
    let began = Instant::now();
    while began.elapsed() < long {
        if !holds().await {
            bail!("not for {long:?}: {what}");
        }
        tokio::time::sleep(PACE).await;
    }
    Ok(())
}
