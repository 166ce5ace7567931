//! What several observations in a row said of a member: what was seen once is no reason to take a vote, or to give one.

use std::collections::BTreeSet;
use std::mem::{Discriminant, discriminant};

use kogge_api::gate::Report;

use crate::names::{ClusterId, MemberId};
use crate::topology::{
    Alarm, MemberObservation, OBSERVATIONS_IN_SYNC, OBSERVATIONS_TO_BELIEVE, SMALL_LAG, Server, ServerState,
    Topology,
};

impl Topology {
    /// Counts on from the observation before. Without one before, everything has been seen once; so a caller that
    /// forgets it is careful, not wrong.
    #[must_use]
    pub fn after(mut self, before: Option<&Self>) -> Self {
        let leaders: Vec<(MemberId, u64)> = self
            .members
            .values()
            .filter_map(serving)
            .filter(|s| s.leads())
            .map(|s| (s.member_id, s.raft_index))
            .collect();
        for (pod, seen) in &mut self.members {
            let before = before.and_then(|before| before.members.get(pod));
            count(seen, before, &leaders);
        }
        self
    }
}

fn count(seen: &mut MemberObservation, before: Option<&MemberObservation>, leaders: &[(MemberId, u64)]) {
    let same = before.filter(|before| Said::of(before) == Said::of(seen));
    let follows = serving(seen).is_some_and(|state| {
        let leader = leaders.iter().find(|(id, _)| state.leader == Some(*id));
        leader.is_some_and(|(_, index)| index.saturating_sub(state.applied_index) <= SMALL_LAG)
    });
    let followed = before.filter(|before| same_process(before, seen)).map_or(0, |before| before.in_sync);
    let served = before.filter(|before| same_process(before, seen)).and_then(|before| before.serving_since);
    let serving_since = serving(seen).map(|_| served.unwrap_or(seen.observed_at));
    seen.in_a_row = same.map_or(0, |before| before.in_a_row).saturating_add(1);
    seen.in_sync = if follows { followed.saturating_add(1) } else { 0 };
    seen.serving_since = serving_since;
}

impl MemberObservation {
    /// Whether what it says has been observed often enough to act upon.
    pub fn is_believed(&self) -> bool {
        self.in_a_row >= OBSERVATIONS_TO_BELIEVE
    }

    /// Whether it has followed the leader long enough to vote.
    pub fn is_in_sync(&self) -> bool {
        self.in_sync >= OBSERVATIONS_IN_SYNC
    }
}

fn serving(seen: &MemberObservation) -> Option<&ServerState> {
    match &seen.server {
        Server::Serving(state) => Some(state),
        Server::PeerOnly(_) | Server::Unreachable { .. } => None,
    }
}

/// Whether two observations are of one pod, and of one member of one group where both servers tell.
fn same_process(before: &MemberObservation, seen: &MemberObservation) -> bool {
    let id = |seen: &MemberObservation| serving(seen).map(|state| (state.cluster_id, state.member_id));
    uid(before) == uid(seen) && id(before) == id(seen)
}

fn uid(seen: &MemberObservation) -> Option<&str> {
    seen.pod.facts().map(|facts| facts.uid.as_str())
}

/// What counts as the same: the process, what its gate saw, and what its server says of itself, of the leader and of the
/// members.
#[derive(PartialEq)]
struct Said<'a> {
    uid: Option<&'a str>,
    gate: Option<&'a Report>,
    server: Discriminant<Server>,
    group: Option<ClusterId>,
    members: BTreeSet<(MemberId, bool)>,
    own: Option<(MemberId, bool, Option<MemberId>, &'a BTreeSet<Alarm>)>,
}

impl<'a> Said<'a> {
    fn of(seen: &'a MemberObservation) -> Self {
        let listed = seen.server.members().unwrap_or_default();
        Self {
            uid: uid(seen),
            gate: seen.pod.facts().and_then(|facts| facts.gate.as_ref()),
            server: discriminant(&seen.server),
            group: seen.server.cluster_id(),
            members: listed.iter().map(|m| (m.id, m.learner)).collect(),
            own: serving(seen).map(|state| (state.member_id, state.learner, state.leader, &state.alarms)),
        }
    }
}
