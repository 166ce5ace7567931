//! The whole: servers, workers' anchors, operators, and what an event makes of them.

use std::fmt;

use crate::anchors::Anchor;
pub(crate) use crate::events::Event;
use crate::operator::Pending;
use crate::protocol::{
    self, Config, Log, Mask, Pod, SLOTS, Server, Stamp, commits, elect, get_entry, heartbeat, initial_sync,
    is_majority, may_reconfigure, roll_back,
};
use crate::scenario::Scenario;

/// An anchor in a worker, and how often it was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Anchored {
    pub(crate) anchor: Anchor,
    pub(crate) version: u8,
}

/// An operator between its observation and its deed. It has no other memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Operator {
    pub(crate) pending: Pending,
    /// Something failed since its observation.
    pub(crate) disturbed: bool,
}

/// What must never happen, once it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u16)]
pub(crate) enum Breach {
    /// A second primary was elected in a term, or two entries were committed at one place.
    Consensus = 1,
    /// More than one voter changed at once.
    ManyVoters = 2,
    /// A step took the healthy voters below a majority.
    Majority = 4,
    /// A member's `_id` was used twice.
    MemberId = 8,
    /// The set was initiated twice.
    SecondInitiate = 16,
    /// A primary was restarted without a step-down.
    KilledPrimary = 32,
    /// What a later goal wants was taken away.
    Undone = 64,
    /// A step was taken for which the anchors hold no record.
    Unrecorded = 128,
    /// A member joined or left with a vote.
    Vote = 256,
    /// A wanted member that holds the data lost its vote or its place.
    Needless = 512,
}

/// What has happened so far, as far as properties ask.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct History {
    /// The longest oplog that was committed.
    pub(crate) committed: Log,
    /// How often a set was initiated.
    pub(crate) initiates: u8,
    /// The highest epoch that any anchor has had.
    pub(crate) epoch: u8,
    /// The member ids that a config has had.
    pub(crate) ids: u32,
    breaches: u16,
}

impl History {
    pub(crate) fn breach(&mut self, breach: Breach) {
        self.breaches |= breach as u16;
    }

    pub(crate) fn has(&self, breach: Breach) -> bool {
        self.breaches & breach as u16 != 0
    }

    pub(crate) fn clean(&self) -> bool {
        self.breaches == 0
    }
}

/// How much of the bounds is used up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Spent {
    pub(crate) crashes: u8,
    pub(crate) partitions: u8,
    pub(crate) lost_disks: u8,
    pub(crate) rollouts: u8,
    pub(crate) copies: u8,
    pub(crate) partial_views: u8,
    pub(crate) deaths: u8,
    pub(crate) set_back: bool,
}

/// A state of the model.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct World {
    pub(crate) servers: Vec<Server>,
    pub(crate) anchors: Vec<Anchored>,
    /// The goal that the control cluster has accepted.
    pub(crate) goal: usize,
    pub(crate) operators: Vec<Operator>,
    /// The operator that holds the lease.
    pub(crate) leader: usize,
    /// The placement that is cut off from the others.
    pub(crate) isolated: Option<usize>,
    pub(crate) history: History,
    pub(crate) spent: Spent,
    /// A copy of a member's disk.
    pub(crate) copy: Option<(usize, Server)>,
}

impl World {
    /// Empty disks and no anchor.
    pub(crate) fn empty(scenario: &Scenario) -> Self {
        Self {
            servers: vec![Server::EMPTY; scenario.slots.len()],
            anchors: vec![Anchored::default(); scenario.placements()],
            goal: 0,
            operators: vec![Operator { pending: Pending::Nothing, disturbed: false }; scenario.operators.len()],
            leader: 0,
            isolated: None,
            history: History::default(),
            spent: Spent::default(),
            copy: None,
        }
    }

    pub(crate) fn connected(&self, scenario: &Scenario, a: usize, b: usize) -> bool {
        let (a, b) = (scenario.slots[a], scenario.slots[b]);
        a == b || self.isolated.is_none_or(|cut| a != cut && b != cut)
    }

