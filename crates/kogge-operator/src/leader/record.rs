//! The rules of the Lease, without a client and without a clock.

use std::time::{Duration, Instant};

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;

/// How long leadership lasts, and how it is kept.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// How long a record must stand unchanged before somebody else may take it.
    pub lease: Duration,
    /// How long after its last renewal a leader still writes; shorter than `lease`.
    pub renew_deadline: Duration,
    /// How long to wait between two tries.
    pub retry: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            lease: Duration::from_secs(15),
            renew_deadline: Duration::from_secs(10),
            retry: Duration::from_secs(2),
        }
    }
}

/// What one candidate has seen of the Lease.
#[derive(Debug, Default)]
pub(super) struct Observation {
    seen: Option<(LeaseSpec, Instant)>,
}

/// What a candidate should do about the Lease.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Move {
    /// Write this record, and lead once it is written.
    Take(Box<LeaseSpec>),
    /// Somebody else leads.
    Wait {
        /// The holder.
        holder: String,
    },
}

impl Observation {
    /// Takes note of the record as it is now and says what to do about it.
    pub(super) fn next(
        &mut self,
        lease: Option<&Lease>,
        identity: &str,
        timing: Timing,
        now: Instant,
        wall: &MicroTime,
    ) -> Move {
        let Some(record) = lease.and_then(|l| l.spec.as_ref()) else {
            return Move::Take(Box::new(claim(None, identity, timing, wall)));
        };
        if self.seen.as_ref().is_none_or(|(before, _)| before != record) {
            self.seen = Some((record.clone(), now));
        }
        let holder = record.holder_identity.clone().unwrap_or_default();
        let unchanged_for = self.seen.as_ref().map_or(Duration::ZERO, |(_, since)| now.duration_since(*since));
        if holder == identity || holder.is_empty() || unchanged_for >= timing.lease {
            Move::Take(Box::new(claim(Some(record), identity, timing, wall)))
        } else {
            Move::Wait { holder }
        }
    }
}

/// The record by which `identity` holds the Lease after `before`. Each change of holder counts a transition.
fn claim(before: Option<&LeaseSpec>, identity: &str, timing: Timing, wall: &MicroTime) -> LeaseSpec {
    let held = before.filter(|r| r.holder_identity.as_deref() == Some(identity));
    let transitions = before.and_then(|r| r.lease_transitions).unwrap_or(0);
    LeaseSpec {
        holder_identity: Some(identity.to_owned()),
        lease_duration_seconds: i32::try_from(timing.lease.as_secs()).ok(),
        acquire_time: held.and_then(|r| r.acquire_time.clone()).or_else(|| Some(wall.clone())),
        renew_time: Some(wall.clone()),
        lease_transitions: Some(if before.is_none() || held.is_some() { transitions } else { transitions + 1 }),
        ..LeaseSpec::default()
    }
}

/// The record by which a leader that leaves hands over at once.
pub(super) fn released(before: &LeaseSpec, wall: &MicroTime) -> LeaseSpec {
    LeaseSpec {
        holder_identity: Some(String::new()),
        lease_duration_seconds: Some(1),
        renew_time: Some(wall.clone()),
        ..before.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wall() -> MicroTime {
        MicroTime(k8s_openapi::jiff::Timestamp::UNIX_EPOCH)
    }

    fn held_by(identity: &str, transitions: i32) -> Lease {
        let spec = LeaseSpec {
            holder_identity: Some(identity.to_owned()),
            lease_transitions: Some(transitions),
            ..LeaseSpec::default()
        };
        Lease { spec: Some(spec), ..Lease::default() }
    }

    #[test]
    fn a_free_lease_is_taken() {
        let mut seen = Observation::default();
        let Move::Take(record) = seen.next(None, "a", Timing::default(), Instant::now(), &wall()) else {
            panic!("the lease is free")
        };
        assert_eq!((record.holder_identity.as_deref(), record.lease_transitions), (Some("a"), Some(0)));
    }

    #[test]
    fn a07_a_lease_is_taken_over_only_after_it_stood_still_on_my_own_clock() {
        let (mut seen, timing, start) = (Observation::default(), Timing::default(), Instant::now());
        let lease = held_by("other", 3);
        let almost = start + timing.lease.mul_f64(0.999);
        for now in [start, almost] {
            let next = seen.next(Some(&lease), "a", timing, now, &wall());
            assert_eq!(next, Move::Wait { holder: "other".to_owned() });
        }
        let Move::Take(record) = seen.next(Some(&lease), "a", timing, start + timing.lease, &wall()) else {
            panic!("the holder was silent for the whole lease")
        };
        assert_eq!(record.lease_transitions, Some(4));
    }

    #[test]
    fn a_renewal_by_the_holder_starts_the_wait_anew() {
        let (mut seen, timing, start) = (Observation::default(), Timing::default(), Instant::now());
        seen.next(Some(&held_by("other", 3)), "a", timing, start, &wall());
        let mut renewed = held_by("other", 3);
        renewed.spec.as_mut().unwrap().renew_time = Some(wall());
        let next = seen.next(Some(&renewed), "a", timing, start + timing.lease, &wall());
        assert_eq!(next, Move::Wait { holder: "other".to_owned() });
    }

    #[test]
    fn a_released_lease_is_taken_at_once() {
        let mut seen = Observation::default();
        let mut lease = held_by("other", 3);
        lease.spec = lease.spec.map(|s| released(&s, &wall()));
        let next = seen.next(Some(&lease), "a", Timing::default(), Instant::now(), &wall());
        assert!(matches!(next, Move::Take(_)));
    }
}
