//! The clock of a history.

use std::time::Instant;

use nix::errno::Errno;
use nix::time::{ClockId, clock_gettime};
use thiserror::Error;

/// Nanoseconds that never run backwards, the same for all clients of a history.
pub trait Clock: Sync {
    /// The time.
    fn now(&self) -> u64;
}

/// The monotonic clock of this machine. Its processes share it, also those of its containers, so what they record can be
/// checked together.
#[derive(Clone, Copy, Debug)]
pub struct Monotonic {
    start: u64,
    since: Instant,
}

/// The clock cannot be read.
#[derive(Debug, Error)]
#[error("the monotonic clock of this machine cannot be read: {0}")]
pub struct ClockError(#[from] Errno);

impl Monotonic {
    /// Reads the clock once; what follows is counted on from there.
    pub fn new() -> Result<Self, ClockError> {
        let now = clock_gettime(ClockId::CLOCK_MONOTONIC)?;
        let since = Instant::now();
        let seconds = u64::try_from(now.tv_sec()).map_err(|_| Errno::ERANGE)?;
        let nanoseconds = u64::try_from(now.tv_nsec()).map_err(|_| Errno::ERANGE)?;
        Ok(Self { start: seconds * 1_000_000_000 + nanoseconds, since })
    }
}

impl Clock for Monotonic {
    fn now(&self) -> u64 {
        self.start + u64::try_from(self.since.elapsed().as_nanos()).unwrap_or(u64::MAX - self.start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_processes_would_read_one_time() -> Result<(), ClockError> {
        let first = Monotonic::new()?;
        let (before, second) = (first.now(), Monotonic::new()?);
        let (between, after) = (second.now(), first.now());
        // Each has an error of its own: the time between its two readings when it was made.
        let error = 100_000_000;
        assert!(before < between + error && between < after + error, "{before} {between} {after}");
        Ok(())
    }
}
