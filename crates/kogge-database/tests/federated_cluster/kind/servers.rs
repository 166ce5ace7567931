//! The servers in the pods: a replica set as the engine's planner sees it, which refuses what a server would.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use kogge_api::anchor::mongodb::Record;
use kogge_api::gate::{Disk as OnDisk, Hold, HoldReason, Report};
use kogge_mongo::{
    Access, Action, Change, ConfigMember, ConfigStamp, Hello, Host, InitialSync, LOWERED_PRIORITY,
    MemberObservation, MemberState, NewMember, OpTime, Pod, PodName, ReplConfig, ReplStatus, Replication,
    RouterObservation, RouterServer, Server, ServerState, SetName, SetRole, ShardEntry, StatusMember, Step,
    Topology, majority,
};

use super::routers::Routers;
use crate::world::{Question, Running};

/// What a member's volume holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Disk {
    Syncing,
    Synced,
}

/// Every server of the database, in all data centres.
#[derive(Default)]
pub(crate) struct Servers {
    sets: BTreeMap<SetName, Set>,
    /// The servers that have loaded their configs, with the UIDs of their pods. A server that has just started has not,
    /// whatever is on its disk.
    loaded: BTreeMap<PodName, String>,
    /// The pods whose servers have been started on their volumes: these are not empty.
    started: BTreeSet<PodName>,
    /// What Kogge saw last.
    before: RefCell<Option<Topology>>,
    /// What the routers say and do.
    pub(crate) routers: Routers,
}

#[derive(Default)]
struct Set {
    config: Option<ReplConfig>,
    primary: Option<PodName>,
    term: i64,
    users: bool,
    /// Volumes with data, by pod.
    disks: BTreeMap<PodName, Disk>,
    /// Members that run and do not catch up.
    behind: BTreeSet<PodName>,
    stepped_down: Option<PodName>,
}

impl Servers {
    pub(crate) fn config(&self, set: &str) -> &ReplConfig {
        self.sets[set].config.as_ref().unwrap()
    }

    pub(crate) fn primary(&self, set: &str) -> &PodName {
        self.sets[set].primary.as_ref().unwrap()
    }

    pub(crate) fn has_config(&self, set: &str) -> bool {
        self.sets.get(set).is_some_and(|set| set.config.is_some())
    }

    pub(crate) fn set_names(&self) -> impl Iterator<Item = &SetName> {
        self.sets.keys()
    }

    /// The hosts that vote, by set.
    pub(crate) fn voters(&self, set: &str) -> BTreeSet<String> {
        self.config(set).voters().map(|member| member.host.to_string()).collect()
    }

    /// Empties the volumes of a set.
    pub(crate) fn wipe(&mut self, set: &str) {
        self.sets.remove(set);
    }

    /// Empties the volume of a member.
    pub(crate) fn lose_disk(&mut self, pod: &PodName) {
        self.started.remove(pod);
        for set in self.sets.values_mut() {
            set.disks.remove(pod);
        }
    }

    /// Lets no member in that pod catch up with its set, or lets it again.
    pub(crate) fn keep_behind(&mut self, pod: &str, behind: bool) {
        let pod = PodName::from(pod);
        for set in self.sets.values_mut().filter(|set| set.disks.contains_key(&pod)) {
            if behind {
                set.behind.insert(pod.clone())
            } else {
                set.behind.remove(&pod)
            };
        }
    }

    /// Whether a member's volume holds the set's data.
    pub(crate) fn holds_data(&self, pod: &str) -> bool {
        self.sets.values().any(|set| set.disks.get(&PodName::from(pod)) == Some(&Disk::Synced))
    }

    /// Whether every set that was initiated has a primary.
    pub(crate) fn serve(&self) -> bool {
        self.sets.values().all(|set| set.config.is_none() || set.primary.is_some())
    }

    /// The pods that are members, as those say that decide.
    pub(crate) fn members(&self) -> BTreeSet<String> {
        let sets = self
            .sets
            .iter()
            .filter(|(name, _)| !name.as_str().contains("shard") || self.routers.lists(name.as_str()));
        let configs = sets.filter_map(|(_, set)| set.config.as_ref());
        configs.flat_map(|config| &config.members).map(|member| pod_of(&member.host).to_string()).collect()
    }

