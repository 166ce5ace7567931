//! A group: its membership, its log's position and its leader. What servers do among themselves.

use std::collections::{BTreeMap, BTreeSet};

use kogge_etcd::votes::quorum;
use kogge_etcd::{Alarm, ClusterId, ListedMember, MemberId, Millis, PodName, Series};

use super::node::{Disk, Node};

/// Connections younger than this do not count for etcd's strict reconfiguration check.
pub(crate) const ACTIVE_AFTER: Millis = 5_000;

#[derive(Clone, Debug)]
pub(crate) struct Group {
    pub(crate) id: ClusterId,
    /// The membership, and the index from which on it is so.
    pub(crate) history: Vec<(u64, Vec<ListedMember>)>,
    pub(crate) commit: u64,
    pub(crate) term: u64,
    pub(crate) leader: Option<MemberId>,
    pub(crate) version: Option<Series>,
    pub(crate) alarms: BTreeSet<Alarm>,
    /// Entries that clients write per tick.
    pub(crate) rate: u64,
}

pub(crate) type Nodes = BTreeMap<PodName, Node>;

impl Group {
    pub(crate) fn new(id: ClusterId, first: ListedMember) -> Self {
        Self {
            id,
            history: vec![(1, vec![first])],
            commit: 4,
            term: 1,
            leader: None,
            version: None,
            alarms: BTreeSet::new(),
            rate: 10,
        }
    }

    pub(crate) fn members(&self) -> &[ListedMember] {
        &self.history.last().unwrap().1
    }

    /// The membership as a member has it that applied so much.
    pub(crate) fn members_at(&self, applied: u64) -> &[ListedMember] {
        let known = self.history.iter().rev().find(|(index, _)| *index <= applied);
        &known.unwrap_or(&self.history[0]).1
    }

    pub(crate) fn listed(&self, id: MemberId) -> Option<&ListedMember> {
        self.members().iter().find(|m| m.id == id)
    }

    pub(crate) fn voters(&self) -> impl Iterator<Item = &ListedMember> {
        self.members().iter().filter(|m| !m.learner)
    }

