//! Versions of etcd, as its binaries tell them and as a group agrees on them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// A release, such as 3.6.14.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    /// The major number.
    pub major: u32,
    /// The minor number; a group moves by one of it at a time.
    pub minor: u32,
    /// The patch number.
    pub patch: u32,
}

/// Words that are no version.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("`{0}` is not a version of etcd; write it as `3.6.14`")]
pub struct VersionError(String);

impl Version {
    /// A release by its three numbers.
    pub const fn new(major: u32, minor: u32, patch: u32) -> Self {
        Self { major, minor, patch }
    }

    /// Major and minor: what a group's cluster version and storage version consist of.
    pub fn series(self) -> Series {
        Series(self.major, self.minor)
    }
}

/// A minor release, such as 3.6.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Series(pub u32, pub u32);

impl Series {
    /// The minor release after this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0, self.1 + 1)
    }
}

impl fmt::Display for Series {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.0, self.1)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

impl FromStr for Version {
    type Err = VersionError;

    /// Reads `3.6.14` and `v3.6.14`; what follows a `-` or `+` is left out.
    fn from_str(text: &str) -> Result<Self, VersionError> {
        let error = || VersionError(text.to_owned());
        let numbers = text.trim().trim_start_matches('v');
        let numbers = numbers.split(['-', '+']).next().unwrap_or_default();
        let parts: Vec<u32> =
            numbers.split('.').map(|part| part.parse().map_err(|_| error())).collect::<Result<_, _>>()?;
        match parts[..] {
            [major, minor, patch] => Ok(Self { major, minor, patch }),
            _ => Err(error()),
        }
    }
}

impl Serialize for Version {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Version {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_read_back() {
        for text in ["3.6.14", "3.5.0", "4.0.1"] {
            assert_eq!(text.parse::<Version>().unwrap().to_string(), text);
        }
        assert_eq!("v3.7.0-rc.1+git".parse(), Ok(Version::new(3, 7, 0)));
        for text in ["", "3.6", "3.6.x", "3.6.1.2", "latest"] {
            assert!(text.parse::<Version>().unwrap_err().to_string().contains(text));
        }
        assert!(Version::new(3, 10, 0) > Version::new(3, 9, 40));
        assert_eq!(Version::new(3, 5, 33).series().next(), Series(3, 6));
    }
}