    /// The pods that vote, by set.
    pub(crate) fn votes(&self) -> BTreeMap<String, BTreeSet<String>> {
        let sets = self.sets.iter().filter(|(_, set)| set.config.is_some());
        sets.map(|(name, set)| {
            (name.to_string(), set.votes().iter().map(|host| pod_of(host).to_string()).collect())
        })
        .collect()
    }

    /// What the gate sees on a member's disk.
    pub(crate) fn look(&mut self, pod: &PodName, _uid: &str, record: &Record) -> Report {
        let known = record.members.get(pod.as_str()).is_some_and(|member| member.initialized);
        let empty = !self.started.contains(pod);
        if empty && known {
            return Report::Held(Hold { reason: HoldReason::LostDisk, message: "the disk is empty".to_owned() });
        }
        self.started.insert(pod.clone());
        let disk = match (empty, known) {
            (true, _) => OnDisk::Empty,
            (false, true) => OnDisk::Data,
            (false, false) => OnDisk::Unused,
        };
        Report::Open { disk, message: "as its anchor says".to_owned() }
    }

    /// Whether a member that runs is ready: its probe asks no more than whether it listens.
    pub(crate) fn are_ready(&self, pod: &PodName) -> bool {
        self.started.contains(pod)
    }

    pub(crate) fn observe(&self, question: &Question<'_>) -> Topology {
        let mut topology = Topology::default();
        let Question { goal, pods, reached, running, now } = *question;
        for set in &goal.sets {
            let wanted = set.members.iter().map(|m| (&m.pod, &m.host));
            for (pod, host) in wanted.chain(set.leaving.iter().map(|m| (&m.pod, &m.host))) {
                let server = if reached.contains(pod) {
                    let state = self.sets.get(&set.name);
                    Server::Reachable(state.filter(|_| self.loaded.contains_key(pod)).map_or_else(
                        || starting(state.is_some_and(|s| s.users && s.disks.contains_key(pod))),
                        |s| s.answer(&set.name, pod, host, running),
                    ))
                } else {
                    Server::Unreachable { reason: "no answer".to_owned(), since: 0 }
                };
                let unknown = || Pod::Unknown { reason: "its worker was not observed".to_owned() };
                let pod_facts = pods.get(pod).cloned().unwrap_or_else(unknown);
                let seen = MemberObservation { pod: pod_facts, server, observed_at: now, in_a_row: 1 };
                topology.members.insert(pod.clone(), seen);
            }
        }
        let config_servers = goal.sets.iter().find(|set| set.role == SetRole::Config).map(|set| &set.name);
        let serves = config_servers.and_then(|n| self.sets.get(n)).is_some_and(|s| s.users && s.primary.is_some());
        for router in &goal.routers {
            let server = if serves && reached.contains(&router.pod) {
                self.routers.answer()
            } else {
                RouterServer::Unreachable { reason: "no answer".to_owned() }
            };
            topology.routers.insert(router.pod.clone(), RouterObservation { server, observed_at: now });
        }
        let mut before = self.before.borrow_mut();
        let topology = topology.after(before.as_ref());
        *before = Some(topology.clone());
        topology
    }