    /// Whether both run and hear each other.
    pub(crate) fn hears(&self, scenario: &Scenario, a: usize, b: usize) -> bool {
        self.servers[a].up() && self.servers[b].up() && self.connected(scenario, a, b)
    }

    /// The primary of the highest term that takes writes.
    pub(crate) fn primary(&self) -> Option<usize> {
        let primaries = (0..self.servers.len()).filter(|slot| self.servers[*slot].primary);
        primaries.max_by_key(|slot| self.servers[*slot].term)
    }

    /// The newest config that anyone holds.
    pub(crate) fn newest_config(&self) -> Option<Config> {
        self.servers.iter().filter_map(|server| server.config).max_by_key(|config| config.stamp)
    }

    /// Voters of a config that run, hold the data and hear `from`.
    pub(crate) fn healthy_voters(&self, scenario: &Scenario, config: &Config, from: usize) -> Mask {
        let mut healthy = Mask::default();
        for voter in config.voters().iter() {
            if self.servers[voter].synced && self.hears(scenario, from, voter) {
                healthy.insert(voter);
            }
        }
        healthy
    }

    /// Every primary in a higher term holds what was committed.
    pub(crate) fn holds_committed(&self) -> bool {
        let committed = &self.history.committed;
        let later = self.servers.iter().filter(|s| s.primary && s.term > committed.last_term());
        later.into_iter().all(|server| server.log.starts_with(committed))
    }

    /// At most one primary per term.
    pub(crate) fn one_primary_per_term(&self) -> bool {
        let primaries: Vec<u8> = self.servers.iter().filter(|s| s.primary).map(|s| s.term).collect();
        primaries.iter().enumerate().all(|(at, term)| !primaries[..at].contains(term))
    }

    /// What an event makes of the world; none where it changes nothing. Operators' events are in `operator`.
    pub(crate) fn after(&self, scenario: &Scenario, event: Event) -> Option<Self> {
        let mut next = self.clone();
        let changed = match event {
            Event::Write(slot) => {
                let term = next.servers[slot].term;
                next.servers[slot].log.push(term, false);
                true
            }
            Event::Commit(slot) => next.commit(scenario, slot),
            Event::Elect(slot, quorum) => elect(&mut next.servers, slot, quorum, &scenario.guards),
            Event::Heartbeat(to, from) => heartbeat(&mut next.servers, to, from),
            Event::GetEntry(to, from) => get_entry(&mut next.servers, to, from),
            Event::RollBack(to, from) => roll_back(&mut next.servers, to, from),
            Event::InitialSync(to, from) => initial_sync(&mut next.servers, to, from),
            Event::Crash(slot) => {
                next.spent.crashes += 1;
                next.servers[slot].stop(Pod::Crashed);
                next.disturb()
            }
            Event::Start(slot) => next.start(scenario, slot),
            Event::Load(slot) => next.load(slot),
            Event::LoseDisk(slot) => {
                next.spent.lost_disks += 1;
                let lost = next.servers[slot];
                // The kubelet restarts the container alone.
                next.servers[slot] = Server { facts: lost.facts + 1, pod: Pod::Crashed, ..Server::EMPTY };
                next.disturb()
            }
            Event::Isolate(placement) => {
                next.spent.partitions += 1;
                next.isolated = Some(placement);
                next.disturb()
            }
            Event::Rejoin => {
                next.isolated = None;
                true
            }
            Event::NextGoal => {
                next.goal += 1;
                true
            }
            Event::SetBack => {
                (next.goal, next.spent.set_back) = (next.goal - 1, true);
                true
            }
            Event::TakeOver => {
                next.leader += 1;
                next.operators[next.leader].pending = Pending::Nothing;
                true
            }
            Event::Rollout => {
                next.spent.rollouts += 1;
                next.servers.iter_mut().for_each(|server| server.outdated = true);
                true
            }
            Event::Copy(slot) => {
                next.spent.copies += 1;
                next.copy = Some((slot, next.servers[slot]));
                true
            }
            Event::Restore => next.copy.take().is_some_and(|(slot, copy)| {
                next.servers[slot] = Server { primary: false, ..copy };
                next.disturb()
            }),
            Event::Impersonate => next.copy.as_mut().is_some_and(|(slot, copy)| {
                std::mem::swap(&mut next.servers[*slot], copy);
                (next.servers[*slot].primary, copy.primary) = (false, false);
                true
            }),
            Event::InitiateUnrecorded(slot) => {
                next.initiate(slot, 7, 2);
                true
            }
            Event::AllAtOnce(slot, votes) => next.vote_at_once(scenario, slot, votes),
            Event::Force(slot, survivors) => next.force(slot, survivors),
            Event::Observe(..) | Event::Act(..) => unreachable!("the operator's own"),
        };
        changed.then_some(next)
    }

