//! A small world of replica sets: it answers observations, carries steps out as a server would, and
//! refuses what a server would refuse.

use std::collections::{BTreeMap, BTreeSet};

use kogge_mongo::{
    Access, Action, Change, ClusterState, ConfigMember, ConfigStamp, Goal, Hello, Hold, Host, InitialSync,
    LOWERED_PRIORITY, LeavingMember, MemberAnchor, MemberGoal, MemberId, MemberObservation, MemberRole,
    MemberState, Millis, OpTime, Placement, Plan, Pod, PodFacts, PodName, Recovery, ReplConfig, ReplStatus,
    Replication, RouterGoal, RouterObservation, RouterServer, Server, ServerState, SetGoal, SetName, SetRole,
    ShardEntry, StatusMember, Step, Topology, Turns, Vdc, majority, plan,
};

pub(crate) const SHARD: &str = "ll-shard-0-7f3k2m9q";

/// A placement of a shape: its name, how many members per set, and their role.
pub(crate) type Share = (&'static str, u32, MemberRole);

/// What a member's disk holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Disk {
    Empty,
    Syncing,
    Synced,
}

#[derive(Clone, Debug)]
pub(crate) struct Member {
    pub(crate) host: Host,
    /// Another name that leads to it.
    pub(crate) also: Option<Host>,
    pub(crate) disk: Disk,
    pub(crate) pod: Pod,
    /// Its process answers; the worker's API may not.
    pub(crate) up: bool,
    /// The operator reaches it.
    pub(crate) reachable: bool,
    /// A state that it claims instead of the one that follows from its disk.
    pub(crate) state: Option<MemberState>,
    pub(crate) lag_ms: i64,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Set {
    pub(crate) config: Option<ReplConfig>,
    pub(crate) primary: Option<PodName>,
    pub(crate) term: i64,
    pub(crate) users: bool,
    /// May not become primary for now: it stepped down.
    pub(crate) stepped_down: Option<PodName>,
}

#[derive(Clone, Debug)]
pub(crate) struct World {
    pub(crate) goal: Goal,
    pub(crate) members: BTreeMap<PodName, Member>,
    pub(crate) sets: BTreeMap<SetName, Set>,
    pub(crate) shards: Vec<ShardEntry>,
    pub(crate) cluster: ClusterState,
    pub(crate) revision: String,
    /// Pods have a gate.
    pub(crate) gates: bool,
    pub(crate) now: Millis,
}

pub(crate) fn voters(shape: &[(&'static str, u32)]) -> Vec<Share> {
    shape.iter().map(|(name, n)| (*name, *n, MemberRole::Voter)).collect()
}

impl World {
    /// One shard, all pods running with empty disks.
    pub(crate) fn shard(shape: &[(&'static str, u32)]) -> Self {
        let mut world = Self {
            goal: Goal {
                cluster: "ll".to_owned(),
                sets: Vec::new(),
                routers: vec![RouterGoal { pod: "ll-mongos-vdc1-x".into(), placement: "vdc1".into() }],
                unseen: BTreeMap::new(),
                rollout_order: Vec::new(),
                away_from: BTreeSet::new(),
                rolling: false,
                balancer: Turns::default(),
                feature_compatibility_version: None,
                paused: false,
            },
            members: BTreeMap::new(),
            sets: BTreeMap::new(),
            shards: Vec::new(),
            cluster: ClusterState::default(),
            revision: "r1".to_owned(),
            gates: true,
            now: 1_000_000,
        };
        world.want(SHARD, SetRole::Shard { index: 0 }, &voters(shape));
        world
    }

    /// The same, settled.
    pub(crate) fn settled(shape: &[(&'static str, u32)]) -> Self {
        let mut world = Self::shard(shape);
        world.run_until_settled(400);
        world
    }

    /// Wants a set of this shape: new members get running pods, missing ones leave.
    pub(crate) fn want(&mut self, set: &str, role: SetRole, shares: &[Share]) {
        let name = SetName::new(set);
        let old = self.goal.sets.iter().position(|s| s.name == name).map(|at| self.goal.sets.remove(at));
        let mut goal = SetGoal {
            name: name.clone(),
            role,
            members: Vec::new(),
            leaving: Vec::new(),
            seed: None,
            next_member_id: 0,
            recovery: Recovery::default(),
            retired: false,
            removals: Turns::default(),
        };
        let base = set.rsplit_once('-').map_or(set, |(base, _)| base);
        for (placement, n, member_role) in shares {
            for ordinal in 0..*n {
                let pod = PodName::new(format!("{base}-{placement}-{ordinal}"));
                let host = Host::new(format!("{pod}.{base}.db.svc.cluster.local:27017"));
                let known = old.as_ref().and_then(|o| o.anchor_of(&pod));
                self.members.entry(pod.clone()).or_insert_with(|| Member::fresh(host.clone(), &self.revision));
                goal.members.push(MemberGoal {
                    anchor: known.unwrap_or_default(),
                    pod,
                    host,
                    placement: Placement::new(*placement),
                    vdc: Vdc::new(*placement),
                    priority: 1,
                    role: *member_role,
                });
            }
        }
        if let Some(old) = old {
            goal.seed = old.seed;
            goal.next_member_id = old.next_member_id;
            goal.recovery = old.recovery;
            (goal.retired, goal.removals) = (old.retired, old.removals);
            let kept: BTreeSet<PodName> = goal.members.iter().map(|m| m.pod.clone()).collect();
            let gone =
                old.members.into_iter().map(|m| LeavingMember { pod: m.pod, host: m.host, anchor: m.anchor });
            goal.leaving = gone.chain(old.leaving).filter(|m| !kept.contains(&m.pod)).collect();
        }
        self.sets.entry(name).or_default();
        self.goal.sets.push(goal);
    }

    pub(crate) fn reshape(&mut self, shape: &[(&'static str, u32)]) {
        self.want(SHARD, SetRole::Shard { index: 0 }, &voters(shape));
    }

    pub(crate) fn member(&mut self, pod: &str) -> &mut Member {
        self.members.get_mut(pod).unwrap()
    }

    pub(crate) fn wanted(&mut self, pod: &str) -> &mut MemberGoal {
        let members = self.goal.sets.iter_mut().flat_map(|s| &mut s.members);
        members.into_iter().find(|m| m.pod.as_str() == pod).unwrap()
    }

    /// The pod ends and its volume is emptied.
    pub(crate) fn wipe(&mut self, pod: &str) {
        let member = self.member(pod);
        (member.disk, member.pod, member.up) = (Disk::Empty, Pod::Absent, false);
    }

    pub(crate) fn set(&mut self, name: &str) -> &mut Set {
        self.sets.get_mut(name).unwrap()
    }

    pub(crate) fn config(&self, name: &str) -> &ReplConfig {
        self.sets[name].config.as_ref().unwrap()
    }

    pub(crate) fn primary(&self, name: &str) -> PodName {
        self.sets[name].primary.clone().unwrap()
    }

    pub(crate) fn plan(&self) -> Plan {
        plan(&self.goal, &self.observe(), self.now)
    }

    /// The names of the planned actions.
    pub(crate) fn actions(&self) -> Vec<&'static str> {
        self.plan().steps.iter().map(|step| step.action.name()).collect()
    }

    /// Plans, carries every step out, lets time pass; until nothing is left. Returns the steps taken.
    pub(crate) fn run_until_settled(&mut self, rounds: usize) -> Vec<Step> {
        let mut taken = Vec::new();
        for _ in 0..rounds {
            let plan = self.plan();
            if plan.ready() {
                return taken;
            }
            for step in plan.steps {
                self.apply(&step);
                taken.push(step);
            }
            self.tick();
        }
        panic!("not settled after {rounds} rounds: {:#?}", self.plan());
    }

    /// Plans and carries out, so many times, whether or not anything settles.
    pub(crate) fn run_for(&mut self, rounds: usize) {
        for _ in 0..rounds {
            for step in self.plan().steps {
                self.apply(&step);
            }
            self.tick();
        }
    }

    /// Carries out what is planned, for so many rounds. Returns the steps taken.
    pub(crate) fn run(&mut self, rounds: usize) -> Vec<Step> {
        let mut taken = Vec::new();
        for _ in 0..rounds {
            for step in self.plan().steps {
                self.apply(&step);
                taken.push(step);
            }
            self.tick();
        }
        taken
    }

    /// Pods are made, disks sync, members learn, primaries are elected.
    pub(crate) fn tick(&mut self) {
        self.now += 1_000;
        for member in self.members.values_mut() {
            if matches!(member.pod, Pod::Absent) {
                *member = Member { disk: member.disk, ..Member::fresh(member.host.clone(), &self.revision) };
                let wanted = self.goal.sets.iter().find_map(|set| set.member_by_host(&member.host));
                if self.gates && member.disk == Disk::Empty && wanted.is_some_and(|m| m.anchor.initialized) {
                    member.hold();
                }
            }
            if let Pod::Present(pod) = &mut member.pod {
                pod.target_revision = Some(self.revision.clone());
            }
        }
        for set in self.sets.values_mut() {
            set.tick(&mut self.members);
        }
        self.balance();
    }

    pub(crate) fn observe(&self) -> Topology {
        let mut topology = Topology::default();
        for set in &self.goal.sets {
            let state = &self.sets[&set.name];
            let pods = set.members.iter().map(|m| &m.pod);
            for pod in pods.chain(set.leaving.iter().map(|m| &m.pod)) {
                let member = &self.members[pod];
                let server = if member.up && member.reachable {
                    Server::Reachable(state.answer(&set.name, pod, member, &self.members))
                } else {
                    Server::Unreachable { reason: "no answer".to_owned(), since: self.now - 1 }
                };
                let seen = MemberObservation { pod: member.pod.clone(), server, observed_at: self.now };
                topology.members.insert(pod.clone(), seen);
            }
        }
        for router in &self.goal.routers {
            let server = RouterServer::Serving { shards: self.shards.clone(), cluster: self.cluster.clone() };
            topology.routers.insert(router.pod.clone(), RouterObservation { server, observed_at: self.now });
        }
        topology
    }

    /// Carries a step out as the anchors, a worker or a server would, and panics where one would refuse.
    pub(crate) fn apply(&mut self, step: &Step) {
        let goal = self.goal.sets.iter_mut().find(|s| s.name == step.set).unwrap();
        let set = self.sets.get_mut(&step.set).unwrap();
        let before = set.votes();
        let ids = set.voter_ids();
        match &step.action {
            Action::RecordSeed { pod, member_id } => {
                goal.seed = Some(pod.clone());
                goal.reserve(pod, *member_id);
            }
            Action::ReserveMemberId { pod, member_id } => goal.reserve(pod, *member_id),
            Action::MarkInitialized { pod, member_id } => {
                let member = goal.members.iter_mut().find(|m| &m.pod == pod).unwrap();
                member.anchor = MemberAnchor { member_id: Some(*member_id), initialized: true };
            }
            Action::ForgetMember { pod } => goal.leaving.retain(|m| &m.pod != pod),
            Action::FenceMember { pod, member_id } => {
                goal.recovery.fenced.insert(pod.clone(), *member_id);
                return;
            }
            Action::ForceReconfig { base, lost, .. } => {
                let config = set.config.as_mut().unwrap();
                assert_eq!(config.stamp, *base, "forced on another config than was approved");
                config.stamp = ConfigStamp { version: base.version + 10_000, term: -1 };
                config.members.retain(|m| !lost.iter().any(|lost| lost.id == m.id));
                return;
            }
            Action::Initiate { seed, member, .. } => {
                assert!(set.config.is_none(), "initiated twice");
                assert_eq!(goal.seed.as_ref(), Some(seed), "initiated before it was recorded");
                set.config = Some(ReplConfig {
                    set: step.set.clone(),
                    stamp: ConfigStamp { version: 1, term: 0 },
                    members: vec![config_member(
                        member.id,
                        &member.host,
                        1,
                        f64::from(member.priority),
                        &member.tags,
                    )],
                    replica_set_id: Some("set".to_owned()),
                });
                self.members.get_mut(seed).unwrap().disk = Disk::Synced;
            }
            Action::CreateUsers { via } => {
                assert_eq!(set.primary.as_ref(), Some(via));
                set.users = true;
            }
            Action::AddMember { change, member } => {
                assert_eq!((member.votes, member.priority), (0, 0), "joined with a vote");
                let config = set.reconfig(change);
                assert!(config.members.iter().all(|m| m.id != member.id), "an _id was used twice");
                let mut joined = config_member(member.id, &member.host, 0, 0.0, &member.tags);
                joined.hidden = member.hidden;
                config.members.push(joined);
            }
            Action::Promote { change } => {
                let pod = pod_of(&self.members, &change.host);
                assert_eq!(self.members[&pod].disk, Disk::Synced, "promoted before it held the data");
                set.changed(change).votes = 1;
            }
            Action::SetPriority { change, priority } => set.changed(change).priority = f64::from(*priority),
            Action::LowerPriority { change } => set.changed(change).priority = LOWERED_PRIORITY,
            Action::SetTags { change, tags } => set.changed(change).tags = tags.clone(),
            Action::SetHidden { change, hidden } => {
                let member = set.changed(change);
                assert!(member.priority.abs() < f64::EPSILON, "hidden with a priority");
                member.hidden = *hidden;
            }
            Action::SetHost { change, to, .. } => set.changed(change).host = to.clone(),
            Action::Demote { change } => {
                let member = set.changed(change);
                (member.votes, member.priority) = (0, 0.0);
            }
            Action::RemoveMember { change } => {
                assert_eq!(set.changed(change).votes, 0, "removed with a vote");
                let members = &mut set.config.as_mut().unwrap().members;
                members.retain(|m| m.id != change.id);
            }
            Action::StepDown { pod } => {
                assert_eq!(set.primary.take().as_ref(), Some(pod), "stepped down what is no primary");
                set.stepped_down = Some(pod.clone());
            }
            Action::RestartPod { pod, uid } => {
                assert_ne!(set.primary.as_ref().filter(|_| before.len() > 1), Some(pod), "restarted a primary");
                let member = self.members.get_mut(pod).unwrap();
                assert_eq!(member.pod.facts().map(|p| &p.uid), Some(uid));
                member.pod = Pod::Absent;
                member.up = false;
            }
            Action::AddShard { hosts, .. } => {
                let hosts: Vec<&str> = hosts.iter().map(Host::as_str).collect();
                self.shards.push(ShardEntry {
                    name: step.set.to_string(),
                    host: format!("{}/{}", step.set, hosts.join(",")),
                    draining: false,
                });
            }
            Action::Sharding { step: action } => {
                self.shard_cluster(action);
                return;
            }
        }
        if before.len() < 3 && step.action.name() == "RestartPod" {
            // A set this small cannot be restarted without losing its majority.
            return;
        }
        let ids_after = self.sets[&step.set].voter_ids();
        let after = self.sets[&step.set].votes();
        assert!(ids.symmetric_difference(&ids_after).count() <= 1, "more than one voter changed: {step}");
        let healthy = after.iter().filter(|host| self.members[&pod_of(&self.members, host)].up).count();
        assert!(after.is_empty() || healthy >= majority(after.len()), "below a majority after: {step}");
    }
}

trait Anchors {
    fn anchor_of(&self, pod: &PodName) -> Option<MemberAnchor>;
    fn reserve(&mut self, pod: &PodName, id: MemberId);
}

impl Anchors for SetGoal {
    fn anchor_of(&self, pod: &PodName) -> Option<MemberAnchor> {
        let wanted = self.members.iter().map(|m| (&m.pod, m.anchor));
        let leaving = self.leaving.iter().map(|m| (&m.pod, m.anchor));
        wanted.chain(leaving).find_map(|(known, anchor)| (known == pod).then_some(anchor))
    }

    fn reserve(&mut self, pod: &PodName, id: MemberId) {
        assert!(id.0 >= self.next_member_id, "an _id was reserved twice");
        self.next_member_id = id.0 + 1;
        let wanted = self.members.iter_mut().map(|m| (&m.pod, &mut m.anchor));
        let leaving = self.leaving.iter_mut().map(|m| (&m.pod, &mut m.anchor));
        let (_, anchor) = wanted.chain(leaving).find(|(known, _)| *known == pod).unwrap();
        *anchor = MemberAnchor { member_id: Some(id), initialized: false };
    }
}

impl Member {
    pub(crate) fn fresh(host: Host, revision: &str) -> Self {
        Self {
            host,
            also: None,
            disk: Disk::Empty,
            pod: Pod::Present(PodFacts {
                uid: "uid".to_owned(),
                running: true,
                ready: true,
                terminating: false,
                revision: Some(revision.to_owned()),
                target_revision: Some(revision.to_owned()),
                resolves_everywhere: true,
                held: None,
            }),
            up: true,
            reachable: true,
            state: None,
            lag_ms: 0,
        }
    }

    /// Its gate keeps its server from starting: the disk is empty.
    fn hold(&mut self) {
        self.up = false;
        let facts = self.facts();
        (facts.running, facts.ready) = (false, false);
        facts.held = Some(Hold { lost_disk: true, message: "LostDisk: the disk is empty".to_owned() });
    }

    fn is_at(&self, host: &Host) -> bool {
        &self.host == host || self.also.as_ref() == Some(host)
    }

    pub(crate) fn facts(&mut self) -> &mut PodFacts {
        match &mut self.pod {
            Pod::Present(facts) => facts,
            other => panic!("no pod: {other:?}"),
        }
    }
}

impl Set {
    fn voter_ids(&self) -> BTreeSet<MemberId> {
        self.config.iter().flat_map(ReplConfig::voters).map(|m| m.id).collect()
    }

    fn votes(&self) -> BTreeSet<Host> {
        let config = self.config.iter();
        config.flat_map(ReplConfig::voters).map(|m| m.host.clone()).collect()
    }

    fn reconfig(&mut self, change: &Change) -> &mut ReplConfig {
        assert_eq!(self.primary.as_ref(), Some(&change.via), "not the primary");
        let config = self.config.as_mut().unwrap();
        assert_eq!(config.stamp, change.base, "planned on another config");
        config.stamp.version += 1;
        config
    }

    fn changed(&mut self, change: &Change) -> &mut ConfigMember {
        let members = &mut self.reconfig(change).members;
        members.iter_mut().find(|m| m.id == change.id && m.host == change.host).unwrap()
    }

    fn tick(&mut self, members: &mut BTreeMap<PodName, Member>) {
        let Some(config) = &mut self.config else { return };
        for listed in &config.members {
            if let Some(member) = members.values_mut().find(|m| m.up && m.is_at(&listed.host)) {
                member.disk = match member.disk {
                    Disk::Empty => Disk::Syncing,
                    Disk::Syncing | Disk::Synced => Disk::Synced,
                };
            }
        }
        let healthy = |host: &Host| members.values().any(|m| m.up && m.disk == Disk::Synced && m.is_at(host));
        let voters: Vec<&ConfigMember> = config.voters().collect();
        let up = voters.iter().filter(|m| healthy(&m.host)).count();
        let primary_up = self.primary.as_ref().is_some_and(|pod| members[pod].up);
        if up < majority(voters.len()) {
            self.primary = None;
        } else if !primary_up {
            let electable = voters.iter().filter(|m| m.priority > 0.0 && healthy(&m.host));
            let heirs = electable.map(|m| (pod_of(members, &m.host), m.priority));
            let heirs = heirs.filter(|(pod, _)| self.stepped_down.as_ref() != Some(pod));
            let heir = heirs.min_by(|(a, high), (b, low)| low.total_cmp(high).then_with(|| a.cmp(b)));
            self.primary = heir.map(|(pod, _)| pod);
            self.stepped_down = None;
            if self.primary.is_some() {
                self.term += 1;
                config.stamp.term = self.term;
            }
        }
    }

    fn answer(
        &self,
        name: &SetName,
        pod: &PodName,
        member: &Member,
        members: &BTreeMap<PodName, Member>,
    ) -> ServerState {
        let config = self.config.as_ref().filter(|_| member.disk != Disk::Empty);
        let listed = config.and_then(|c| Some((c, c.members.iter().find(|m| member.is_at(&m.host))?)));
        let access = if self.users && listed.is_some() { Access::Granted } else { Access::NoUsers };
        let Some((config, me)) = listed else {
            let removed = member.disk != Disk::Empty;
            let replication =
                if removed { Replication::Removed { config: None } } else { Replication::Uninitialized };
            return ServerState { hello: Hello::default(), access, replication };
        };
        let primary = self.primary.as_ref() == Some(pod);
        let status = ReplStatus {
            set: name.clone(),
            my_state: self.state(pod, member),
            term: self.term,
            members: config.members.iter().map(|m| self.seen(m, members)).collect(),
            initial_sync: (member.disk == Disk::Syncing).then_some(InitialSync { percent: None }),
            oplog_bytes: None,
        };
        ServerState {
            hello: Hello {
                set_name: Some(name.to_string()),
                writable_primary: primary,
                primary: self.primary.as_ref().map(|p| members[p].host.to_string()),
                me: Some(me.host.to_string()),
                max_wire_version: Some(21),
            },
            replication: Replication::Member {
                status,
                config: Some(config.clone()).filter(|_| access == Access::Granted),
            },
            access,
        }
    }

    fn seen(&self, listed: &ConfigMember, members: &BTreeMap<PodName, Member>) -> StatusMember {
        let behind = members.iter().find(|(_, m)| m.is_at(&listed.host));
        let (up, state, lag) = match behind {
            Some((pod, member)) if member.up => (true, self.state(pod, member), member.lag_ms),
            _ => (false, MemberState::Down, 0),
        };
        let optime_ms = Some(1_000_000 - lag).filter(|_| up);
        let seconds = u32::try_from((1_000_000 - lag) / 1_000).unwrap_or(0);
        let optime = up.then_some(OpTime { term: self.term, seconds, increment: 1 });
        StatusMember {
            id: listed.id,
            host: listed.host.clone(),
            state,
            up,
            optime_ms,
            optime,
            uptime_secs: 60,
            overdue: false,
        }
    }

    fn state(&self, pod: &PodName, member: &Member) -> MemberState {
        member.state.unwrap_or(match member.disk {
            Disk::Empty => MemberState::Startup,
            Disk::Syncing => MemberState::Startup2,
            Disk::Synced if self.primary.as_ref() == Some(pod) => MemberState::Primary,
            Disk::Synced => MemberState::Secondary,
        })
    }
}

pub(crate) fn config_member(
    id: MemberId,
    host: &Host,
    votes: u32,
    priority: f64,
    tags: &BTreeMap<String, String>,
) -> ConfigMember {
    ConfigMember { id, host: host.clone(), votes, priority, hidden: false, arbiter: false, tags: tags.clone() }
}

fn pod_of(members: &BTreeMap<PodName, Member>, host: &Host) -> PodName {
    let behind = members.iter().find(|(_, m)| m.is_at(host));
    behind.map_or_else(|| PodName::new(host.as_str()), |(pod, _)| pod.clone())
}
