//! An operator: the real planner on what it sees, and its steps carried out as the anchors, a worker's API and a
//! server would.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::{Mutex, PoisonError};

use kogge_mongo::{Plan, plan};

use crate::anchors::{Anchor, Remembered};
use crate::planned::{Deed, Edit, Planned, Reconfig, Record};
use crate::protocol::{Config, Listed, Mask, Pod, is_majority};
use crate::scenario::Scenario;
use crate::sight::{NOW, Sight, gather};
use crate::world::{Breach, World};

/// What an operator is about to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Pending {
    Nothing,
    /// The anchor that each worker of `todo` shall hold, if it was written as often as `versions` says.
    Anchors {
        desired: Anchor,
        todo: Mask,
        versions: [u8; 4],
    },
    /// A step; `behind` if an anchor had had a later epoch than its operator when it was planned.
    Step {
        deed: Deed,
        behind: bool,
    },
}

/// The real planner, remembering what it said of a sight.
#[derive(Default)]
pub(crate) struct Planner {
    said: [Mutex<HashMap<Sight, Planned>>; 16],
}

impl Planner {
    fn plan(&self, scenario: &Scenario, sight: Sight) -> Planned {
        let mut hasher = DefaultHasher::new();
        sight.hash(&mut hasher);
        let shard = &self.said[hasher.finish() as usize % self.said.len()];
        if let Some(known) = shard.lock().unwrap_or_else(PoisonError::into_inner).get(&sight) {
            return known.clone();
        }
        let goal = scenario.goal(sight.goal, &sight.anchor, sight.unseen);
        let made = plan(&goal, &sight.topology(scenario, &goal), NOW);
        let planned = Planned::of(scenario, &made);
        shard.lock().unwrap_or_else(PoisonError::into_inner).insert(sight, planned.clone());
        planned
    }
}

impl World {
    /// An operator of the control cluster that holds the database.
    fn owner(&self, scenario: &Scenario) -> usize {
        let held = self.anchors.iter().find(|anchored| anchored.anchor.epoch > 0);
        let owner = held.map_or(scenario.operators[0], |anchored| anchored.anchor.owner);
        scenario.operators.iter().position(|cluster| *cluster == owner).unwrap_or_default()
    }

    /// What the planner says to a full view, in its own words.
    pub(crate) fn said(&self, scenario: &Scenario) -> Option<Plan> {
        let sight = gather(scenario, self, self.owner(scenario), Mask::default(), Mask::default())?;
        let goal = scenario.goal(sight.goal, &sight.anchor, sight.unseen);
        Some(plan(&goal, &sight.topology(scenario, &goal), NOW))
    }

    /// What the planner says to a full view.
    pub(crate) fn planned(&self, scenario: &Scenario, planner: &Planner) -> Option<Planned> {
        let sight = gather(scenario, self, self.owner(scenario), Mask::default(), Mask::default())?;
        Some(planner.plan(scenario, sight))
    }

    /// An operator observes and plans; what it was about to do is forgotten.
    pub(crate) fn observe(
        &self,
        scenario: &Scenario,
        planner: &Planner,
        number: usize,
        unseen: Mask,
        silent: Mask,
    ) -> Option<Self> {
        let mut next = self.clone();
        let pending = match gather(scenario, self, number, unseen, silent) {
            None => Pending::Nothing,
            Some(sight) => {
                let Sight { anchor, foreign, hidden, .. } = sight;
                let planned = planner.plan(scenario, sight);
                self.note_killed_primary(scenario, &planned, hidden, &mut next);
                self.pending(&planned, anchor, unseen.or(foreign))
            }
        };
        if self.operators[number].pending == pending {
            return None;
        }
        next.spent.deaths += u8::from(self.operators[number].pending != Pending::Nothing);
        next.spent.partial_views += u8::from(!(unseen.is_empty() && silent.is_empty()));
        next.operators[number] = crate::world::Operator { pending, disturbed: false };
        Some(next)
    }

