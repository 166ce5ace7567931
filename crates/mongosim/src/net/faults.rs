use std::collections::BTreeSet;

use parking_lot::RwLock;

/// Hosts whose packets vanish, for partition tests: nothing is refused, requests run into their
/// deadlines.
#[derive(Debug, Default)]
pub struct Faults {
    blocked: RwLock<BTreeSet<String>>,
}

impl Faults {
    /// Drops everything to and from `host` from now on.
    pub fn block(&self, host: &str) {
        self.blocked.write().insert(host.to_owned());
    }

    /// Lets everything through again.
    pub fn heal(&self) {
        self.blocked.write().clear();
    }

    /// Whether traffic with `host` is dropped.
    pub fn is_blocked(&self, host: &str) -> bool {
        self.blocked.read().contains(host)
    }
}
