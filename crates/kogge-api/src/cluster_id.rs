//! The identity of a database that outlives its resource.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Eight lower-case letters and digits: part of every group's and volume claim's name, so that two
/// databases of one name can never be taken for each other.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct ClusterId(#[schemars(length(min = 8, max = 8), regex(pattern = r"^[a-z0-9]{8}$"))] String);

/// The letters and digits that cannot be misread for one another.
const ALPHABET: &[u8; 32] = b"abcdefghjkmnpqrstuvwxyz234567896";
/// The first character is a letter, so that no YAML reader takes an ID for a number.
const FIRST: &[u8; 16] = b"abcdefghjkmnpqrs";

/// A text that is not a clusterID.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{0:?} is not a clusterID: eight lower-case letters and digits")]
pub struct InvalidClusterId(pub String);

impl ClusterId {
    /// A clusterID of eight bytes of randomness.
    pub fn from_random(bytes: [u8; 8]) -> Self {
        let mut id = String::with_capacity(8);
        id.push(char::from(FIRST[usize::from(bytes[0]) % FIRST.len()]));
        id.extend(bytes[1..].iter().map(|b| char::from(ALPHABET[usize::from(*b) % ALPHABET.len()])));
        Self(id)
    }

    /// The ID as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::str::FromStr for ClusterId {
    type Err = InvalidClusterId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let valid = text.len() == 8 && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
        if valid { Ok(Self(text.to_owned())) } else { Err(InvalidClusterId(text.to_owned())) }
    }
}

impl fmt::Display for ClusterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_randomness_makes_a_valid_id() {
        for byte in 0..=u8::MAX {
            let id = ClusterId::from_random([byte; 8]);
            assert_eq!(id.as_str().parse::<ClusterId>(), Ok(id.clone()));
        }
    }

    #[test]
    fn refuses_what_could_not_be_part_of_a_name() {
        for text in ["", "abcdefg", "abcdefghi", "ABCDEFGH", "abc-efgh"] {
            assert_eq!(text.parse::<ClusterId>(), Err(InvalidClusterId(text.to_owned())));
        }
    }
}