    fn pending(&self, planned: &Planned, mut desired: Anchor, out_of_reach: Mask) -> Pending {
        for record in &planned.records {
            match *record {
                Record::Seed(slot, id) => {
                    desired.seed = desired.seed.or(u8::try_from(slot).ok());
                    desired.remember(slot, Remembered { id: Some(id), initialized: false });
                }
                Record::Member(slot, member) => desired.remember(slot, member),
                Record::Forget(slot) => desired.members[slot] = None,
            }
        }
        let (mut todo, mut versions) = (Mask::default(), [0; 4]);
        for (placement, anchored) in self.anchors.iter().enumerate() {
            versions[placement] = anchored.version;
            if !out_of_reach.has(placement) && anchored.anchor != desired {
                todo.insert(placement);
            }
        }
        let anchors = Pending::Anchors { desired, todo, versions };
        let behind = self.history.epoch > desired.epoch;
        match planned.deed {
            Some(deed) if todo.is_empty() => Pending::Step { deed, behind },
            _ if todo.is_empty() => Pending::Nothing,
            _ => anchors,
        }
    }

    /// A plan that restarts what it sees as the primary of a set that has others to hand over to.
    fn note_killed_primary(&self, scenario: &Scenario, planned: &Planned, hidden: Mask, next: &mut Self) {
        if let Some(Deed::Restart { slot, .. }) = planned.deed
            && let slot = usize::from(slot)
            && self.primary() == Some(slot)
            && !hidden.has(slot)
            && let Some(config) = self.servers[slot].config
            && config.voters().count() > 1
            && config.has_majority(self.healthy_voters(scenario, &config, slot))
        {
            next.history.breach(Breach::KilledPrimary);
        }
    }

    /// An operator carries out what it planned; of anchors, the one in worker `at`.
    pub(crate) fn act(&self, scenario: &Scenario, number: usize, at: usize) -> Option<Self> {
        let mut next = self.clone();
        let operator = self.operators[number];
        let pending = match operator.pending {
            Pending::Nothing => return None,
            Pending::Anchors { desired, mut todo, versions } => {
                next.history.epoch = next.history.epoch.max(desired.epoch);
                let present = &mut next.anchors[at];
                if present.version == versions[at] || !scenario.guards.anchor_version {
                    (present.anchor, present.version) = (desired, present.version.saturating_add(1));
                }
                todo.remove(at);
                let pending = Pending::Anchors { desired, todo, versions };
                if todo.is_empty() { Pending::Nothing } else { pending }
            }
            Pending::Step { deed: Deed::Restart { .. }, .. } if scenario.guards.lease && number != self.leader => {
                Pending::Nothing
            }
            Pending::Step { deed, behind } => {
                next.undoes(scenario, &deed, behind);
                match next.carry_out(scenario, &deed, operator.disturbed) {
                    Some(deed) => Pending::Step { deed, behind },
                    None => Pending::Nothing,
                }
            }
        };
        next.operators[number].pending = pending;
        if pending == Pending::Nothing {
            next.operators[number].disturbed = false;
        }
        Some(next)
    }

    /// A later goal was accepted when this was planned, and it wants what this takes away.
    fn undoes(&mut self, scenario: &Scenario, deed: &Deed, behind: bool) {
        let Deed::Reconfig(Reconfig { slot, edit: Edit::Remove | Edit::Vote(false), .. }) = deed else { return };
        let (slot, newest) = (usize::from(*slot), usize::from(self.history.epoch.max(1)) - 1);
        // A lost disk is taken out under every goal that wants its member, to be admitted again.
        let is_lost_disk = !self.servers[slot].synced && scenario.want(self.goal, slot).is_some();
        if behind && scenario.want(newest, slot).is_some() && !is_lost_disk {
            self.history.breach(Breach::Undone);
        }
    }

    /// Carries a step out. Returns what is still to be done of it.
    fn carry_out(&mut self, scenario: &Scenario, deed: &Deed, disturbed: bool) -> Option<Deed> {
        match *deed {
            Deed::Initiate { seed, id, priority } => {
                let slot = usize::from(seed);
                if self.servers[slot].up() && self.servers[slot].config.is_none() {
                    if !self.anchors.iter().any(|anchored| anchored.anchor.seed == Some(seed)) {
                        self.history.breach(Breach::Unrecorded);
                    }
                    self.initiate(slot, id, priority);
                }
            }
            Deed::CreateUsers { via } => {
                let server = &mut self.servers[usize::from(via)];
                if server.up() && server.primary && !server.log.users() {
                    server.log.push(server.term, true);
                }
            }
            Deed::Reconfig(change) => return self.reconfig(scenario, &change, disturbed),
            Deed::Command { via, members, version } => {
                let via = usize::from(via);
                if self.servers[via].up() {
                    self.reconfigure(scenario, via, members, version, disturbed);
                }
            }
            Deed::StepDown { slot } => self.step_down(scenario, usize::from(slot)),
            Deed::Restart { slot, facts } => self.restart(scenario, usize::from(slot), facts, disturbed),
        }
        None
    }

