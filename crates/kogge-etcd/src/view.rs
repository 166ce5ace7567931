//! The group as its members together tell it.

use std::collections::BTreeMap;

use kogge_api::gate::Hold;

use crate::goal::{Goal, MemberGoal, Seed, SeedSource};
use crate::identity;
use crate::names::{ClusterId, MemberId, PodName, Vdc};
use crate::topology::{
    ListedMember, MemberObservation, Millis, OBSERVATION_MAX_AGE, Pod, PodFacts, SMALL_LAG, Server, ServerState,
    Topology,
};

/// etcd counts a connection between members once it is so old, in seconds: `HealthInterval`, 5 s, and a round of
/// observations more.
pub(crate) const CONNECTED_AFTER_SECS: Millis = 6;

/// What is known of the group, from fresh observations only.
pub(crate) struct GroupView<'a> {
    pub(crate) goal: &'a Goal,
    pub(crate) now: Millis,
    pub(crate) observations: BTreeMap<&'a PodName, &'a MemberObservation>,
    /// Servers of the group that answered.
    pub(crate) servers: BTreeMap<&'a PodName, &'a Server>,
    /// Servers at our members' addresses that are of another group, and of which.
    pub(crate) strangers: BTreeMap<&'a PodName, ClusterId>,
    /// Servers of the group that the present one was restored from.
    pub(crate) former: BTreeMap<&'a PodName, ClusterId>,
    /// The seed's record that the anchors lack, where servers of a group of ours run without it.
    pub(crate) unrecorded_seed: Option<Seed>,
    /// The newest membership that any member holds.
    pub(crate) members: &'a [ListedMember],
    /// The member that leads, where it was reached itself.
    pub(crate) leader: Option<Leader<'a>>,
}

/// The member that leads.
#[derive(Clone, Copy)]
pub(crate) struct Leader<'a> {
    pub(crate) pod: &'a PodName,
    pub(crate) state: &'a ServerState,
}

impl<'a> GroupView<'a> {
    pub(crate) fn of(goal: &'a Goal, topology: &'a Topology, now: Millis) -> Self {
        let observations: BTreeMap<_, _> =
            goal.known().filter_map(|(pod, ..)| topology.members.get(pod).map(|seen| (pod, seen))).collect();
        let mut view = Self {
            goal,
            now,
            observations,
            servers: BTreeMap::new(),
            strangers: BTreeMap::new(),
            former: BTreeMap::new(),
            unrecorded_seed: None,
            members: &[],
            leader: None,
        };
        view.sort_servers();
        view.leader = view.find_leader();
        view.members = view.newest_members();
        view
    }

    fn is_fresh(&self, seen: &MemberObservation) -> bool {
        self.now.saturating_sub(seen.observed_at) <= OBSERVATION_MAX_AGE
    }

    /// Tells the servers of the group from others.
    fn sort_servers(&mut self) {
        let fresh: Vec<(&'a PodName, &'a Server)> = self
            .observations
            .iter()
            .filter(|(_, seen)| self.is_fresh(seen))
            .map(|(pod, seen)| (*pod, &seen.server))
            .collect();
        let recorded = self.goal.seed.as_ref();
        if recorded.is_none() {
            let mut ids = fresh.iter().filter_map(|(_, server)| server.cluster_id());
            self.unrecorded_seed = ids.find_map(|id| identity::recognise(self.goal, id));
        }
        let seed = recorded.or(self.unrecorded_seed.as_ref());
        let own = seed.map(|seed| seed.cluster_id);
        let former = seed.and_then(|seed| match seed.source {
            SeedSource::OwnDisk { of } => Some(of),
            SeedSource::Empty => None,
        });
        for (pod, server) in fresh {
            match server.cluster_id() {
                None => {}
                id if id == own => {
                    self.servers.insert(pod, server);
                }
                Some(id) if Some(id) == former => {
                    self.former.insert(pod, id);
                }
                Some(id) => {
                    self.strangers.insert(pod, id);
                }
            }
        }
    }

