//! When to stop asking a worker that does not answer. Pure: the time comes in as an argument.

use std::time::{Duration, Instant};

/// Failures in a row that open the breaker.
const THRESHOLD: u32 = 5;
/// How long it stays open at first.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// How long it stays open at most.
const LONGEST_PAUSE: Duration = Duration::from_secs(15);

/// Counts failures of transport; answers of any status are successes, for the server gave them.
#[derive(Debug)]
pub(crate) struct Breaker {
    state: State,
    pause: Duration,
}

#[derive(Debug, PartialEq, Eq)]
enum State {
    /// Requests go through.
    Closed { failures: u32 },
    /// Requests fail at once.
    Open { until: Instant },
    /// One request is on its way to find out; the others fail at once until `until`.
    HalfOpen { until: Instant },
}

impl Default for Breaker {
    fn default() -> Self {
        Self { state: State::Closed { failures: 0 }, pause: FIRST_PAUSE }
    }
}

impl Breaker {
    /// Whether a request may be sent now; otherwise when to ask again.
    ///
    /// A trial whose result never comes back is given up after a pause, so that the breaker cannot stay
    /// half-open for ever.
    pub(crate) fn admit(&mut self, now: Instant) -> Result<(), Duration> {
        match self.state {
            State::Closed { .. } => Ok(()),
            State::Open { until } | State::HalfOpen { until } if until > now => Err(until - now),
            State::Open { .. } | State::HalfOpen { .. } => {
                self.state = State::HalfOpen { until: now + self.pause.max(FIRST_PAUSE) };
                Ok(())
            }
        }
    }

    /// A request was answered.
    pub(crate) fn succeed(&mut self) {
        *self = Self::default();
    }

    /// A request was not answered. Requests that were sent before the breaker opened do not lengthen its
    /// pause.
    pub(crate) fn fail(&mut self, now: Instant) {
        match &mut self.state {
            State::Closed { failures } => {
                *failures += 1;
                if *failures >= THRESHOLD {
                    self.state = State::Open { until: now + self.pause };
                }
            }
            State::Open { .. } => {}
            State::HalfOpen { .. } => {
                self.pause = (self.pause * 2).min(LONGEST_PAUSE);
                self.state = State::Open { until: now + self.pause };
            }
        }
    }

    /// Whether requests fail at once.
    #[cfg(test)]
    pub(crate) fn is_open(&self) -> bool {
        !matches!(self.state, State::Closed { .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opened(now: Instant) -> Breaker {
        let mut breaker = Breaker::default();
        for _ in 0..THRESHOLD {
            assert_eq!(breaker.admit(now), Ok(()));
            breaker.fail(now);
        }
        breaker
    }

    #[test]
    fn opens_only_after_failures_in_a_row() {
        let now = Instant::now();
        let mut breaker = Breaker::default();
        for _ in 0..THRESHOLD - 1 {
            breaker.fail(now);
        }
        breaker.succeed();
        for _ in 0..THRESHOLD - 1 {
            breaker.fail(now);
        }
        assert_eq!(breaker.admit(now), Ok(()));
        breaker.fail(now);
        assert_eq!(breaker.admit(now), Err(FIRST_PAUSE));
    }

    #[test]
    fn lets_one_request_through_after_the_pause() {
        let now = Instant::now();
        let mut breaker = opened(now);
        let later = now + FIRST_PAUSE;
        assert_eq!(breaker.admit(later), Ok(()));
        assert!(breaker.admit(later).is_err(), "a second trial at the same time");
    }

    #[test]
    fn closes_when_the_trial_is_answered() {
        let now = Instant::now();
        let mut breaker = opened(now);
        breaker.admit(now + FIRST_PAUSE).unwrap();
        breaker.succeed();
        assert!(!breaker.is_open());
        assert_eq!(breaker.admit(now + FIRST_PAUSE), Ok(()));
    }

    #[test]
    fn pauses_longer_after_each_failed_trial_up_to_a_bound() {
        let mut now = Instant::now();
        let mut breaker = opened(now);
        let mut pauses = Vec::new();
        for _ in 0..6 {
            let pause = breaker.admit(now).unwrap_err();
            pauses.push(pause.as_secs());
            now += pause;
            breaker.admit(now).unwrap();
            breaker.fail(now);
        }
        assert_eq!(pauses, [1, 2, 4, 8, 15, 15]);
    }

    #[test]
    fn late_failures_do_not_lengthen_the_pause() {
        let now = Instant::now();
        let mut breaker = opened(now);
        for _ in 0..100 {
            breaker.fail(now);
        }
        assert_eq!(breaker.admit(now), Err(FIRST_PAUSE));
    }

    #[test]
    fn a_trial_that_never_reports_does_not_block_for_ever() {
        let now = Instant::now();
        let mut breaker = opened(now);
        breaker.admit(now + FIRST_PAUSE).unwrap();
        let pause = breaker.admit(now + FIRST_PAUSE).unwrap_err();
        assert_eq!(breaker.admit(now + FIRST_PAUSE + pause), Ok(()));
    }
}
