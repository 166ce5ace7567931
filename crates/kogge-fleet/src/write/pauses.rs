//! When to try a write again that the worker's admission lets hang or cannot pass on. Pure: the time comes in as an
//! argument.
//!
//! A webhook that is slow or gone does not come back sooner for being asked each second, and each question may take the
//! whole deadline. What came of the last try is told meanwhile. A restart of the operator forgets the pauses, which
//! costs one try.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use kogge_plan::ObjectKey;

use super::{Outcome, WriteError};

/// The first pause.
const FIRST: Duration = Duration::from_secs(15);
/// The longest pause.
const LONGEST: Duration = Duration::from_mins(5);
/// Objects that are remembered at most; of more, the one that is due first is tried as if it were new.
const REMEMBERED: usize = 1024;

/// What came of a write.
pub(super) type Came = Result<Outcome, WriteError>;

/// What a write is about: the object, what it is to become, and whether it is only rehearsed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Attempt {
    pub(super) key: ObjectKey,
    pub(super) content: Option<String>,
    pub(super) dry_run: bool,
}

/// The writes of one worker that are not to be tried again yet.
#[derive(Debug, Default)]
pub(crate) struct Pauses(BTreeMap<Attempt, Pause>);

#[derive(Debug)]
struct Pause {
    until: Instant,
    length: Duration,
    came: Came,
}

impl Pauses {
    /// What came of the last try, where the next one is not due yet.
    pub(super) fn held(&self, attempt: &Attempt, now: Instant) -> Option<Came> {
        self.0.get(attempt).filter(|pause| pause.until > now).map(|pause| pause.came.clone())
    }

    /// Notes what came of a try.
    pub(super) fn note(&mut self, attempt: Attempt, came: &Came, now: Instant) {
        // What was to become of the object before is of no interest any more.
        let is_kept =
            |other: &Attempt| *other == attempt || other.key != attempt.key || other.dry_run != attempt.dry_run;
        self.0.retain(|other, _| is_kept(other));
        if !is_held_back(came) {
            self.0.remove(&attempt);
            return;
        }
        let before = self.0.get(&attempt).map(|pause| pause.length);
        let length = before.map_or(FIRST, |length| (length * 2).min(LONGEST));
        if before.is_none() && self.0.len() >= REMEMBERED {
            let first = self.0.iter().min_by_key(|(_, pause)| pause.until).map(|(attempt, _)| attempt.clone());
            if let Some(first) = first {
                self.0.remove(&first);
            }
        }
        self.0.insert(attempt, Pause { until: now + length, length, came: came.clone() });
    }
}

/// Whether admission is at fault, by what is known.
fn is_held_back(came: &Came) -> bool {
    match came {
        Ok(Outcome::Unknown { timed_out, .. }) => *timed_out,
        Ok(_) => false,
        Err(error) => error.refusal().is_some_and(|refusal| refusal.is_transient() && refusal.is_webhook()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempt(name: &str, content: &str) -> Attempt {
        Attempt {
            key: ObjectKey::namespaced("v1", "ConfigMap", "databases", name),
            content: Some(content.to_owned()),
            dry_run: false,
        }
    }

    #[expect(clippy::unnecessary_wraps, reason = "it is what an attempt came to")]
    fn slow() -> Came {
        Ok(Outcome::Unknown { message: "no answer within 10 s".to_owned(), timed_out: true })
    }

    #[test]
    fn field_25_pauses_grow_up_to_a_bound_and_end_with_an_answer() {
        let (mut pauses, mut now) = (Pauses::default(), Instant::now());
        let mut lengths = Vec::new();
        for _ in 0..7 {
            pauses.note(attempt("a", "1"), &slow(), now);
            let mut length = Duration::ZERO;
            while pauses.held(&attempt("a", "1"), now + length).is_some() {
                length += Duration::from_secs(1);
            }
            lengths.push(length.as_secs());
            now += length;
        }
        assert_eq!(lengths, [15, 30, 60, 120, 240, 300, 300]);
        pauses.note(attempt("a", "1"), &Ok(Outcome::Gone), now);
        assert_eq!(pauses.held(&attempt("a", "1"), now), None);
        pauses.note(attempt("a", "1"), &slow(), now);
        assert!(pauses.held(&attempt("a", "1"), now + FIRST).is_none(), "it begins again");
    }

    #[test]
    fn field_25_another_object_and_other_content_are_tried_at_once() {
        let (mut pauses, now) = (Pauses::default(), Instant::now());
        pauses.note(attempt("a", "1"), &slow(), now);
        assert_eq!(pauses.held(&attempt("a", "1"), now), Some(slow()));
        assert_eq!(pauses.held(&attempt("b", "1"), now), None);
        assert_eq!(pauses.held(&attempt("a", "2"), now), None);
        assert_eq!(pauses.held(&Attempt { dry_run: true, ..attempt("a", "1") }, now), None);
    }

    #[test]
    fn field_25_only_so_many_are_remembered() {
        let (mut pauses, now) = (Pauses::default(), Instant::now());
        for number in 0..REMEMBERED + 10 {
            pauses.note(attempt(&number.to_string(), "1"), &slow(), now);
        }
        assert_eq!(pauses.0.len(), REMEMBERED);
    }
}
