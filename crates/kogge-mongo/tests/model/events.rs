//! What can happen, and which of it may happen in a state of the world.

use crate::operator::Pending;
use crate::protocol::{Config, Mask, Pod, is_majority};
use crate::scenario::Scenario;
use crate::world::World;

/// Something that happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// A client writes to a primary.
    Write(usize),
    /// A primary's newest entry is committed.
    Commit(usize),
    /// A candidate wins with these votes.
    Elect(usize, Mask),
    /// The first hears a heartbeat of the second.
    Heartbeat(usize, usize),
    /// The first gets an entry from the second.
    GetEntry(usize, usize),
    /// The first drops an entry that the second does not have.
    RollBack(usize, usize),
    /// The first has synced initially from the second.
    InitialSync(usize, usize),
    /// A process dies.
    Crash(usize),
    /// A process, or a deleted pod, runs again; the gate opens where it may.
    Start(usize),
    /// A process that has started loads its config.
    Load(usize),
    /// A disk is lost; the pod is made again with an empty one.
    LoseDisk(usize),
    /// A placement is cut off.
    Isolate(usize),
    /// The cut is mended.
    Rejoin,
    /// The user wants the next goal, and the control cluster accepts it.
    NextGoal,
    /// The control cluster is restored to the goal before.
    SetBack,
    /// Another operator gets the lease; what the one before has in hand, it does not drop.
    TakeOver,
    /// The template changes: every pod is outdated.
    Rollout,
    /// A copy of a disk is taken.
    Copy(usize),
    /// The copy replaces the disk.
    Restore,
    /// The copy and the disk change places: two processes answer to one name.
    Impersonate,
    /// An operator observes all but these placements and these members, and plans.
    Observe(usize, Mask, Mask),
    /// An operator carries out what it planned; an anchor goes to the given worker.
    Act(usize, usize),
    /// A careless operator initiates a pod that nobody recorded.
    InitiateUnrecorded(usize),
    /// A careless operator makes all the others voters, or takes all their votes, in one command.
    AllAtOnce(usize, bool),
    /// A careless operator forces a config of only these.
    Force(usize, Mask),
}

impl World {
    /// What may happen; some of it turns out to change nothing.
    pub(crate) fn events(&self, scenario: &Scenario, events: &mut Vec<Event>) {
        let bounds = &scenario.bounds;
        let slots = 0..self.servers.len();
        for slot in slots.clone() {
            let server = &self.servers[slot];
            match server.pod {
                Pod::Running => {
                    self.events_of(scenario, slot, events);
                    if self.spent.crashes < bounds.crashes && server.config.is_some() {
                        events.push(Event::Crash(slot));
                    }
                    if self.spent.lost_disks < bounds.lost_disks && server.synced && self.can_spare(slot) {
                        events.push(Event::LoseDisk(slot));
                    }
                }
                Pod::Starting => events.push(Event::Load(slot)),
                Pod::Crashed | Pod::Absent | Pod::Gated => events.push(Event::Start(slot)),
            }
        }
        match self.isolated {
            Some(_) => events.push(Event::Rejoin),
            None if self.spent.partitions < bounds.partitions => {
                events.extend((0..scenario.placements()).map(Event::Isolate));
            }
            None => {}
        }
        if self.goal + 1 < scenario.goals.len() && !self.spent.set_back {
            events.push(Event::NextGoal);
        }
        if bounds.set_back && self.goal > 0 && !self.spent.set_back {
            events.push(Event::SetBack);
        }
        if self.leader + 1 < self.operators.len() {
            events.push(Event::TakeOver);
        }
        if self.spent.rollouts < bounds.rollouts {
            events.push(Event::Rollout);
        }
        self.careless_events(scenario, events);
        let operators = if scenario.unattended { &[] } else { self.operators.as_slice() };
        for (number, operator) in operators.iter().enumerate() {
            match &operator.pending {
                Pending::Nothing => {}
                Pending::Anchors { todo, .. } => events.extend(todo.iter().map(|at| Event::Act(number, at))),
                Pending::Step { .. } => events.push(Event::Act(number, 0)),
            }
            if operator.pending != Pending::Nothing && self.spent.deaths >= bounds.deaths {
                continue;
            }
            events.push(Event::Observe(number, Mask::default(), Mask::default()));
            if self.spent.partial_views < bounds.partial_views {
                let unseen = (0..scenario.placements()).map(Mask::of);
                events.extend(unseen.map(|unseen| Event::Observe(number, unseen, Mask::default())));
                let silent = slots.clone().filter(|slot| self.servers[*slot].up()).map(Mask::of);
                events.extend(silent.map(|silent| Event::Observe(number, Mask::default(), silent)));
            }
        }
    }

