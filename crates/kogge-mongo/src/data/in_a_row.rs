//! How many observations in a row said the same of a member: what was seen once is no reason to take a vote.

use std::mem::{Discriminant, discriminant};

use kogge_api::gate::Report;

use crate::data::replset::MemberState;
use crate::data::topology::{MemberObservation, OBSERVATIONS_TO_BELIEVE, Replication, Server, Topology};

impl Topology {
    /// Counts on from the observation before: a member that is said to be the same as then has been so once more.
    /// Without one before, everything has been seen once; so whoever forgets it is careful, not wrong.
    #[must_use]
    pub fn after(mut self, before: Option<&Self>) -> Self {
        for (pod, seen) in &mut self.members {
            let before = before.and_then(|before| before.members.get(pod));
            let counted =
                before.filter(|before| Said::of(before) == Said::of(seen)).map_or(0, |before| before.in_a_row);
            seen.in_a_row = counted.saturating_add(1);
        }
        self
    }
}

impl MemberObservation {
    /// Whether what it says has been observed often enough to act upon.
    pub fn is_believed(&self) -> bool {
        self.in_a_row >= OBSERVATIONS_TO_BELIEVE
    }
}

/// What counts as the same: the process, what its gate saw, and in which state its server is.
#[derive(PartialEq)]
struct Said<'a> {
    uid: Option<&'a str>,
    gate: Option<&'a Report>,
    server: Option<Discriminant<Replication>>,
    /// Its state, and whether it does its initial sync.
    member: Option<(MemberState, bool)>,
}

impl<'a> Said<'a> {
    fn of(seen: &'a MemberObservation) -> Self {
        let facts = seen.pod.facts();
        let server = match &seen.server {
            Server::Reachable(server) => Some(&server.replication),
            Server::Unreachable { .. } => None,
        };
        let member = match server {
            Some(Replication::Member { status, .. }) => Some((status.my_state, status.initial_sync.is_some())),
            _ => None,
        };
        Self {
            uid: facts.map(|facts| facts.uid.as_str()),
            gate: facts.and_then(|facts| facts.gate.as_ref()),
            server: server.map(discriminant),
            member,
        }
    }
}
