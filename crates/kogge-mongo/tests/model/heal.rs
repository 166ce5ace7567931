//! A fair run: every fault ends, servers do what they do by themselves, and the real planner goes on from a
//! fresh and full view until it has nothing left to do.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use kogge_mongo::votes::{Candidate, allot};
use kogge_mongo::{MemberRole, Plan};

use crate::operator::{Pending, Planner};
use crate::protocol::{
    Config, LOWERED, Log, Mask, Pod, Server, Stamp, elect, get_entry, heartbeat, initial_sync, roll_back,
};
use crate::scenario::Scenario;
use crate::world::{Spent, World};

/// Rounds of observing, acting and waiting within which every goal must be reached.
pub(crate) const ROUNDS: usize = 90;

/// How many rounds a healed world takes to its goal; none where it does not get there.
#[derive(Default)]
pub(crate) struct Healer {
    known: Mutex<HashMap<World, Option<usize>>>,
}

impl Healer {
    /// The rounds to the goal from a state, once its faults have ended.
    pub(crate) fn rounds(&self, scenario: &Scenario, planner: &Planner, world: &World) -> Option<usize> {
        let mut world = world.healed(scenario);
        let mut trail = Vec::new();
        let known = |world: &World| self.known.lock().unwrap_or_else(PoisonError::into_inner).get(world).copied();
        let end = loop {
            if let Some(rounds) = known(&world) {
                break rounds;
            }
            if world.is_at_goal(scenario)
                && world.planned(scenario, planner).is_some_and(|p| p.ready && p.silent())
            {
                trail.push(world);
                break Some(0);
            }
            if trail.len() > ROUNDS || trail.contains(&world) {
                break None;
            }
            let next = world.round(scenario, planner);
            trail.push(world);
            world = next;
        };
        let mut memory = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let mut rounds = end;
        for (back, passed) in trail.into_iter().rev().enumerate() {
            if back > 0 || end != Some(0) {
                rounds = rounds.map(|n| n + 1).filter(|n| *n <= ROUNDS);
            }
            memory.insert(passed, rounds);
        }
        rounds
    }

    /// The most rounds that any state took.
    pub(crate) fn longest(&self) -> usize {
        let memory = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        memory.values().flatten().copied().max().unwrap_or_default()
    }
}

/// A run that does not reach its goal: where it ends, and what the planner says there.
pub(crate) fn stuck(scenario: &Scenario, planner: &Planner, world: &World) -> (World, Option<Plan>) {
    let mut world = world.healed(scenario);
    for _ in 0..ROUNDS {
        world = world.round(scenario, planner);
    }
    let said = world.said(scenario);
    (world, said)
}

impl World {
    /// The same world without its faults.
    pub(crate) fn healed(&self, scenario: &Scenario) -> Self {
        let mut healed = self.clone();
        healed.isolated = None;
        healed.copy = None;
        healed.spent = Spent::default();
        for operator in &mut healed.operators {
            (operator.pending, operator.disturbed) = (Pending::Nothing, false);
        }
        healed.leader = 0;
        healed.history.epoch = 0;
        // Where two control clusters began at once, a person says whose the database is.
        if let Some(owner) =
            healed.anchors.iter().map(|a| a.anchor).find(|anchor| anchor.epoch > 0).map(|a| a.owner)
        {
            healed.anchors.iter_mut().for_each(|anchored| anchored.anchor.owner = owner);
        }
        // A person puts a control cluster that was set back forward again.
        let anchored = healed.anchors.iter().map(|anchored| anchored.anchor.epoch).max().unwrap_or_default();
        healed.goal = healed.goal.max(usize::from(anchored.max(1)) - 1);
        healed.settle(scenario, None);
        healed
    }

    /// Observe, act on all of it, let the servers do what they do by themselves.
    pub(crate) fn round(&self, scenario: &Scenario, planner: &Planner) -> Self {
        let mut next = self.clone();
        for number in 0..self.operators.len() {
            if let Some(observed) = next.observe(scenario, planner, number, Mask::default(), Mask::default()) {
                next = observed;
            }
            while let Some(acted) = next.act_on_anything(scenario, number) {
                next = acted;
            }
        }
        // It is not elected again for the time that a step-down lasts.
        let stepped_down = self.leader().filter(|slot| !next.servers[*slot].primary);
        next.settle(scenario, stepped_down);
        next
    }

