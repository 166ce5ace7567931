//! A small world of replica sets: it answers observations, carries steps out as a server would, and
//! refuses what a server would refuse.

mod member;
mod set;

use std::collections::{BTreeMap, BTreeSet};

use kogge_mongo::{
    Action, ClusterState, ConfigStamp, Goal, Host, LOWERED_PRIORITY, LeavingMember, MemberAnchor, MemberGoal,
    MemberId, MemberObservation, MemberRole, Millis, OBSERVATIONS_TO_BELIEVE, Placement, Plan, Pod, PodName,
    Recovery, ReplConfig, RouterGoal, RouterObservation, RouterServer, Server, SetGoal, SetName, SetRole,
    ShardEntry, Step, Topology, Turns, Vdc, majority, plan,
};

use member::pod_of;
pub(crate) use member::{Disk, Member};
pub(crate) use set::{Set, config_member, hold_an_older_config};

pub(crate) const SHARD: &str = "ll-shard-0-7f3k2m9q";

/// A placement of a shape: its name, how many members per set, and their role.
pub(crate) type Share = (&'static str, u32, MemberRole);

#[derive(Clone, Debug)]
pub(crate) struct World {
    pub(crate) goal: Goal,
    pub(crate) members: BTreeMap<PodName, Member>,
    pub(crate) sets: BTreeMap<SetName, Set>,
    pub(crate) shards: Vec<ShardEntry>,
    pub(crate) cluster: ClusterState,
    pub(crate) revision: String,
    /// Servers start through the gate.
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

    /// Only the server's container is started again: its gate looks at the disk as it is now.
    pub(crate) fn restart_container(&mut self, pod: &str) {
        let held_data = self.wanted(pod).anchor.initialized;
        self.member(pod).start(held_data);
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

    /// Plans and carries out until the world is as it is asked for.
    pub(crate) fn run_until(&mut self, reached: impl Fn(&Self) -> bool) {
        for _ in 0..200 {
            if reached(self) {
                return;
            }
            self.run(1);
        }
        panic!("not reached: {:#?}", self.plan());
    }

    /// Carries out what is planned, for so many rounds, whether or not anything settles. Returns the steps taken.
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
            member.starting = false;
            if matches!(member.pod, Pod::Absent) {
                *member = Member { disk: member.disk, ..Member::fresh(member.host.clone(), &self.revision) };
                let wanted = self.goal.sets.iter().find_map(|set| set.member_by_host(&member.host));
                member.start(self.gates && wanted.is_some_and(|m| m.anchor.initialized));
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
                let seen = MemberObservation {
                    pod: member.pod.clone(),
                    server,
                    observed_at: self.now,
                    in_a_row: OBSERVATIONS_TO_BELIEVE,
                };
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
            Action::ReserveMemberId { pod, member_id, .. } => goal.reserve(pod, *member_id),
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
                let may_lead = set.config.iter().flat_map(ReplConfig::voters).filter(|m| m.priority > 0.0).count();
                assert_ne!(set.primary.as_ref().filter(|_| may_lead > 1), Some(pod), "restarted a primary");
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
