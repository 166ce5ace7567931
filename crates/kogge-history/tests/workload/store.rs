//! A store in memory that is linearizable, unless it is told otherwise.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use kogge_history::history::{Answer, Effect, Expected, Operation, Version};
use kogge_history::workload::{Failure, Register};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

/// What goes wrong, as shares of all operations.
#[derive(Clone, Copy, Default)]
pub(crate) struct Faults {
    /// Refused.
    pub(crate) failed: f64,
    /// Not answered: without effect, with one, or with one later on.
    pub(crate) unknown: f64,
    /// Of the gets: answered with what the key was some changes before. No store may do so.
    pub(crate) stale: f64,
    /// A swap compares first and writes later. No store may do so.
    pub(crate) torn: bool,
}

pub(crate) struct Store(Mutex<Inner>);

struct Inner {
    random: StdRng,
    revision: u64,
    /// All that a key ever was; in the beginning, it was absent.
    keys: BTreeMap<String, Vec<Option<Version>>>,
}

pub(crate) struct Connection {
    store: Arc<Store>,
    faults: Faults,
}

impl Store {
    pub(crate) fn new(seed: u64) -> Self {
        let random = StdRng::seed_from_u64(seed);
        Self(Mutex::new(Inner { random, revision: 1, keys: BTreeMap::new() }))
    }

    fn with<T>(&self, act: impl FnOnce(&mut Inner) -> T) -> T {
        act(&mut self.0.lock().unwrap())
    }

    fn draw(&self, share: f64) -> bool {
        self.with(|inner| inner.random.random_bool(share))
    }

    /// A way through the network.
    async fn way(&self) {
        for _ in 0..self.with(|inner| inner.random.random_range(0..4)) {
            tokio::task::yield_now().await;
        }
    }
}

impl Inner {
    fn versions(&mut self, key: &str) -> &mut Vec<Option<Version>> {
        self.keys.entry(key.to_owned()).or_insert_with(|| vec![None])
    }

    fn holds(&mut self, key: &str) -> Option<Version> {
        self.versions(key).last().cloned().flatten()
    }

    fn change(&mut self, key: &str, value: Option<&str>) {
        self.revision += 1;
        let revision = Some(self.revision);
        let version = value.map(|value| Version { value: value.to_owned(), revision });
        self.versions(key).push(version);
    }

    fn apply(&mut self, key: &str, operation: &Operation) -> Answer {
        let holds = self.holds(key);
        let effect = match operation {
            Operation::Get => Effect::Held(holds),
            Operation::Put { value } => {
                self.change(key, Some(value));
                Effect::Written
            }
            Operation::Swap { expected, value } if is_expected(expected, holds.as_ref()) => {
                self.change(key, Some(value));
                Effect::Written
            }
            Operation::Swap { .. } => Effect::Differed,
            Operation::Delete => {
                if holds.is_some() {
                    self.change(key, None);
                }
                Effect::Deleted { existed: holds.is_some() }
            }
        };
        Answer { revision: Some(self.revision), effect }
    }

    fn stale(&mut self, key: &str) -> Answer {
        let back = self.random.random_range(2..10);
        let versions = self.versions(key);
        let version = versions.get(versions.len().saturating_sub(back)).cloned().flatten();
        Answer { revision: Some(self.revision), effect: Effect::Held(version) }
    }
}

fn is_expected(expected: &Expected, holds: Option<&Version>) -> bool {
    match expected {
        Expected::Value(value) => holds.is_some_and(|version| version.value == *value),
        Expected::Revision(0) => holds.is_none(),
        Expected::Revision(revision) => holds.is_some_and(|version| version.revision == Some(*revision)),
    }
}

impl Connection {
    pub(crate) fn new(store: Arc<Store>, faults: Faults) -> Self {
        Self { store, faults }
    }

    /// What becomes of an operation that is not answered.
    fn lose(&self, key: &str, operation: &Operation) {
        match self.store.with(|inner| inner.random.random_range(0..3)) {
            0 => {}
            1 => drop(self.store.with(|inner| inner.apply(key, operation))),
            _ => {
                let (store, key, operation) = (self.store.clone(), key.to_owned(), operation.clone());
                let late = self.store.with(|inner| inner.random.random_range(10..200));
                tokio::spawn(async move {
                    for _ in 0..late {
                        tokio::task::yield_now().await;
                    }
                    store.with(|inner| inner.apply(&key, &operation));
                });
            }
        }
    }
}

impl Register for Connection {
    async fn carry_out(&self, key: &str, operation: &Operation) -> Result<Answer, Failure> {
        let Self { store, faults } = self;
        store.way().await;
        if store.draw(faults.failed) {
            return Err(Failure::Certain("refused".to_owned()));
        }
        if store.draw(faults.unknown) {
            self.lose(key, operation);
            return Err(Failure::Unknown("no answer".to_owned()));
        }
        let answer = match operation {
            Operation::Get if store.draw(faults.stale) => store.with(|inner| inner.stale(key)),
            Operation::Swap { expected, value } if faults.torn => {
                let holds = store.with(|inner| inner.holds(key));
                store.way().await;
                store.with(|inner| {
                    let is_expected = is_expected(expected, holds.as_ref());
                    if is_expected {
                        inner.change(key, Some(value));
                    }
                    let effect = if is_expected { Effect::Written } else { Effect::Differed };
                    Answer { revision: Some(inner.revision), effect }
                })
            }
            other => store.with(|inner| inner.apply(key, other)),
        };
        store.way().await;
        Ok(answer)
    }
}
