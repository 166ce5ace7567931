//! Whether the answers in a history are those of one linearizable store.
//!
//! Linearizable: each operation took effect at one moment between its call and its return, so there is an order of all
//! operations that keeps to their times and in which each answer is the one that a single copy of the data gives.
//! A history has such an order if each key's part of it has one, so every key is checked by itself.
//!
//! The search is Lowe's: the history is passed through once in the order of time, with the set of all configurations
//! (what the key holds, which of the running operations have taken effect) that explain the answers so far; an
//! operation takes effect no sooner than a return needs it. Where no configuration is left, no order works, and
//! what was held and running then is the explanation. Three things keep the set small: an operation that changes nothing
//! takes effect as soon as it may; writes are in the order of their revisions where those are known; and operations of
//! unknown outcome that nobody can tell apart are taken in the order of their calls, and no more of them than are needed.
//! So unknown outcomes cost little, of which the usual search (a set of all operations that took effect) grows
//! exponentially. An order is looked for with few configurations first; that there is none is said only after a search
//! that left none out.
//!
//! Beyond that, the store's revisions must never fall, over all keys.

mod configuration;
mod conflict;
mod explain;
mod meaning;
mod revisions;
mod search;
mod verdict;

pub use conflict::{Conflict, Held, NoOrder, Problem, Shown};
pub use search::{Exceeded, Limits};
pub use verdict::{Undecided, Verdict};

use std::collections::BTreeMap;

use crate::history::History;
use meaning::Meaning;
use search::Found;

/// Looks for an order of each key's operations. What is wrong comes with the earliest first.
pub fn check(history: &History, limits: &Limits) -> Verdict {
    let entries = history.entries();
    let (revisions, mut conflicts) = revisions::resolve(entries);
    conflicts.extend(revisions::falls(entries, &revisions));
    let mut undecided = BTreeMap::new();
    for (key, places) in history.by_key() {
        let meaning = Meaning::of(entries, &places, &revisions);
        match search::search(&meaning.steps, limits) {
            Found::Order => {}
            Found::NoOrder(stuck) => conflicts.push(explain::explain(entries, &meaning, &stuck)),
            Found::TooMuch(exceeded) => {
                undecided.insert(key.to_owned(), exceeded);
            }
        }
    }
    verdict::judge(conflicts, undecided)
}