    /// Something fails: what was observed before may not hold any more.
    fn disturb(&mut self) -> bool {
        self.operators.iter_mut().for_each(|operator| operator.disturbed = true);
        true
    }

    pub(crate) fn commit(&mut self, scenario: &Scenario, slot: usize) -> bool {
        if !commits(&self.servers, slot, &scenario.guards) {
            return false;
        }
        let log = self.servers[slot].log;
        let committed = self.history.committed;
        if !log.starts_with(&committed) && !committed.starts_with(&log) {
            self.history.breach(Breach::Consensus);
        }
        let newer = log.len() > committed.len();
        if newer {
            self.history.committed = log;
        }
        newer || !self.history.clean()
    }

    /// Starts a process, makes a deleted pod again, or opens the gate where the worker's anchor lets it. Every start
    /// goes through the gate, that of a container in its pod too.
    pub(crate) fn start(&mut self, scenario: &Scenario, slot: usize) -> bool {
        let anchor = &self.anchors[scenario.slots[slot]].anchor;
        let held_data = anchor.members[slot].is_some_and(|member| member.initialized);
        let server = &mut self.servers[slot];
        let before = *server;
        let looks = scenario.guards.gate && (scenario.guards.gate_every_start || server.pod != Pod::Crashed);
        let gated = server.config.is_none() && held_data && looks;
        if server.pod == Pod::Absent {
            server.outdated = false;
        }
        if !gated || server.pod != Pod::Gated {
            server.facts += 1;
        }
        server.pod = match server.config {
            _ if gated => Pod::Gated,
            Some(_) => Pod::Starting,
            None => Pod::Running,
        };
        *server != before
    }

    /// A process that has started loads its config.
    pub(crate) fn load(&mut self, slot: usize) -> bool {
        let server = &mut self.servers[slot];
        let starting = server.pod == Pod::Starting;
        if starting {
            server.pod = Pod::Running;
        }
        starting
    }

    /// `replSetInitiate`.
    pub(crate) fn initiate(&mut self, slot: usize, id: u8, priority: u8) {
        if self.history.initiates > 0 {
            self.history.breach(Breach::SecondInitiate);
        }
        self.history.initiates += 1;
        self.history.ids |= 1 << id;
        let mut members = [None; SLOTS];
        members[slot] = Some(protocol::Listed { id, votes: true, priority, hidden: false, tags: 0 });
        let history = self.history.initiates;
        let server = &mut self.servers[slot];
        server.config = Some(Config { history, stamp: Stamp { term: 0, version: 1 }, members });
        server.synced = true;
        server.log.push(0, false);
    }

