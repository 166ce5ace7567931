//! What a client asks next.

use std::collections::BTreeMap;

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

use crate::history::{Answer, Effect, Expected, Operation, Outcome, Version};

/// How often which operation is asked, in parts of their sum. Where the sum is 0, all are gets.
#[derive(Clone, Copy, Debug)]
pub struct Mix {
    /// Gets.
    pub get: u16,
    /// Puts.
    pub put: u16,
    /// Swaps.
    pub swap: u16,
    /// Deletes.
    pub delete: u16,
}

impl Default for Mix {
    fn default() -> Self {
        Self { get: 40, put: 25, swap: 30, delete: 5 }
    }
}

/// What a client saw last of a key.
#[derive(Clone, Debug)]
enum Seen {
    Absent,
    Version(Version),
}

/// The operations of one client: the same for the same seed, name and answers.
#[derive(Debug)]
pub struct Generator {
    random: StdRng,
    client: String,
    keys: Vec<String>,
    mix: Mix,
    written: u64,
    seen: BTreeMap<String, Seen>,
}

impl Generator {
    /// A client's operations on these keys. Its values begin with its name, so that no other client writes them.
    pub fn new(seed: u64, client: &str, keys: &[String], mix: Mix) -> Self {
        // Each client has a sequence of its own, whatever the number of clients is.
        let own = client.bytes().fold(seed, |mixed, byte| mixed.wrapping_mul(0x0100_0000_01b3) ^ u64::from(byte));
        Self {
            random: StdRng::seed_from_u64(own),
            client: client.to_owned(),
            keys: keys.to_vec(),
            mix,
            written: 0,
            seen: BTreeMap::new(),
        }
    }

    /// A key and what is asked of it; none if there are no keys.
    pub fn ask(&mut self) -> Option<(String, Operation)> {
        if self.keys.is_empty() {
            return None;
        }
        let key = self.keys[self.random.random_range(0..self.keys.len())].clone();
        let Mix { get, put, swap, delete } = self.mix;
        let [get, put, swap, delete] = [get, put, swap, delete].map(u32::from);
        let (put, swap) = (get + put, get + put + swap);
        let pick = self.random.random_range(0..(swap + delete).max(1));
        let operation = if pick < get || swap + delete == 0 {
            Operation::Get
        } else if pick < put {
            Operation::Put { value: self.value() }
        } else if pick < swap {
            // Only what an answer showed is compared with: nothing else says much when it differs.
            match self.seen.get(&key).cloned() {
                Some(seen) => Operation::Swap { expected: self.expected(seen), value: self.value() },
                None => Operation::Get,
            }
        } else {
            Operation::Delete
        };
        Some((key, operation))
    }

    /// Takes note of what came of the operation that was asked last.
    pub fn learn(&mut self, key: &str, operation: &Operation, outcome: &Outcome) {
        let seen = match outcome {
            Outcome::Ok(Answer { revision, effect }) => match effect {
                Effect::Held(Some(version)) => Some(Seen::Version(version.clone())),
                Effect::Held(None) | Effect::Deleted { .. } => Some(Seen::Absent),
                Effect::Written => operation
                    .value()
                    .map(|value| Seen::Version(Version { value: value.to_owned(), revision: *revision })),
                Effect::Differed => None,
            },
            Outcome::Failed(_) | Outcome::Unknown(_) => None,
        };
        match seen {
            Some(seen) => self.seen.insert(key.to_owned(), seen),
            None => self.seen.remove(key),
        };
    }

    fn expected(&mut self, seen: Seen) -> Expected {
        match seen {
            Seen::Absent => Expected::Revision(0),
            Seen::Version(Version { revision: Some(revision), .. }) if self.random.random_bool(0.5) => {
                Expected::Revision(revision)
            }
            Seen::Version(Version { value, .. }) => Expected::Value(value),
        }
    }

    fn value(&mut self) -> String {
        self.written += 1;
        format!("{}.{}", self.client, self.written)
    }
}
