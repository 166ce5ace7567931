//! An operator: what it sees of the world, the real planner on it, and its steps carried out as the anchors, a
//! worker's API and a server would.

use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::{Mutex, PoisonError};

use kogge_mongo::{
    Access, Action, Change, ConfigMember, ConfigStamp, Executor, Goal, Hello, Hold, InitialSync, MemberId,
    MemberObservation, MemberState, Plan, PodFacts, PodName, ReplConfig, ReplStatus, Replication,
    Server as Observed, ServerState, SetName, StatusMember, Step, Topology, plan,
};

use crate::anchors::{Anchor, Remembered};
use crate::protocol::{Config, LOWERED, Listed, Mask, Pod, SLOTS, Server, Stamp, is_majority};
use crate::scenario::{SET, Scenario};
use crate::world::{Breach, World};

const NOW: u64 = 1_000_000;
/// What one entry counts for in lag: two entries behind is small, three is not.
const ENTRY_MS: i64 = 4_500;

/// A change of one member in a config that was observed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Reconfig {
    via: u8,
    base: Stamp,
    slot: u8,
    id: u8,
    edit: Edit,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Edit {
    Add { votes: bool, priority: u8, hidden: bool, tags: u8 },
    Hidden(bool),
    Vote(bool),
    Priority(u8),
    Tags(u8),
    Remove,
}

/// A step of the planner on servers and pods.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Deed {
    Initiate {
        seed: u8,
        id: u8,
        priority: u8,
    },
    CreateUsers {
        via: u8,
    },
    Reconfig(Reconfig),
    StepDown {
        slot: u8,
    },
    Restart {
        slot: u8,
        facts: u8,
    },
    /// A reconfiguration whose config was read and edited, on its way to the server.
    Command {
        via: u8,
        members: [Option<Listed>; SLOTS],
        version: u8,
    },
}

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

/// What the planner said.
#[derive(Clone, Debug)]
pub(crate) struct Planned {
    records: Vec<Record>,
    deed: Option<Deed>,
    /// Nothing to do, nothing to wait for, everything as wanted.
    pub(crate) ready: bool,
}

#[derive(Clone, Copy, Debug)]
enum Record {
    Seed(usize, u8),
    Member(usize, Remembered),
    Forget(usize),
}

/// Everything that a plan depends on.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Sight {
    goal: usize,
    anchor: Anchor,
    unseen: Mask,
    /// Placements that another control cluster holds.
    foreign: Mask,
    hidden: Mask,
    isolated: Option<usize>,
    servers: Vec<Server>,
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

