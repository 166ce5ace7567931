use std::sync::atomic::{AtomicI64, Ordering};

use crate::repl::Coordinator;

const CLOSED: i64 = -1;

/// What the journal may write as a primary; set under the coordinator's lock, read by the writer.
#[derive(Debug)]
pub struct WriteGate {
    leader: AtomicI64,
    writable: AtomicI64,
}

impl Default for WriteGate {
    fn default() -> Self {
        Self { leader: AtomicI64::new(CLOSED), writable: AtomicI64::new(CLOSED) }
    }
}

impl WriteGate {
    pub(super) fn set(&self, coordinator: &Coordinator) {
        let term = coordinator.term();
        let leader = if coordinator.is_leader() { term } else { CLOSED };
        let writable = if coordinator.is_writable() { term } else { CLOSED };
        self.leader.store(leader, Ordering::SeqCst);
        self.writable.store(writable, Ordering::SeqCst);
    }

    /// The term in which this member leads, draining or not.
    pub fn leader_term(&self) -> Option<i64> {
        Some(self.leader.load(Ordering::SeqCst)).filter(|term| *term != CLOSED)
    }

    /// The term in which this member takes writes.
    pub fn writable_term(&self) -> Option<i64> {
        Some(self.writable.load(Ordering::SeqCst)).filter(|term| *term != CLOSED)
    }
}