    /// Carries a step out, and panics where it must never have been planned.
    pub(crate) fn take(&mut self, step: &Step) {
        let set = self.sets.entry(step.set.clone()).or_default();
        let before = set.votes();
        match &step.action {
            Action::Initiate { seed, member, .. } => {
                assert!(set.config.is_none(), "{} was initiated twice", step.set);
                set.config = Some(ReplConfig {
                    set: step.set.clone(),
                    stamp: ConfigStamp { version: 1, term: 0 },
                    members: vec![listed(member)],
                    replica_set_id: None,
                });
                set.disks.insert(seed.clone(), Disk::Synced);
            }
            Action::CreateUsers { via } => {
                assert_eq!(set.primary.as_ref(), Some(via));
                set.users = true;
            }
            Action::AddMember { change, member } => {
                assert_eq!((member.votes, member.priority), (0, 0), "joined with a vote");
                let config = set.reconfigure(change);
                assert!(config.members.iter().all(|m| m.id != member.id), "an _id was used twice");
                config.members.push(listed(member));
            }
            Action::Promote { change } => {
                assert_eq!(set.disks.get(&pod_of(&change.host)), Some(&Disk::Synced), "promoted without the data");
                set.changed(change).votes = 1;
            }
            Action::SetPriority { change, priority } => set.changed(change).priority = f64::from(*priority),
            Action::LowerPriority { change } => set.changed(change).priority = LOWERED_PRIORITY,
            Action::SetTags { change, tags } => set.changed(change).tags = tags.clone(),
            Action::SetHidden { change, hidden } => set.changed(change).hidden = *hidden,
            Action::SetHost { change, to, .. } => set.changed(change).host = to.clone(),
            Action::Demote { change } => {
                let member = set.changed(change);
                (member.votes, member.priority) = (0, 0.0);
            }
            Action::RemoveMember { change } => {
                assert_eq!(set.changed(change).votes, 0, "removed with a vote");
                set.config.as_mut().unwrap().members.retain(|m| m.id != change.id);
            }
            Action::StepDown { pod } => {
                assert_eq!(set.primary.take().as_ref(), Some(pod), "stepped down what is no primary");
                set.stepped_down = Some(pod.clone());
            }
            Action::ForceReconfig { base, lost, .. } => {
                assert_eq!(set.primary, None, "forced beside a primary");
                let config = set.config.as_mut().unwrap();
                assert_eq!(config.stamp, *base, "forced on another config than was approved");
                config.stamp = ConfigStamp { version: base.version + 10_000, term: -1 };
                config.members.retain(|m| !lost.iter().any(|lost| lost.id == m.id));
                return;
            }
            Action::AddShard { hosts, .. } => {
                let hosts: Vec<&str> = hosts.iter().map(Host::as_str).collect();
                let host = format!("{}/{}", step.set, hosts.join(","));
                self.routers.add_shard(ShardEntry { name: step.set.to_string(), host, draining: false });
            }
            Action::Sharding { step } => {
                self.routers.take(step);
                return;
            }
            other => panic!("{} is not for a server", other.name()),
        }
        let after = self.sets[&step.set].votes();
        assert!(before.symmetric_difference(&after).count() <= 1, "more than one voter changed: {step}");
    }

    /// Members sync, and primaries are elected, among the servers that have run since the second before.
    pub(crate) fn tick(&mut self, running: &BTreeMap<PodName, Running>) {
        self.loaded.retain(|pod, uid| running.get(pod).is_some_and(|runs| runs.uid() == uid));
        let loaded: BTreeSet<PodName> = self.loaded.keys().cloned().collect();
        for set in self.sets.values_mut() {
            set.tick(&loaded);
        }
        self.loaded.extend(running.iter().map(|(pod, runs)| (pod.clone(), runs.uid().to_owned())));
    }

    /// A server ends and is started again in its pod.
    pub(crate) fn restarted(&mut self, pod: &PodName) {
        self.loaded.remove(pod);
    }
}

impl Set {
    fn votes(&self) -> BTreeSet<Host> {
        self.config.iter().flat_map(ReplConfig::voters).map(|m| m.host.clone()).collect()
    }

    fn reconfigure(&mut self, change: &Change) -> &mut ReplConfig {
        assert_eq!(self.primary.as_ref(), Some(&change.via), "not the primary");
        let config = self.config.as_mut().unwrap();
        assert_eq!(config.stamp, change.base, "planned on another config");
        config.stamp.version += 1;
        config
    }

    fn changed(&mut self, change: &Change) -> &mut ConfigMember {
        let members = &mut self.reconfigure(change).members;
        members.iter_mut().find(|m| m.id == change.id && m.host == change.host).unwrap()
    }

