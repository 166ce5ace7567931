//! What an operator sees of the world: the anchors that it reaches, and the topology with every server's answer.

use std::collections::BTreeMap;

use kogge_api::gate::{Disk, Hold, HoldReason, Report};
use kogge_mongo::{
    Access, ConfigMember, ConfigStamp, Goal, Hello, InitialSync, MemberId, MemberObservation, MemberState,
    OBSERVATIONS_TO_BELIEVE, PodFacts, ReplConfig, ReplStatus, Replication, Server as Observed, ServerState,
    SetName, StatusMember, Topology,
};

use crate::anchors::Anchor;
use crate::protocol::{Config, Listed, Mask, Pod, Server};
use crate::scenario::{SET, Scenario};
use crate::world::World;

pub(crate) const NOW: u64 = 1_000_000;
/// What one entry counts for in lag: two entries behind is small, three is not.
const ENTRY_MS: i64 = 4_500;

/// Everything that a plan depends on.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Sight {
    pub(crate) goal: usize,
    pub(crate) anchor: Anchor,
    pub(crate) unseen: Mask,
    /// Placements that another control cluster holds.
    pub(crate) foreign: Mask,
    pub(crate) hidden: Mask,
    isolated: Option<usize>,
    servers: Vec<Server>,
}

/// What an operator gathers before it plans; none where it may write nothing.
pub(crate) fn gather(
    scenario: &Scenario,
    world: &World,
    number: usize,
    unseen: Mask,
    silent: Mask,
) -> Option<Sight> {
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

impl Sight {
    pub(crate) fn topology(&self, scenario: &Scenario, goal: &Goal) -> Topology {
        let mut topology = Topology::default();
        let set = &goal.sets[0];
        for pod in set.members.iter().map(|m| &m.pod).chain(set.leaving.iter().map(|m| &m.pod)) {
            let slot = scenario.slot_of(pod);
            let server = &self.servers[slot];
            let answer = if server.answers() && !taken_for_empty(scenario, server) && !self.hidden.has(slot) {
                Observed::Reachable(self.answer(scenario, slot))
            } else {
                Observed::Unreachable { reason: "no answer".to_owned(), since: NOW - 1 }
            };
            let pod_seen = self.pod(scenario, slot);
            let seen = MemberObservation {
                pod: pod_seen,
                server: answer,
                observed_at: NOW,
                in_a_row: OBSERVATIONS_TO_BELIEVE,
            };
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
            running: server.answers(),
            ready: server.answers(),
            terminating: false,
            revision: Some(if server.outdated { "old" } else { "new" }.to_owned()),
            target_revision: Some("new".to_owned()),
            resolves_everywhere: true,
            gate: gate(scenario, server),
        })
    }

    fn answer(&self, scenario: &Scenario, slot: usize) -> ServerState {
        let server = &self.servers[slot];
        let users = server.synced && server.log.users();
        let access = if users { Access::Granted } else { Access::NoUsers };
        let Some(config) = server.config.as_ref().filter(|_| server.up()) else {
            return ServerState { hello: Hello::default(), access, replication: Replication::Starting };
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
            kept_ranges: None,
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
            uptime_secs: Some(1_000),
            optime: None,
            answered_ms_ago: None,
        }
    }
}

/// What the gate saw at the server's start; none while the container is not started again.
fn gate(scenario: &Scenario, server: &Server) -> Option<Report> {
    let message = "as the model says".to_owned();
    match server.pod {
        Pod::Absent | Pod::Crashed => None,
        Pod::Gated => Some(Report::Held(Hold { reason: HoldReason::LostDisk, message })),
        Pod::Starting if taken_for_empty(scenario, server) => {
            Some(Report::Held(Hold { reason: HoldReason::LostDisk, message }))
        }
        Pod::Running | Pod::Starting => {
            let disk = if server.config.is_some() { Disk::Data } else { Disk::Empty };
            Some(Report::Open { disk, message })
        }
    }
}

/// The guard is dropped by which a server's 94 says nothing about its disk.
fn taken_for_empty(scenario: &Scenario, server: &Server) -> bool {
    server.pod == Pod::Starting && !scenario.guards.starting_is_not_empty
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
