use std::{
    fmt,
    time::{Duration, Instant},
};

/// Counts since the start.
#[derive(Debug)]
pub(crate) struct Progress {
    acknowledged: u64,
    failed: u64,
    last_acknowledged: Instant,
    longest_stall: Duration,
}

impl Progress {
    pub(crate) fn new(now: Instant) -> Self {
        Self { acknowledged: 0, failed: 0, last_acknowledged: now, longest_stall: Duration::ZERO }
    }

    /// An attempt ended.
    pub(crate) fn note(&mut self, acknowledged: bool, now: Instant) {
        if acknowledged {
            self.acknowledged += 1;
            self.longest_stall = self.longest_stall.max(now.duration_since(self.last_acknowledged));
            self.last_acknowledged = now;
        } else {
            self.failed += 1;
        }
    }
}

impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (acknowledged, failed) = (self.acknowledged, self.failed);
        write!(
            f,
            "acknowledged: {acknowledged}, failed: {failed}, longest stall: {:.1} s",
            self.longest_stall.as_secs_f64()
        )
    }
}