    fn act_on_anything(&self, scenario: &Scenario, number: usize) -> Option<Self> {
        match self.operators[number].pending {
            Pending::Nothing => None,
            Pending::Anchors { todo, .. } => self.act(scenario, number, todo.iter().next()?),
            Pending::Step { .. } => self.act(scenario, number, 0),
        }
    }

    /// Time passes: pods run, members learn, a primary is elected, oplogs become one.
    fn settle(&mut self, scenario: &Scenario, stepped_down: Option<usize>) {
        for slot in 0..self.servers.len() {
            if !self.servers[slot].answers() {
                self.start(scenario, slot);
            }
            self.load(slot);
        }
        self.sync_initially();
        self.meet();
        self.take_over(scenario, stepped_down);
        self.meet();
        self.replicate(scenario);
        self.meet();
        self.forget_the_past();
    }

    /// Everyone hears everyone, as long as there is news.
    fn meet(&mut self) {
        let running: Vec<usize> = (0..self.servers.len()).filter(|slot| self.servers[*slot].up()).collect();
        let mut news = true;
        while news {
            news = false;
            for to in &running {
                for from in running.iter().filter(|from| *from != to) {
                    news |= heartbeat(&mut self.servers, *to, *from);
                }
            }
        }
    }

    fn leader(&self) -> Option<usize> {
        self.primary().filter(|slot| self.servers.iter().all(|s| !s.up() || s.term <= self.servers[*slot].term))
    }

    fn take_over(&mut self, scenario: &Scenario, stepped_down: Option<usize>) {
        if self.leader().is_some() {
            return;
        }
        let mut candidates: Vec<usize> = (0..self.servers.len())
            .filter(|slot| self.servers[*slot].up() && self.servers[*slot].synced)
            .filter(|slot| self.servers[*slot].config.is_some_and(|config| config.electable(*slot)))
            .collect();
        candidates.sort_by_key(|slot| {
            let server = &self.servers[*slot];
            let (term, len) = server.log.position();
            let priority = server.config.and_then(|config| config.members[*slot]).map_or(0, |m| m.priority);
            (Reverse((term, len)), Some(*slot) == stepped_down, Reverse(priority))
        });
        for candidate in candidates {
            let Some(config) = self.servers[candidate].config else { continue };
            let mut quorum = Mask::of(candidate);
            for voter in config.voters().iter() {
                let mut alone = self.servers.clone();
                let grants = elect(&mut alone, candidate, Mask::of(candidate).or(Mask::of(voter)), &{
                    let mut guards = scenario.guards;
                    guards.majority_elects = false;
                    guards
                });
                if self.servers[voter].up() && grants {
                    quorum.insert(voter);
                }
            }
            if config.has_majority(quorum) && elect(&mut self.servers, candidate, quorum, &scenario.guards) {
                return;
            }
        }
    }

    fn sync_initially(&mut self) {
        let Some(leader) = self.leader() else { return };
        for slot in 0..self.servers.len() {
            if self.servers[slot].up() {
                initial_sync(&mut self.servers, slot, leader);
            }
        }
    }

    fn replicate(&mut self, scenario: &Scenario) {
        let Some(leader) = self.leader() else { return };
        let server = &mut self.servers[leader];
        if server.log.last_term() < server.term {
            server.log.push(server.term, false);
        }
        for slot in (0..self.servers.len()).filter(|slot| *slot != leader) {
            if self.servers[slot].up() {
                while roll_back(&mut self.servers, slot, leader) || get_entry(&mut self.servers, slot, leader) {}
            }
        }
        self.commit(scenario, leader);
    }

