//! The ways to explain the answers so far.

use std::collections::{BTreeMap, BTreeSet};

use super::meaning::State;

/// The operations that run at a time and must take effect are the bits of such a number.
pub(super) type Done = u128;

/// How many operations can be followed at a time.
pub(super) const MOST_RUNNING: usize = Done::BITS as usize;

/// One way to explain the answers so far.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Configuration {
    pub(super) state: State,
    /// Which of the running operations have taken effect, by their slots.
    pub(super) done: Done,
    /// Which of the operations that need not have taken effect have.
    pub(super) used: Used,
}

impl Configuration {
    /// Before the first operation.
    pub(super) fn first() -> Self {
        Self { state: State::ABSENT, done: 0, used: Used::default() }
    }
}

/// How many of the operations have taken effect of which nobody can tell one from the other, by their kinds in ascending
/// order: the first ones of each kind, for they were called before the others.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Used(Vec<(usize, usize)>);

impl Used {
    /// How many of all kinds.
    pub(super) fn count(&self) -> usize {
        self.0.iter().map(|(_, count)| count).sum()
    }

    /// How many of one kind.
    pub(super) fn of(&self, kind: usize) -> usize {
        self.0.binary_search_by_key(&kind, |(kind, _)| *kind).map_or(0, |place| self.0[place].1)
    }

    /// One more of a kind.
    pub(super) fn with_one_more(&self, kind: usize) -> Self {
        let mut used = self.0.clone();
        match used.binary_search_by_key(&kind, |(kind, _)| *kind) {
            Ok(place) => used[place].1 += 1,
            Err(place) => used.insert(place, (kind, 1)),
        }
        Self(used)
    }

    /// Does not count these kinds any more.
    pub(super) fn forget(&mut self, kinds: &BTreeSet<usize>) {
        self.0.retain(|(kind, _)| !kinds.contains(kind));
    }

    /// Whether nothing was used here that was not used there as well.
    fn is_within(&self, other: &Self) -> bool {
        self.0.len() <= other.0.len() && self.0.iter().all(|(kind, count)| *count <= other.of(*kind))
    }
}

/// Configurations, of which none is worse than another: between two that differ only in what they used, the one that
/// used less can do all that the other one can.
#[derive(Default)]
pub(super) struct Best {
    used: BTreeMap<(State, Done), Vec<Used>>,
    len: usize,
}

impl Best {
    /// Adds a configuration, unless there is one at least as good.
    pub(super) fn insert(&mut self, new: Configuration) -> bool {
        let kept = self.used.entry((new.state, new.done)).or_default();
        if kept.iter().any(|used| used.is_within(&new.used)) {
            return false;
        }
        self.len -= kept.len();
        kept.retain(|used| !new.used.is_within(used));
        kept.push(new.used);
        self.len += kept.len();
        true
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// All of them.
    pub(super) fn into_vec(self) -> Vec<Configuration> {
        let all = self.used.into_iter().flat_map(|((state, done), kept)| {
            kept.into_iter().map(move |used| Configuration { state, done, used })
        });
        all.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_used_more_is_left_out_whenever_it_comes() {
        let used =
            |counts: &[(usize, usize)]| Configuration { used: Used(counts.to_vec()), ..Configuration::first() };
        let (less, more, other) = (used(&[(1, 1)]), used(&[(1, 2), (3, 1)]), used(&[(2, 1)]));
        for order in [[&less, &more, &other], [&more, &other, &less], [&other, &more, &less]] {
            let mut best = Best::default();
            for known in order {
                best.insert(known.clone());
            }
            assert_eq!(best.len(), 2);
            let kept = best.into_vec();
            assert!(kept.contains(&less) && kept.contains(&other), "{kept:?}");
        }
    }
}
