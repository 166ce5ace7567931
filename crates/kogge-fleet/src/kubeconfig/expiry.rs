//! When credentials end, and how early that is told.

use std::fmt;

use jiff::{SignedDuration, Timestamp};

/// What ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Credential {
    /// The bearer token, by its claim `exp`.
    Token,
    /// The client certificate, by its `notAfter`.
    ClientCertificate,
}

impl fmt::Display for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Token => "token",
            Self::ClientCertificate => "client certificate",
        })
    }
}

/// How near an end is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Nearness {
    /// At most 30 days.
    Within30Days,
    /// At most 7 days.
    Within7Days,
    /// At most an hour.
    Within1Hour,
    /// It is over.
    Over,
}

impl Nearness {
    /// How near `end` is at `now`; none where it is more than 30 days away.
    pub fn of(now: Timestamp, end: Timestamp) -> Option<Self> {
        let left = end.duration_since(now);
        match () {
            () if left <= SignedDuration::ZERO => Some(Self::Over),
            () if left <= SignedDuration::from_hours(1) => Some(Self::Within1Hour),
            () if left <= SignedDuration::from_hours(7 * 24) => Some(Self::Within7Days),
            () if left <= SignedDuration::from_hours(30 * 24) => Some(Self::Within30Days),
            () => None,
        }
    }

    /// A stable word in CamelCase.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Within30Days => "ExpiresWithin30Days",
            Self::Within7Days => "ExpiresWithin7Days",
            Self::Within1Hour => "ExpiresWithin1Hour",
            Self::Over => "KubeconfigExpired",
        }
    }

    /// Whether a condition's reason tells of an end that is near.
    pub fn is_reason(reason: &str) -> bool {
        [Self::Within30Days, Self::Within7Days, Self::Within1Hour]
            .iter()
            .any(|nearness| nearness.reason() == reason)
    }
}

/// An end that is near. It says no age, so that it changes only where it comes nearer by a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ending {
    /// What ends.
    pub credential: Credential,
    /// When.
    pub valid_until: Timestamp,
    /// How near that is.
    pub nearness: Nearness,
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { credential, valid_until, nearness } = self;
        let left = match nearness {
            Nearness::Within30Days => "expires within 30 days",
            Nearness::Within7Days => "expires within 7 days",
            Nearness::Within1Hour => "expires within 1 hour",
            Nearness::Over => "has expired",
        };
        write!(
            f,
            "the {credential} of the kubeconfig {left}, at {valid_until}; after that the worker cannot be reached: "
        )?;
        f.write_str("renew it with `kogge worker rotate`")
    }
}