    /// Of those that say that they lead, the one of the latest term; between equals the one that more follow. Where that
    /// does not tell either, nobody is believed.
    fn find_leader(&self) -> Option<Leader<'a>> {
        let weight = |state: &ServerState| {
            let followers = self.serving_all().filter(|(_, other)| other.leader == Some(state.member_id)).count();
            (state.raft_term, followers)
        };
        let claims: Vec<Leader<'a>> =
            self.serving_all().filter(|(_, s)| s.leads()).map(|(pod, state)| Leader { pod, state }).collect();
        let best = claims.iter().map(|claim| weight(claim.state)).max()?;
        let mut chosen = claims.into_iter().filter(|claim| weight(claim.state) == best);
        match (chosen.next(), chosen.next()) {
            (Some(leader), None) => Some(leader),
            _ => None,
        }
    }

    fn newest_members(&self) -> &'a [ListedMember] {
        if let Some(leader) = self.leader {
            return &leader.state.members;
        }
        let serving = self.serving_all().max_by_key(|(_, state)| state.applied_index);
        if let Some((_, state)) = serving {
            return &state.members;
        }
        let peers = self.servers.values().max_by_key(|server| server.raft_index());
        peers.and_then(|server| server.members()).unwrap_or_default()
    }

    /// Servers that serve clients.
    pub(crate) fn serving_all(&self) -> impl Iterator<Item = (&'a PodName, &'a ServerState)> {
        let servers = self.servers.iter();
        servers.filter_map(|(&pod, &server)| match server {
            Server::Serving(state) => Some((pod, state)),
            Server::PeerOnly(_) | Server::Unreachable { .. } => None,
        })
    }

    pub(crate) fn serving(&self, pod: &PodName) -> Option<&'a ServerState> {
        match self.servers.get(pod)? {
            Server::Serving(state) => Some(state),
            Server::PeerOnly(_) | Server::Unreachable { .. } => None,
        }
    }

    /// Whether a server behind this pod answered, whatever it said.
    pub(crate) fn answers(&self, pod: &PodName) -> bool {
        self.servers.contains_key(pod) || self.strangers.contains_key(pod) || self.former.contains_key(pod)
    }

    /// The group has begun: a server of it answers, or the anchors know that one has run.
    pub(crate) fn initiated(&self) -> bool {
        !self.servers.is_empty() || self.goal.members.iter().any(|m| m.anchor.initialized)
    }

    /// The pod behind a listed member: by its URL, else by its id in the anchors.
    pub(crate) fn pod_of(&self, listed: &ListedMember) -> Option<&'a PodName> {
        let by_url = self.goal.known().find(|(_, url, _)| listed.peer_urls.contains(url));
        let by_id = || self.goal.known().find(|(.., anchor)| anchor.member_id == Some(listed.id));
        by_url.or_else(by_id).map(|(pod, ..)| pod)
    }

    /// What the newest membership says of a member of ours.
    pub(crate) fn entry(&self, pod: &PodName) -> Option<&'a ListedMember> {
        self.members.iter().find(|listed| self.pod_of(listed) == Some(pod))
    }

    /// The listed members of ours that are wanted, in the order of their names.
    pub(crate) fn listed(&self) -> impl Iterator<Item = (&'a MemberGoal, &'a ListedMember)> {
        let ordered = self.goal.ordered_members().into_iter();
        ordered.filter_map(|wanted| Some((wanted, self.entry(&wanted.pod)?)))
    }

    pub(crate) fn voters(&self) -> impl Iterator<Item = &'a ListedMember> {
        self.members.iter().filter(|listed| !listed.learner)
    }

    /// The pod that leads, by its own word or by what the others say in the latest term.
    pub(crate) fn leader_pod(&self) -> Option<&'a PodName> {
        if let Some(leader) = self.leader {
            return Some(leader.pod);
        }
        let latest = self.serving_all().max_by_key(|(_, state)| (state.raft_term, state.applied_index))?;
        let id = latest.1.leader?;
        // One that answers and does not lead is not the leader, whatever the others still say.
        let pod = self.members.iter().find(|listed| listed.id == id).and_then(|listed| self.pod_of(listed))?;
        self.serving(pod).is_none().then_some(pod)
    }

    /// A listed member's server, where it serves under that id and follows the leader.
    pub(crate) fn follower(&self, listed: &ListedMember) -> Option<&'a ServerState> {
        let state = self.serving(self.pod_of(listed)?)?;
        let leader = self.leader?;
        (state.member_id == listed.id && state.leader == Some(leader.state.member_id)).then_some(state)
    }

    pub(crate) fn is_live(&self, listed: &ListedMember) -> bool {
        self.follower(listed).is_some()
    }

    /// Voters that are live, and all of them.
    pub(crate) fn live_voters(&self) -> (usize, usize) {
        (self.voters().filter(|listed| self.is_live(listed)).count(), self.voters().count())
    }

    /// How many live voters there are without one member.
    pub(crate) fn live_without(&self, id: MemberId) -> usize {
        self.voters().filter(|listed| listed.id != id && self.is_live(listed)).count()
    }

    /// Whether anybody who answers has live connections to a member.
    pub(crate) fn is_heard(&self, id: MemberId) -> bool {
        self.serving_all().any(|(_, state)| state.active_peers.as_ref().is_some_and(|peers| peers.contains(&id)))
    }

    /// How many raft entries a live member is behind the leader.
    pub(crate) fn lag(&self, listed: &ListedMember) -> Option<u64> {
        let applied = self.follower(listed)?.applied_index;
        Some(self.leader?.state.raft_index.saturating_sub(applied))
    }

    /// Whether a live member follows the leader closely.
    pub(crate) fn caught_up(&self, listed: &ListedMember) -> bool {
        self.lag(listed).is_some_and(|lag| lag <= SMALL_LAG)
    }

    /// A voter whose connections are too young for etcd to count them. The leader's own do not matter to it.
    pub(crate) fn just_started(&self) -> Option<&'a PodName> {
        let young = |pod: &PodName| {
            let since = self.observations.get(pod).and_then(|seen| seen.serving_since);
            since.is_none_or(|since| self.now.saturating_sub(since) < CONNECTED_AFTER_SECS * 1_000)
        };
        let others = self.voters().filter(|m| self.leader.is_none_or(|leader| leader.state.member_id != m.id));
        others.filter(|m| self.is_live(m)).filter_map(|m| self.pod_of(m)).find(|pod| young(pod))
    }

    /// A listed member whose server's own list of the members differs from the leader's, among those that count.
    pub(crate) fn another_list(&self, counts: impl Fn(&ListedMember) -> bool) -> Option<&'a PodName> {
        let ids = |members: &[ListedMember]| {
            let mut ids: Vec<_> = members.iter().map(|m| (m.id, m.learner)).collect();
            ids.sort_unstable();
            ids
        };
        let own = ids(self.members);
        // A member that was removed keeps the last list that it applied.
        let listed = |pod: &PodName| self.entry(pod).is_some_and(&counts);
        let servers = self.servers.iter().filter(|(pod, _)| listed(pod));
        servers
            .into_iter()
            .find(|(_, server)| server.members().is_some_and(|list| ids(list) != own))
            .map(|(pod, _)| *pod)
    }

    /// Votes by vdc, of members of ours.
    pub(crate) fn votes_by_vdc(&self) -> BTreeMap<Vdc, usize> {
        let mut votes = BTreeMap::new();
        for listed in self.voters() {
            if let Some(vdc) = self.pod_of(listed).and_then(|pod| self.goal.vdc_of(pod)) {
                *votes.entry(vdc.clone()).or_default() += 1;
            }
        }
        votes
    }

    pub(crate) fn is_believed(&self, pod: &PodName) -> bool {
        let seen = self.observations.get(pod);
        seen.is_some_and(|seen| self.is_fresh(seen) && seen.is_believed())
    }

    /// Since when a member did not answer.
    pub(crate) fn silent_since(&self, pod: &PodName) -> Option<Millis> {
        match &self.observations.get(pod)?.server {
            Server::Unreachable { since, .. } => Some(*since),
            Server::PeerOnly(_) | Server::Serving(_) => None,
        }
    }

    /// A pod that exists and is not ending.
    pub(crate) fn present_pod(&self, pod: &PodName) -> Option<&'a PodFacts> {
        match &self.observations.get(pod)?.pod {
            Pod::Present(facts) if !facts.terminating => Some(facts),
            _ => None,
        }
    }

    /// The wanted members whose pods are of another template than the present one.
    pub(crate) fn outdated(&self) -> impl Iterator<Item = (&'a MemberGoal, &'a PodFacts)> {
        let ordered = self.goal.ordered_members().into_iter();
        ordered.filter_map(|member| {
            let facts = self.present_pod(&member.pod)?;
            facts.outdated().then_some((member, facts))
        })
    }

    /// Why the gate in a member's pod holds it; none where the server may run.
    pub(crate) fn hold(&self, pod: &PodName) -> Option<&'a Hold> {
        self.present_pod(pod)?.hold()
    }

    /// The sentence for a member that is listed and not live.
    pub(crate) fn trouble(&self, pod: &PodName) -> String {
        if let Some(hold) = self.hold(pod).filter(|_| !self.answers(pod)) {
            return format!("the gate of {pod} holds its server ({hold})");
        }
        let Some(seen) = self.observations.get(pod) else { return format!("{pod} has not been observed yet") };
        match &seen.server {
            Server::Unreachable { reason, .. } => format!("{pod} is not responding ({reason})"),
            Server::PeerOnly(_) => format!("{pod} answers its peers and does not serve clients yet"),
            Server::Serving(state) if state.leader.is_none() => format!("{pod} has no leader"),
            Server::Serving(_) => format!("{pod} does not follow the leader"),
        }
    }
}
