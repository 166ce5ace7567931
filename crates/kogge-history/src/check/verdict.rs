//! What the check says.

use std::collections::BTreeMap;
use std::fmt;

use super::conflict::Conflict;
use super::search::Exceeded;

/// What the check says of a history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// There is an order of the operations that explains every answer.
    Linearizable,
    /// There is none, for these reasons; the earliest is first, and there is at least one.
    NotLinearizable(Vec<Conflict>),
    /// No reason was found, but the search ended before it was through.
    Undecided(Vec<Undecided>),
}

/// A key that was not decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Undecided {
    /// The key.
    pub key: String,
    /// Why its search ended.
    pub exceeded: Exceeded,
}

pub(super) fn judge(mut conflicts: Vec<Conflict>, undecided: BTreeMap<String, Exceeded>) -> Verdict {
    conflicts.sort_by_key(|conflict| conflict.at);
    if !conflicts.is_empty() {
        return Verdict::NotLinearizable(conflicts);
    }
    if undecided.is_empty() {
        return Verdict::Linearizable;
    }
    Verdict::Undecided(undecided.into_iter().map(|(key, exceeded)| Undecided { key, exceeded }).collect())
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Linearizable => write!(f, "linearizable"),
            Self::NotLinearizable(conflicts) => {
                write!(f, "not linearizable")?;
                conflicts.iter().try_for_each(|conflict| write!(f, "\n{conflict}"))
            }
            Self::Undecided(keys) => {
                write!(f, "undecided")?;
                keys.iter().try_for_each(|Undecided { key, exceeded }| write!(f, "\nkey {key:?}: {exceeded}"))
            }
        }
    }
}