    fn reconfig(&mut self, scenario: &Scenario, change: &Reconfig, disturbed: bool) -> Option<Deed> {
        let (via, slot) = (usize::from(change.via), usize::from(change.slot));
        let server = &self.servers[via];
        let config = server.config.filter(|_| server.up() && server.primary && server.log.users())?;
        if config.stamp != change.base && scenario.guards.planned_config {
            return None;
        }
        self.note_needless(scenario, change, &config, disturbed);
        let mut members = config.members;
        let taken = members.iter().flatten().any(|listed| listed.id == change.id);
        match (change.edit, &mut members[slot]) {
            (Edit::Add { votes, priority, hidden, tags }, unlisted @ None) if !taken => {
                if !self.anchors.iter().any(|anchored| anchored.anchor.next_id > change.id) {
                    self.history.breach(Breach::Unrecorded);
                }
                *unlisted = Some(Listed { id: change.id, votes, priority, hidden, tags });
            }
            (edit, Some(listed)) if listed.id == change.id => match edit {
                Edit::Vote(votes) => {
                    listed.votes = votes;
                    listed.priority = if votes { listed.priority } else { 0 };
                }
                Edit::Priority(priority) => listed.priority = priority,
                Edit::Hidden(hidden) => listed.hidden = hidden,
                Edit::Tags(tags) => listed.tags = tags,
                Edit::Remove => members[slot] = None,
                Edit::Add { .. } => return None,
            },
            _ => return None,
        }
        let version = config.stamp.version + 1;
        if scenario.slow_commands {
            return Some(Deed::Command { via: change.via, members, version });
        }
        self.reconfigure(scenario, via, members, version, disturbed);
        None
    }

    /// A step that takes the vote or the place of a member which the only goal wants, and which holds the data. One whose
    /// anchors have reserved another id joins again under that.
    fn note_needless(&mut self, scenario: &Scenario, change: &Reconfig, config: &Config, disturbed: bool) {
        let slot = usize::from(change.slot);
        let wanted = match change.edit {
            Edit::Vote(false) => scenario.voters(0, config).has(slot),
            Edit::Remove => scenario.want(0, slot).is_some(),
            _ => false,
        };
        let renumbered = self.anchors.iter().any(|anchored| {
            anchored.anchor.members[slot].is_some_and(|member| member.id.is_some_and(|id| id > change.id))
        });
        // One whose disk was lost may have synced again since it was observed.
        let held_always = self.servers[slot].synced && self.spent.lost_disks == 0;
        if wanted && scenario.goals.len() == 1 && !renumbered && !disturbed && held_always {
            self.history.breach(Breach::Needless);
        }
    }

    /// `replSetStepDown` without force: refused where no electable secondary has caught up.
    fn step_down(&mut self, scenario: &Scenario, slot: usize) {
        let server = self.servers[slot];
        let Some(config) = server.config.filter(|_| server.up() && server.primary) else { return };
        let heir = config.voters().iter().any(|voter| {
            let other = &self.servers[voter];
            voter != slot
                && config.electable(voter)
                && other.synced
                && other.log == server.log
                && self.hears(scenario, slot, voter)
        });
        if heir {
            self.servers[slot].primary = false;
        }
    }

    fn restart(&mut self, scenario: &Scenario, slot: usize, facts: u8, disturbed: bool) {
        let server = self.servers[slot];
        if server.pod == Pod::Absent || server.facts != facts && scenario.guards.pod_facts {
            return;
        }
        let before = self.majorities(scenario);
        self.servers[slot].stop(Pod::Absent);
        if !disturbed && before && !self.majorities(scenario) {
            self.history.breach(Breach::Majority);
        }
    }

    /// Whether a majority of the newest config's voters is healthy. A single voter cannot be spared, and is
    /// restarted all the same.
    fn majorities(&self, scenario: &Scenario) -> bool {
        let Some(config) = self.newest_config() else { return true };
        let voters = config.voters();
        let best = voters.iter().map(|from| self.healthy_voters(scenario, &config, from).count()).max();
        voters.count() < 2 || best.is_some_and(|healthy| is_majority(healthy, voters.count()))
    }
}

impl Anchor {
    fn remember(&mut self, slot: usize, member: Remembered) {
        self.next_id = self.next_id.max(member.id.map_or(0, |id| id + 1));
        let mut added = Self::default();
        added.members[slot] = Some(member);
        // Only seeds can disagree, and none is added.
        let _ = self.join(&added);
    }
}
