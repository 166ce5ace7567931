//! Who votes: at most seven, an odd number, no vdc with a majority where three or more have members, and nobody loses a
//! vote without need.

use std::collections::{BTreeMap, BTreeSet};

use crate::names::{PodName, Vdc};

/// Most voters of a group: more only cost writes, and etcd advises against it.
pub const MAX_VOTERS: usize = 7;

/// How many of `voters` a group needs to elect a leader and to commit an entry.
pub fn quorum(voters: usize) -> usize {
    voters / 2 + 1
}

/// A member that may vote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Its pod.
    pub pod: PodName,
    /// The failure domain that its vote counts for.
    pub vdc: Vdc,
    /// It votes now.
    pub votes_now: bool,
}

/// Chooses the voters among `candidates`; `external` votes (members that are not ours) count towards the seven and the
/// parity. The order of the candidates carries no meaning.
pub fn allot(candidates: &[Candidate], external: usize) -> BTreeSet<PodName> {
    let mut sizes: BTreeMap<&Vdc, usize> = BTreeMap::new();
    for candidate in candidates {
        *sizes.entry(&candidate.vdc).or_default() += 1;
    }
    let (ours, cap) = shape(&sizes, external);
    let mut order: Vec<&Candidate> = candidates.iter().collect();
    order.sort_by(|a, b| a.vdc.cmp(&b.vdc).then_with(|| a.pod.natural_cmp(&b.pod)));

    let mut chosen = BTreeSet::new();
    let mut per_vdc: BTreeMap<&Vdc, usize> = BTreeMap::new();
    for present_only in [true, false] {
        while chosen.len() < ours {
            let next = order
                .iter()
                .enumerate()
                .filter(|(_, c)| !chosen.contains(&c.pod) && (c.votes_now || !present_only))
                .map(|(rank, c)| (per_vdc.get(&c.vdc).copied().unwrap_or(0), rank, c))
                .filter(|(count, _, _)| *count < cap)
                .min_by_key(|(count, rank, _)| (*count, *rank));
            let Some((_, _, candidate)) = next else { break };
            chosen.insert(candidate.pod.clone());
            *per_vdc.entry(&candidate.vdc).or_default() += 1;
        }
    }
    chosen
}

/// How many of ours vote, and how many at most per vdc: the largest odd total that the cap allows.
fn shape(sizes: &BTreeMap<&Vdc, usize>, external: usize) -> (usize, usize) {
    let total_size: usize = sizes.values().sum();
    for total in (1..=MAX_VOTERS).rev().step_by(2) {
        let cap = if sizes.len() >= 3 { (total - 1) / 2 } else { total };
        let reach: usize = sizes.values().map(|size| (*size).min(cap)).sum();
        if let Some(ours) = total.checked_sub(external)
            && ours > 0
            && ours <= reach
        {
            return (ours, cap);
        }
    }
    // Where no odd total can be had, one vote of ours keeps the group ours.
    (total_size.min(1), 1)
}

/// The vdc whose voters alone are a majority, if one is. Its loss stops writes.
pub fn majority_vdc(votes: &BTreeMap<Vdc, usize>) -> Option<&Vdc> {
    let all: usize = votes.values().sum();
    votes.iter().find(|(_, votes)| **votes >= quorum(all)).map(|(vdc, _)| vdc)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn candidates(shape: &[(&str, usize, usize)]) -> Vec<Candidate> {
        let all = shape.iter().flat_map(|(vdc, size, voting)| {
            (0..*size).map(move |n| Candidate {
                pod: PodName::new(format!("e-{vdc}-{n}")),
                vdc: Vdc::from(*vdc),
                votes_now: n < *voting,
            })
        });
        all.collect()
    }

    fn votes(shape: &[(&str, usize, usize)]) -> Vec<usize> {
        let chosen = allot(&candidates(shape), 0);
        let of = |vdc: &str| chosen.iter().filter(|pod| pod.as_str().contains(&format!("-{vdc}-"))).count();
        shape.iter().map(|(vdc, ..)| of(vdc)).collect()
    }

    #[test]
    fn shapes() {
        assert_eq!(votes(&[("a", 1, 0), ("b", 1, 0), ("c", 1, 0)]), [1, 1, 1]);
        assert_eq!(votes(&[("a", 2, 0), ("b", 2, 0), ("c", 1, 0)]), [2, 2, 1]);
        assert_eq!(votes(&[("a", 2, 0), ("b", 2, 0)]), [2, 1]);
        assert_eq!(votes(&[("a", 3, 0), ("b", 1, 0), ("c", 1, 0)]), [1, 1, 1]);
        assert_eq!(votes(&[("a", 2, 0), ("b", 1, 0), ("c", 1, 0)]), [1, 1, 1]);
        assert_eq!(votes(&[("a", 9, 0)]), [7]);
    }

    #[test]
    fn who_votes_keeps_the_vote() {
        assert_eq!(votes(&[("a", 2, 1), ("b", 2, 2)]), [1, 2]);
        assert_eq!(votes(&[("a", 2, 2), ("b", 1, 1), ("c", 1, 0)]), [1, 1, 1]);
    }

    #[test]
    fn votes_that_are_not_ours_count() {
        assert_eq!(allot(&candidates(&[("a", 3, 0)]), 1).len(), 2);
        assert_eq!(allot(&candidates(&[("a", 1, 0)]), 3).len(), 1);
    }

    #[test]
    fn a_vdc_with_a_majority_is_named() {
        let votes =
            |of: &[(&str, usize)]| of.iter().map(|(vdc, n)| (Vdc::from(*vdc), *n)).collect::<BTreeMap<_, _>>();
        assert_eq!(majority_vdc(&votes(&[("a", 2), ("b", 1)])), Some(&"a".into()));
        assert_eq!(majority_vdc(&votes(&[("a", 2), ("b", 2)])), None);
        assert_eq!(majority_vdc(&votes(&[("a", 2), ("b", 2), ("c", 1)])), None);
    }

    proptest! {
        #[test]
        fn odd_and_without_a_majority_in_a_vdc(sizes in prop::collection::vec((1_usize..5, 0_usize..5), 1..6)) {
            let names = ["a", "b", "c", "d", "e"];
            let shape: Vec<_> = names.into_iter().zip(sizes).map(|(name, (size, v))| (name, size, v.min(size))).collect();
            let per_vdc = votes(&shape);
            let total: usize = per_vdc.iter().sum();
            prop_assert!(total % 2 == 1 && total <= MAX_VOTERS);
            prop_assert!(shape.len() < 3 || per_vdc.iter().all(|votes| *votes < quorum(total)));
        }
    }
}