    /// Whether the others hold all that a majority acknowledged.
    fn can_spare(&self, slot: usize) -> bool {
        let spares = |config: &Config| {
            let mut others = config.voters();
            others.remove(slot);
            let synced = others.iter().filter(|voter| self.servers[*voter].synced).count();
            is_majority(synced, config.voters().count())
        };
        self.servers.iter().filter_map(|server| server.config.as_ref()).all(spares)
    }

    fn events_of(&self, scenario: &Scenario, slot: usize, events: &mut Vec<Event>) {
        let (server, bounds) = (&self.servers[slot], &scenario.bounds);
        for other in (0..self.servers.len()).filter(|other| *other != slot) {
            if self.hears(scenario, slot, other) && self.servers[other].config.is_some() {
                events.push(Event::Heartbeat(slot, other));
                if server.synced {
                    events.push(Event::GetEntry(slot, other));
                    events.push(Event::RollBack(slot, other));
                } else {
                    events.push(Event::InitialSync(slot, other));
                }
            }
        }
        if server.primary {
            // A new primary's first entry is its own; the others are its clients'.
            let first = server.log.last_term() < server.term;
            if server.log.len() < bounds.log + usize::from(first) {
                events.push(Event::Write(slot));
            }
            events.push(Event::Commit(slot));
        } else if server.synced && server.term < bounds.term {
            let Some(config) = server.config.filter(|config| config.electable(slot)) else { return };
            let reachable = config.voters().iter().filter(|voter| self.hears(scenario, slot, *voter));
            let mut voters = Mask::default();
            reachable.for_each(|voter| voters.insert(voter));
            let needed = if scenario.guards.majority_elects { config.voters().count() / 2 + 1 } else { 1 };
            events.extend(quorums(voters, slot, needed).map(|quorum| Event::Elect(slot, quorum)));
        }
    }

    fn careless_events(&self, scenario: &Scenario, events: &mut Vec<Event>) {
        let guards = &scenario.guards;
        if !(guards.no_restored_copy && guards.one_identity) {
            if self.copy.is_none() && self.spent.copies < scenario.bounds.copies {
                let synced = (0..self.servers.len()).filter(|slot| self.servers[*slot].synced);
                events.extend(synced.map(Event::Copy));
            }
            if self.copy.is_some() {
                events.push(if guards.no_restored_copy { Event::Impersonate } else { Event::Restore });
            }
        }
        if !guards.one_initiate {
            let empty = (0..self.servers.len()).filter(|slot| self.servers[*slot].config.is_none());
            events.extend(empty.map(Event::InitiateUnrecorded));
        }
        if !guards.one_voter_at_once {
            for slot in (0..self.servers.len()).filter(|slot| self.servers[*slot].primary) {
                events.extend([true, false].map(|votes| Event::AllAtOnce(slot, votes)));
            }
        }
        if !guards.no_force {
            for slot in (0..self.servers.len()).filter(|slot| self.servers[*slot].up()) {
                events.push(Event::Force(slot, Mask::of(slot)));
            }
        }
    }
}

/// The quorums of `needed` voters with `candidate` in them.
fn quorums(voters: Mask, candidate: usize, needed: usize) -> impl Iterator<Item = Mask> {
    (0..=voters.0)
        .map(Mask)
        .filter(move |quorum| quorum.count() == needed && quorum.has(candidate) && quorum.and(voters) == *quorum)
}