    /// `replSetReconfig` on the safe path, with what the server itself checks. Returns whether it was done.
    pub(crate) fn reconfigure(
        &mut self,
        scenario: &Scenario,
        via: usize,
        members: [Option<protocol::Listed>; SLOTS],
        version: u8,
        disturbed: bool,
    ) -> bool {
        let guards = &scenario.guards;
        let leader = self.servers[via];
        let Some(present) = leader.config else { return false };
        let stamp = Stamp { term: leader.term, version };
        let new = Config { stamp, members, ..present };
        let changed = new.voters().differs(present.voters());
        if !may_reconfigure(&self.servers, via, &self.history.committed, guards)
            || stamp <= present.stamp
            || changed > 1 && guards.one_voter_at_once
            || !new.electable(via)
            || !self.finds_quorum(scenario, via, &new)
        {
            return false;
        }
        if changed > 1 {
            self.history.breach(Breach::ManyVoters);
        }
        let kept = new.listed().and(present.listed());
        if kept.and(new.voters()) != new.voters() || kept.and(present.voters()) != present.voters() {
            self.history.breach(Breach::Vote);
        }
        let healthy = |config: &Config| {
            is_majority(self.healthy_voters(scenario, config, via).count(), config.voters().count())
        };
        if !disturbed && healthy(&present) && !healthy(&new) {
            self.history.breach(Breach::Majority);
        }
        for (slot, listed) in members.iter().enumerate() {
            let Some(listed) = listed.filter(|_| !present.lists(slot)) else { continue };
            if self.history.ids >> listed.id & 1 == 1 {
                self.history.breach(Breach::MemberId);
            }
            self.history.ids |= 1 << listed.id;
        }
        self.servers[via].config = Some(new);
        true
    }

    fn finds_quorum(&self, scenario: &Scenario, via: usize, new: &Config) -> bool {
        let mut alive = Mask::default();
        for voter in new.voters().iter() {
            if self.hears(scenario, via, voter) {
                alive.insert(voter);
            }
        }
        let electable = alive.iter().any(|voter| new.electable(voter));
        new.has_majority(alive) && electable
    }

    fn vote_at_once(&mut self, scenario: &Scenario, slot: usize, votes: bool) -> bool {
        let Some(config) = self.servers[slot].config else { return false };
        let mut members = config.members;
        for (_, listed) in members.iter_mut().enumerate().filter(|(member, _)| *member != slot) {
            *listed = listed.map(|listed| protocol::Listed { votes, priority: 0, ..listed });
        }
        self.reconfigure(scenario, slot, members, config.stamp.version + 1, false)
    }

    /// `replSetReconfig` with `force`: whatever else lives, `slot` becomes the primary of the survivors.
    fn force(&mut self, slot: usize, survivors: Mask) -> bool {
        let server = &mut self.servers[slot];
        let Some(mut config) = server.config.filter(|config| config.listed() != survivors) else { return false };
        for (member, listed) in config.members.iter_mut().enumerate() {
            *listed = listed.filter(|_| survivors.has(member));
        }
        config.stamp.version += 10;
        server.config = Some(config);
        true
    }
}

impl fmt::Display for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (slot, server) in self.servers.iter().enumerate() {
            let Server { pod, facts, outdated, term, primary, config, synced, log } = server;
            let role = if *primary { "primary" } else { "secondary" };
            write!(f, "  {slot}: {pod:?} {facts} {role} term {term} log {log:?}")?;
            f.write_str(if *synced { "" } else { " unsynced" })?;
            f.write_str(if *outdated { " outdated" } else { "" })?;
            if let Some(Config { stamp, members, .. }) = config {
                write!(f, " config {}.{}", stamp.term, stamp.version)?;
                for (member, listed) in members.iter().enumerate() {
                    let Some(listed) = listed else { continue };
                    write!(f, " {member}=#{}v{}p{}", listed.id, u8::from(listed.votes), listed.priority)?;
                }
            }
            writeln!(f)?;
        }
        for (placement, Anchored { anchor, version }) in self.anchors.iter().enumerate() {
            write!(
                f,
                "  anchor {placement}: epoch {} seed {:?} next {}",
                anchor.epoch, anchor.seed, anchor.next_id
            )?;
            for (slot, member) in anchor.members.iter().enumerate() {
                let Some(member) = member else { continue };
                write!(f, " {slot}={:?}{}", member.id, if member.initialized { "+" } else { "" })?;
            }
            writeln!(f, " written {version}")?;
        }
        for operator in &self.operators {
            writeln!(f, "  {operator:?}")?;
        }
        let Self { goal, isolated, history, spent, .. } = self;
        writeln!(f, "  goal {goal}, isolated {isolated:?}, {history:?}, {spent:?}")
    }
}