    pub(crate) fn node<'a>(&self, nodes: &'a Nodes, id: MemberId) -> Option<&'a Node> {
        nodes.values().find(|node| node.runs().is_some_and(|data| data.cluster == self.id && data.id == id))
    }

    /// Members that run where the leader reaches them.
    pub(crate) fn connected(&self, nodes: &Nodes) -> BTreeSet<MemberId> {
        let Some(side) = self.leader.and_then(|id| self.node(nodes, id)).map(|node| node.side) else {
            return BTreeSet::new();
        };
        self.on_side(nodes, side)
    }

    fn on_side(&self, nodes: &Nodes, side: u8) -> BTreeSet<MemberId> {
        let members = self.members().iter().map(|m| m.id);
        members.filter(|id| self.node(nodes, *id).is_some_and(|node| node.side == side)).collect()
    }

    /// Voters that are connected, and for so long that etcd counts them.
    pub(crate) fn active_voters(&self, nodes: &Nodes, now: Millis) -> usize {
        let connected = self.connected(nodes);
        let active = |id: MemberId| {
            let process = self.node(nodes, id).and_then(|node| node.process.as_ref());
            process.is_some_and(|process| now - process.since >= ACTIVE_AFTER)
        };
        self.voters().filter(|m| connected.contains(&m.id) && (active(m.id) || Some(m.id) == self.leader)).count()
    }

    pub(crate) fn live_voters(&self, nodes: &Nodes) -> usize {
        let connected = self.connected(nodes);
        self.voters().filter(|m| connected.contains(&m.id)).count()
    }

    pub(crate) fn has_quorum(&self, nodes: &Nodes) -> bool {
        self.leader.is_some() && self.live_voters(nodes) >= quorum(self.voters().count())
    }

    /// Commits a change of the membership: connected members have it in their logs, and the leader applies it at once.
    pub(crate) fn change(&mut self, nodes: &mut Nodes, change: impl FnOnce(&mut Vec<ListedMember>)) {
        let mut members = self.members().to_vec();
        change(&mut members);
        self.commit += 1;
        let connected = self.connected(nodes);
        self.history.push((self.commit, members));
        let leader = self.leader;
        self.apply(nodes, |data| {
            connected.contains(&data.id).then_some(if Some(data.id) == leader { u64::MAX } else { 0 })
        });
    }

    /// Lets running members apply up to so many entries more. A voter that is connected has all of them in its log.
    fn apply(&self, nodes: &mut Nodes, entries: impl Fn(&super::node::Data) -> Option<u64>) {
        for node in nodes.values_mut().filter(|node| node.process.is_some()) {
            if let Disk::Data(data) = &mut node.disk
                && data.cluster == self.id
                && let Some(entries) = entries(data)
            {
                data.applied = data.applied.saturating_add(entries).min(self.commit).max(data.applied);
                let votes = self.members().iter().any(|m| m.id == data.id && !m.learner);
                data.logged = if votes { self.commit } else { data.logged.max(data.applied) };
            }
        }
    }

    /// Time passes: a leader is elected or lost, entries are committed and applied, servers publish themselves.
    pub(crate) fn tick(&mut self, nodes: &mut Nodes) {
        if !self.has_quorum(nodes) || self.leader.is_some_and(|id| self.listed(id).is_none_or(|m| m.learner)) {
            self.leader = None;
            self.elect(nodes);
        }
        if self.leader.is_none() {
            return;
        }
        self.commit += self.rate;
        let connected = self.connected(nodes);
        let learners: BTreeSet<MemberId> = self.members().iter().filter(|m| m.learner).map(|m| m.id).collect();
        let rates: BTreeMap<MemberId, u64> =
            nodes.values().filter_map(|node| Some((node.data()?.id, node.sync_rate))).collect();
        self.apply(nodes, |data| {
            let rate = if learners.contains(&data.id) { rates[&data.id] } else { u64::MAX };
            connected.contains(&data.id).then_some(rate)
        });
        self.publish(nodes, &connected);
        self.agree_on_version(nodes);
    }

    fn elect(&mut self, nodes: &Nodes) {
        for side in 0..3 {
            let up = self.on_side(nodes, side);
            let voters: Vec<MemberId> = self.voters().map(|m| m.id).filter(|id| up.contains(id)).collect();
            if voters.len() < quorum(self.voters().count()) {
                continue;
            }
            let logged = |id: &MemberId| self.node(nodes, *id).and_then(Node::data).map_or(0, |data| data.logged);
            let newest = voters.iter().max_by_key(|id| (logged(id), **id)).unwrap();
            assert!(logged(newest) >= self.commit, "the group forgot entries that it committed");
            self.leader = Some(*newest);
            self.term += 1;
        }
    }

    fn publish(&mut self, nodes: &mut Nodes, connected: &BTreeSet<MemberId>) {
        let commit = self.commit;
        for (pod, node) in nodes.iter_mut() {
            let Some(data) = node.runs().cloned() else { continue };
            if data.cluster != self.id || !connected.contains(&data.id) || data.applied + 3_000 < commit {
                continue;
            }
            if let Some(process) = &mut node.process {
                process.published = true;
            }
            for (_, members) in &mut self.history {
                for listed in members.iter_mut().filter(|m| m.id == data.id) {
                    listed.name = Some(pod.to_string());
                }
            }
        }
    }

    /// The version rises when every listed member answers `/version`, learners and those that never started too.
    fn agree_on_version(&mut self, nodes: &Nodes) {
        let versions = self.members().iter().map(|m| {
            let node = self.node(nodes, m.id)?;
            Some(node.process.as_ref()?.version.series())
        });
        let lowest = versions.min().flatten();
        if let Some(lowest) = lowest {
            self.version = self.version.max(Some(lowest));
        }
    }
}
