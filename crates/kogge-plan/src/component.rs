//! The components of a database, by name.

use std::cmp::Ordering;
use std::fmt;

use serde::{Deserialize, Serialize};

/// The name of a component, unique within its database, such as `shard-0`. Names compare by their words first and then by
/// the number at their end, so that number 10 comes after number 9.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ComponentKey(String);

impl ComponentKey {
    /// Wraps a name; nothing is checked.
    pub fn new(name: impl Into<String>) -> Self {
        Self(name.into())
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn words_and_number(&self) -> (&str, Option<u32>) {
        let split = self.0.rsplit_once('-').and_then(|(words, number)| Some((words, number.parse().ok()?)));
        split.map_or((self.as_str(), None), |(words, number)| (words, Some(number)))
    }
}

impl Ord for ComponentKey {
    fn cmp(&self, other: &Self) -> Ordering {
        self.words_and_number().cmp(&other.words_and_number()).then_with(|| self.0.cmp(&other.0))
    }
}

impl PartialOrd for ComponentKey {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for ComponentKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<&str> for ComponentKey {
    fn from(name: &str) -> Self {
        Self::new(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_compared_as_numbers() {
        let mut names = ["shard-10", "shard-9", "router", "shard", "shard-09"].map(ComponentKey::from);
        names.sort();
        assert_eq!(names.map(|name| name.to_string()), ["router", "shard", "shard-09", "shard-9", "shard-10"]);
    }
}