    fn tick(&mut self, running: &BTreeSet<PodName>) {
        let Some(config) = &mut self.config else { return };
        for (pod, votes) in config.members.iter().map(|member| (pod_of(&member.host), member.votes)) {
            if !running.contains(&pod) {
                continue;
            }
            assert!(votes == 0 || self.disks.get(&pod) == Some(&Disk::Synced), "{pod} votes and has no data");
            self.disks.entry(pod).and_modify(|disk| *disk = Disk::Synced).or_insert(Disk::Syncing);
        }
        let healthy = |pod: &PodName| {
            running.contains(pod) && self.disks.get(pod) == Some(&Disk::Synced) && !self.behind.contains(pod)
        };
        let voters: Vec<(PodName, f64)> = config.voters().map(|m| (pod_of(&m.host), m.priority)).collect();
        let up = voters.iter().filter(|(pod, _)| healthy(pod)).count();
        if up < majority(voters.len()) {
            self.primary = None;
        } else if !self.primary.as_ref().is_some_and(healthy) {
            let heirs =
                voters.iter().filter(|(pod, priority)| *priority > 0.0 && healthy(pod)).map(|(pod, _)| pod);
            self.primary = heirs.filter(|pod| self.stepped_down.as_ref() != Some(*pod)).min().cloned();
            self.stepped_down = None;
            if self.primary.is_some() {
                self.term += 1;
                config.stamp.term = self.term;
            }
        }
    }

    fn answer(&self, name: &SetName, pod: &PodName, host: &Host, running: &BTreeSet<PodName>) -> ServerState {
        let has_data = self.disks.contains_key(pod);
        let access = if self.users && has_data { Access::Granted } else { Access::NoUsers };
        let Some(config) = self.config.as_ref().filter(|c| has_data && c.by_host(host).is_some()) else {
            let replication = if has_data { Replication::Removed { config: None } } else { Replication::Starting };
            return ServerState { hello: Hello::default(), access, replication };
        };
        let status = ReplStatus {
            set: name.clone(),
            my_state: self.state(pod),
            term: self.term,
            members: config.members.iter().map(|member| self.heard(member, running)).collect(),
            initial_sync: (self.disks.get(pod) == Some(&Disk::Syncing)).then_some(InitialSync { percent: None }),
            oplog_bytes: None,
            kept_ranges: None,
        };
        let readable = (access == Access::Granted).then(|| config.clone());
        ServerState {
            hello: Hello {
                set_name: Some(name.to_string()),
                writable_primary: self.primary.as_ref() == Some(pod),
                primary: self.primary.as_ref().map(ToString::to_string),
                me: Some(host.to_string()),
                max_wire_version: Some(21),
            },
            replication: Replication::Member { status, config: readable },
            access,
        }
    }

    fn heard(&self, member: &ConfigMember, running: &BTreeSet<PodName>) -> StatusMember {
        let pod = pod_of(&member.host);
        let up = running.contains(&pod);
        StatusMember {
            id: member.id,
            host: member.host.clone(),
            state: if up { self.state(&pod) } else { MemberState::Down },
            up,
            optime_ms: up.then_some(0),
            optime: up.then_some(OpTime { term: self.term, seconds: 1, increment: 1 }),
            uptime_secs: Some(60),
            answered_ms_ago: None,
        }
    }

    fn state(&self, pod: &PodName) -> MemberState {
        match self.disks.get(pod) {
            None => MemberState::Startup,
            Some(Disk::Syncing) => MemberState::Startup2,
            Some(Disk::Synced) if self.behind.contains(pod) => MemberState::Recovering,
            Some(Disk::Synced) if self.primary.as_ref() == Some(pod) => MemberState::Primary,
            Some(Disk::Synced) => MemberState::Secondary,
        }
    }
}

/// A server that has loaded no config; it knows its users by then.
fn starting(users: bool) -> ServerState {
    let access = if users { Access::Granted } else { Access::NoUsers };
    ServerState { hello: Hello::default(), access, replication: Replication::Starting }
}

fn listed(member: &NewMember) -> ConfigMember {
    ConfigMember {
        id: member.id,
        host: member.host.clone(),
        votes: member.votes,
        priority: f64::from(member.priority),
        hidden: member.hidden,
        arbiter: false,
        tags: member.tags.clone(),
    }
}

/// The pod behind a host: the first label of its name.
fn pod_of(host: &Host) -> PodName {
    PodName::new(host.as_str().split('.').next().unwrap())
}
