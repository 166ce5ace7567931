//! Who votes: at most seven, an odd number, no vdc with a majority where three or more have members,
//! and nobody loses a vote without need.

use std::collections::{BTreeMap, BTreeSet};

use crate::data::names::{PodName, Vdc};
use crate::data::replset::MAX_VOTERS;

/// A member that may vote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Its pod.
    pub pod: PodName,
    /// The failure domain that its vote counts for.
    pub vdc: Vdc,
    /// Higher ones are preferred.
    pub priority: u32,
    /// It votes now.
    pub votes_now: bool,
}

/// Chooses the voters among `candidates`; `external` votes (members that are not ours) count towards
/// the seven and the parity. The order of the candidates carries no meaning.
pub fn allot(candidates: &[Candidate], external: usize) -> BTreeSet<PodName> {
    let mut sizes: BTreeMap<&Vdc, usize> = BTreeMap::new();
    for candidate in candidates {
        *sizes.entry(&candidate.vdc).or_default() += 1;
    }
    let (ours, cap) = shape(&sizes, external);
    let mut order: Vec<&Candidate> = candidates.iter().collect();
    order.sort_by(|a, b| {
        b.priority.cmp(&a.priority).then_with(|| a.vdc.cmp(&b.vdc)).then_with(|| a.pod.natural_cmp(&b.pod))
    });

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
    // Where no odd total can be had, one vote of ours keeps the set ours.
    (total_size.min(1), 1)
}

#[cfg(test)]
mod tests;
