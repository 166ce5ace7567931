//! What the clients met with, for whoever reads their log.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use kogge_history::history::Answer;
use kogge_history::workload::Failure;

/// Counts over all clients of this process.
#[derive(Debug, Default)]
pub(super) struct Counts {
    answered: AtomicU64,
    failed: AtomicU64,
    unknown: AtomicU64,
    /// The longest time that an answer took since the last report, in milliseconds.
    slowest: AtomicU64,
}

impl Counts {
    pub(super) fn add(&self, answer: &Result<Answer, Failure>, took: Duration) {
        let count = match answer {
            Ok(_) => &self.answered,
            Err(Failure::Certain(_)) => &self.failed,
            Err(Failure::Unknown(_)) => &self.unknown,
        };
        count.fetch_add(1, Ordering::Relaxed);
        if answer.is_ok() {
            let millis = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
            self.slowest.fetch_max(millis, Ordering::Relaxed);
        }
    }

    /// The counts so far; the slowest answer is that since the last call.
    pub(super) fn report(&self) -> Report {
        Report {
            answered: self.answered.load(Ordering::Relaxed),
            failed: self.failed.load(Ordering::Relaxed),
            unknown: self.unknown.load(Ordering::Relaxed),
            slowest: self.slowest.swap(0, Ordering::Relaxed),
        }
    }
}

/// A line of the log. Operations that are given up unanswered by their client are in no count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Report {
    answered: u64,
    failed: u64,
    unknown: u64,
    slowest: u64,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { answered, failed, unknown, slowest } = self;
        write!(
            f,
            "answered {answered}, failed {failed}, unknown {unknown}, the slowest since the last line {slowest} ms"
        )
    }
}
