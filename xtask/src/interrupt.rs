//! Ctrl-C and its kin: the work stops, and what it started is taken down.

use anyhow::{Context as _, bail};
use tokio::signal::unix::{SignalKind, signal};

/// Does the work unless a signal asks to stop; then it is dropped, and the error says so.
pub(crate) async fn unless_interrupted<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let listen = |kind| signal(kind).context("cannot listen to signals");
    let mut interrupt = listen(SignalKind::interrupt())?;
    let mut terminate = listen(SignalKind::terminate())?;
    let mut hangup = listen(SignalKind::hangup())?;
    tokio::select! {
        result = work => result,
        _ = interrupt.recv() => bail!("interrupted"),
        _ = terminate.recv() => bail!("asked to end"),
        _ = hangup.recv() => bail!("the terminal is gone"),
    }
}