    /// Terms, versions and oplogs start over where all servers agree: only their order means anything.
    fn forget_the_past(&mut self) {
        let Some(leader) = self.leader().map(|slot| self.servers[slot]) else { return };
        let agrees = |server: &Server| {
            !server.up()
                || server.config.is_none()
                || server.config == leader.config
                    && (!server.synced || server.log == leader.log)
                    && server.term == leader.term
        };
        if self.history.committed != leader.log || !self.servers.iter().all(agrees) {
            return;
        }
        let mut log = Log::default();
        log.push(1, leader.log.users());
        self.history.committed = log;
        self.history.initiates = 1;
        for server in self.servers.iter_mut().filter(|server| server.config.is_some()) {
            let restart = |config: Config| Config { stamp: Stamp { term: 1, version: 1 }, history: 1, ..config };
            (server.term, server.facts) = (1, 0);
            if server.pod == Pod::Running {
                server.config = server.config.map(restart);
            }
            if server.synced {
                server.log = log;
            }
        }
        for anchored in &mut self.anchors {
            anchored.version = 0;
        }
    }

    /// The goal, judged without the planner: members, votes, priorities, tags, anchors, templates.
    pub(crate) fn is_at_goal(&self, scenario: &Scenario) -> bool {
        let Some(config) = self.leader().and_then(|leader| self.servers[leader].config) else { return false };
        let voters = scenario.voters(self.goal, &config);
        let away = scenario.slots_away(self.goal);
        if self.leader().is_some_and(|leader| away.has(leader)) && voters.and(away) != voters {
            return false;
        }
        (0..scenario.slots.len()).all(|slot| {
            let listed = config.members[slot];
            if scenario.want(self.goal, slot).is_none() {
                return listed.is_none()
                    && self.anchors.iter().all(|anchored| anchored.anchor.members[slot].is_none());
            }
            let server = &self.servers[slot];
            listed.is_some_and(|listed| {
                let votes = voters.has(slot);
                let remembered = |anchored: &crate::world::Anchored| {
                    anchored.anchor.members[slot].is_some_and(|m| m.initialized && m.id == Some(listed.id))
                };
                listed.votes == votes
                    && listed.priority == if votes { scenario.priority(self.goal, slot, voters) } else { 0 }
                    && scenario.has_wanted_tags(self.goal, slot, listed.tags)
                    && self.anchors.iter().all(remembered)
            }) && server.up()
                && server.synced
                && !server.outdated
                && server.config == Some(config)
        })
    }

    /// The goal is reached and no server is behind: nothing may be done.
    pub(crate) fn is_settled(&self, scenario: &Scenario) -> bool {
        let Some(leader) = self.leader().map(|slot| self.servers[slot]) else { return false };
        let anchored = |anchor: u8| usize::from(anchor) == self.goal + 1;
        self.is_at_goal(scenario)
            && self.isolated.is_none()
            && leader.log.users()
            && self.anchors.iter().all(|a| anchored(a.anchor.epoch) && a.anchor == self.anchors[0].anchor)
            && self.servers.iter().filter(|s| s.config == leader.config).all(|s| s.log == leader.log)
    }
}

impl Scenario {
    fn slots_away(&self, goal: usize) -> Mask {
        let away = self.away_from(goal).iter().map(|placement| self.slots_in(placement));
        away.fold(Mask::default(), Mask::or)
    }

    /// The priority of a voter, in halves.
    fn priority(&self, goal: usize, slot: usize, voters: Mask) -> u8 {
        let away = self.slots_away(goal);
        match self.want(goal, slot) {
            Some(want) if want.priority > 0 && away.has(slot) && voters.and(away) != voters => LOWERED,
            want => 2 * want.map_or(0, |want| want.priority as u8),
        }
    }

    /// Who shall vote, by the planner's own allotment.
    pub(crate) fn voters(&self, goal: usize, config: &Config) -> Mask {
        let slots = (0..self.slots.len()).filter_map(|slot| Some((slot, self.want(goal, slot)?)));
        let candidates: Vec<Candidate> = slots
            .filter(|(_, want)| want.role == MemberRole::Voter)
            .map(|(slot, want)| Candidate {
                pod: self.pod(slot),
                vdc: Self::placement(self.slots[slot]).as_str().into(),
                priority: want.priority,
                votes_now: config.members[slot].is_some_and(|listed| listed.votes),
            })
            .collect();
        let mut voters = Mask::default();
        for pod in allot(&candidates, 0) {
            voters.insert(self.slot_of(&pod));
        }
        voters
    }
}
