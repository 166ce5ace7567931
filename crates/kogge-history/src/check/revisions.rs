//! The store's revisions: which write has which, and that they never fall.

use std::collections::BTreeMap;

use super::conflict::{Conflict, Problem};
use crate::history::{Answer, Effect, Entry, Outcome};

/// The revisions of changes, by their places in the history.
pub(super) type Revisions = BTreeMap<usize, u64>;

/// Finds the revision of every change that an answer names: its own, or one that shows what it wrote. Changes that share
/// a revision, and values with two of them, come back as conflicts.
pub(super) fn resolve(entries: &[Entry]) -> (Revisions, Vec<Conflict>) {
    let mut revisions = Revisions::new();
    let mut conflicts = Vec::new();
    let mut writers: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for (place, entry) in entries.iter().enumerate() {
        if let Some(value) = entry.written() {
            writers.insert((&entry.key, value), place);
        }
        if let Outcome::Ok(Answer { revision: Some(revision), effect }) = &entry.outcome
            && effect.changes()
        {
            revisions.insert(place, *revision);
        }
    }
    for entry in entries {
        let Some(Effect::Held(Some(version))) = entry.effect() else { continue };
        let (Some(revision), Some(&writer)) =
            (version.revision, writers.get(&(entry.key.as_str(), version.value.as_str())))
        else {
            continue;
        };
        let known = *revisions.entry(writer).or_insert(revision);
        if known != revision {
            let (shown, writer) = (entry.clone(), entries[writer].clone());
            let problem = Problem::TwoRevisions { shown: Box::new(shown), writer: Box::new(writer), known };
            conflicts.push(Conflict::new(entries, entry, problem));
        }
    }
    let mut changes: BTreeMap<u64, usize> = BTreeMap::new();
    for (&place, &revision) in &revisions {
        if let Some(first) = changes.insert(revision, place) {
            let (first, second) = (Box::new(entries[first].clone()), Box::new(entries[place].clone()));
            let problem = Problem::OneRevision { first, second, revision };
            conflicts.push(Conflict::new(entries, &entries[place], problem));
        }
    }
    (revisions, conflicts)
}

/// The first answer whose revision is lower than that of an answer that came before it was called. One is enough: from
/// then on, as a rule, all are.
pub(super) fn falls(entries: &[Entry], revisions: &Revisions) -> Option<Conflict> {
    let mut returns: Vec<(u64, u64, usize)> = Vec::new();
    for (place, entry) in entries.iter().enumerate() {
        if let (Outcome::Ok(Answer { revision: Some(revision), .. }), Some(returned)) =
            (&entry.outcome, entry.returned)
        {
            returns.push((returned, *revision, place));
        }
    }
    returns.sort_unstable();
    let mut before = returns.iter().peekable();
    let mut highest: Option<(u64, usize)> = None;
    for (place, entry) in entries.iter().enumerate() {
        while let Some((_, revision, other)) = before.next_if(|(returned, ..)| *returned < entry.called) {
            if highest.is_none_or(|(highest, _)| highest < *revision) {
                highest = Some((*revision, *other));
            }
        }
        let Outcome::Ok(Answer { revision: Some(revision), .. }) = entry.outcome else { continue };
        let Some((highest, other)) = highest else { continue };
        let is_change = revisions.contains_key(&place);
        if revision < highest || (is_change && revision == highest) {
            let (earlier, later) = (Box::new(entries[other].clone()), Box::new(entry.clone()));
            return Some(Conflict::new(entries, entry, Problem::RevisionFell { earlier, later }));
        }
    }
    None
}