/// What an operator gathers before it plans; none where it may write nothing.
fn gather(scenario: &Scenario, world: &World, number: usize, unseen: Mask, silent: Mask) -> Option<Sight> {
    let owner = scenario.operators[number];
    // The other control cluster wants the first goal, for ever.
    let goal = if owner == 0 { world.goal } else { 0 };
    let epoch = u8::try_from(world.goal).unwrap() + 1;
    let (mut anchor, mut foreign, mut known) = (Anchor::default(), Mask::default(), false);
    for (placement, anchored) in world.anchors.iter().enumerate() {
        let remembered = &anchored.anchor;
        if unseen.has(placement) || remembered.epoch == 0 {
            continue;
        }
        if remembered.owner != owner && scenario.guards.owner {
            foreign.insert(placement);
            continue;
        }
        if remembered.epoch > epoch && scenario.guards.epoch {
            return None;
        }
        anchor.join(remembered).ok()?;
        known = true;
    }
    if !known && scenario.guards.first_sight && !(unseen.is_empty() && foreign.is_empty()) {
        return None;
    }
    (anchor.epoch, anchor.owner) = (epoch, owner);
    let mut hidden = silent;
    for placement in unseen.or(foreign).iter() {
        hidden = hidden.or(scenario.slots_in(placement));
    }
    let servers = world.servers.iter().map(|server| Server { log: server.log.outline(), ..*server }).collect();
    Some(Sight { goal, anchor, unseen, foreign, hidden, isolated: world.isolated, servers })
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
        let newest = usize::from(self.history.epoch.max(1)) - 1;
        if behind && scenario.want(newest, usize::from(*slot)).is_some() {
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

impl Planned {
    fn of(scenario: &Scenario, plan: &Plan) -> Self {
        let mut planned = Self { records: Vec::new(), deed: None, ready: plan.ready() };
        for step in &plan.steps {
            match step.action.executor() {
                Executor::Anchor => planned.records.extend(record(scenario, step)),
                Executor::Kubernetes | Executor::Wire => {
                    assert!(planned.deed.is_none(), "two steps at once: {:#?}", plan.steps);
                    planned.deed = deed(scenario, step);
                }
            }
        }
        planned
    }

    /// Nothing is done.
    pub(crate) fn silent(&self) -> bool {
        self.records.is_empty() && self.deed.is_none()
    }
}

fn small(number: u32) -> u8 {
    u8::try_from(number).unwrap()
}

fn record(scenario: &Scenario, step: &Step) -> Option<Record> {
    let member = |pod, id: &MemberId, initialized| {
        Record::Member(scenario.slot_of(pod), Remembered { id: Some(small(id.0)), initialized })
    };
    match &step.action {
        Action::RecordSeed { pod, member_id } => Some(Record::Seed(scenario.slot_of(pod), small(member_id.0))),
        Action::ReserveMemberId { pod, member_id } => Some(member(pod, member_id, false)),
        Action::MarkInitialized { pod, member_id } => Some(member(pod, member_id, true)),
        Action::ForgetMember { pod } => Some(Record::Forget(scenario.slot_of(pod))),
        _ => None,
    }
}

/// What a step does to servers and pods. Steps of sharding do nothing to a replica set.
fn deed(scenario: &Scenario, step: &Step) -> Option<Deed> {
    let slot = |pod: &PodName| u8::try_from(scenario.slot_of(pod)).unwrap();
    let reconfig = |change: &Change, edit| {
        Some(Deed::Reconfig(Reconfig {
            via: slot(&change.via),
            base: Stamp { term: change.base.term as u8, version: change.base.version as u8 },
            slot: u8::try_from(scenario.slot_at(&change.host)).unwrap(),
            id: small(change.id.0),
            edit,
        }))
    };
    let tags = |change: &Change, tags| scenario.tags_number(scenario.slot_at(&change.host), tags);
    match &step.action {
        Action::Initiate { seed, member, .. } => {
            let (id, priority) = (small(member.id.0), 2 * small(member.priority));
            Some(Deed::Initiate { seed: slot(seed), id, priority })
        }
        Action::CreateUsers { via } => Some(Deed::CreateUsers { via: slot(via) }),
        Action::AddMember { change, member } => {
            let (votes, priority, hidden) = (member.votes > 0, 2 * small(member.priority), member.hidden);
            reconfig(change, Edit::Add { votes, priority, hidden, tags: tags(change, &member.tags) })
        }
        Action::Promote { change } => reconfig(change, Edit::Vote(true)),
        Action::Demote { change } => reconfig(change, Edit::Vote(false)),
        Action::SetPriority { change, priority } => reconfig(change, Edit::Priority(2 * small(*priority))),
        Action::LowerPriority { change } => reconfig(change, Edit::Priority(LOWERED)),
        Action::SetTags { change, tags: wanted } => reconfig(change, Edit::Tags(tags(change, wanted))),
        Action::SetHidden { change, hidden } => reconfig(change, Edit::Hidden(*hidden)),
        Action::RemoveMember { change } => reconfig(change, Edit::Remove),
        Action::StepDown { pod } => Some(Deed::StepDown { slot: slot(pod) }),
        Action::RestartPod { pod, uid } => Some(Deed::Restart { slot: slot(pod), facts: uid.parse().unwrap() }),
        _ => None,
    }
}

impl Sight {
    fn topology(&self, scenario: &Scenario, goal: &Goal) -> Topology {
        let mut topology = Topology::default();
        let set = &goal.sets[0];
        for pod in set.members.iter().map(|m| &m.pod).chain(set.leaving.iter().map(|m| &m.pod)) {
            let slot = scenario.slot_of(pod);
            let server = &self.servers[slot];
            let answer = if server.up() && !self.hidden.has(slot) {
                Observed::Reachable(self.answer(scenario, slot))
            } else {
                Observed::Unreachable { reason: "no answer".to_owned(), since: NOW - 1 }
            };
            let seen = MemberObservation { pod: self.pod(scenario, slot), server: answer, observed_at: NOW };
            topology.members.insert(pod.clone(), seen);
        }
        topology
    }

    fn pod(&self, scenario: &Scenario, slot: usize) -> kogge_mongo::Pod {
        let server = &self.servers[slot];
        if self.unseen.has(scenario.slots[slot]) {
            return kogge_mongo::Pod::Unknown { reason: "its worker was not observed".to_owned() };
        }
        // What another control cluster holds under this name is not ours.
        if server.pod == Pod::Absent || self.foreign.has(scenario.slots[slot]) {
            return kogge_mongo::Pod::Absent;
        }
        kogge_mongo::Pod::Present(PodFacts {
            uid: server.facts.to_string(),
            running: server.up(),
            ready: server.up(),
            terminating: false,
            revision: Some(if server.outdated { "old" } else { "new" }.to_owned()),
            target_revision: Some("new".to_owned()),
            resolves_everywhere: true,
            held: (server.pod == Pod::Gated)
                .then(|| Hold { lost_disk: true, message: "its disk is empty".to_owned() }),
        })
    }

    fn answer(&self, scenario: &Scenario, slot: usize) -> ServerState {
        let server = &self.servers[slot];
        let users = server.synced && server.log.users();
        let access = if users { Access::Granted } else { Access::NoUsers };
        let Some(config) = &server.config else {
            return ServerState { hello: Hello::default(), access, replication: Replication::Uninitialized };
        };
        if !config.lists(slot) {
            let config = users.then(|| repl_config(scenario, config));
            return ServerState { hello: Hello::default(), access, replication: Replication::Removed { config } };
        }
        let heard = config.listed();
        let status = ReplStatus {
            set: SetName::new(SET),
            my_state: self.state(slot),
            term: server.term.into(),
            members: heard.iter().map(|other| self.heard(scenario, slot, other, config)).collect(),
            initial_sync: (!server.synced).then_some(InitialSync { percent: None }),
            oplog_bytes: None,
        };
        ServerState {
            hello: Hello {
                set_name: Some(SET.to_owned()),
                writable_primary: server.primary,
                primary: server.primary.then(|| scenario.host(slot).to_string()),
                me: Some(scenario.host(slot).to_string()),
                max_wire_version: None,
            },
            replication: Replication::Member { status, config: users.then(|| repl_config(scenario, config)) },
            access,
        }
    }

    fn state(&self, slot: usize) -> MemberState {
        let server = &self.servers[slot];
        match &server.config {
            None => MemberState::Startup,
            Some(config) if !config.lists(slot) => MemberState::Removed,
            Some(_) if !server.synced => MemberState::Startup2,
            Some(_) if server.primary => MemberState::Primary,
            Some(_) => MemberState::Secondary,
        }
    }

    /// One member as another one hears it.
    fn heard(&self, scenario: &Scenario, by: usize, other: usize, config: &Config) -> StatusMember {
        let (a, b) = (scenario.slots[by], scenario.slots[other]);
        let connected = a == b || self.isolated.is_none_or(|cut| a != cut && b != cut);
        let server = &self.servers[other];
        let up = connected && server.up();
        let applied = 1_000_000 + ENTRY_MS * server.log.len() as i64;
        StatusMember {
            id: MemberId(config.members[other].map_or(0, |listed| listed.id).into()),
            host: scenario.host(other),
            state: if up { self.state(other) } else { MemberState::Down },
            up,
            optime_ms: Some(applied).filter(|_| up && server.synced),
            uptime_secs: 1_000,
            optime: None,
            overdue: false,
        }
    }
}

fn repl_config(scenario: &Scenario, config: &Config) -> ReplConfig {
    let listed = config.members.iter().enumerate();
    ReplConfig {
        set: SetName::new(SET),
        stamp: ConfigStamp { version: config.stamp.version.into(), term: config.stamp.term.into() },
        members: listed.filter_map(|(slot, listed)| Some(config_member(scenario, slot, (*listed)?))).collect(),
        replica_set_id: Some(config.history.to_string()),
    }
}

fn config_member(scenario: &Scenario, slot: usize, listed: Listed) -> ConfigMember {
    let tags: BTreeMap<String, String> =
        scenario.tag_sets(slot).get(usize::from(listed.tags)).cloned().unwrap_or_default();
    ConfigMember {
        id: MemberId(listed.id.into()),
        host: scenario.host(slot),
        votes: listed.votes.into(),
        priority: f64::from(listed.priority) / 2.0,
        hidden: listed.hidden,
        arbiter: false,
        tags,
    }
}
