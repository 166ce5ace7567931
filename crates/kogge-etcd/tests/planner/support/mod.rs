//! A small world of etcd servers, never kinder than `etcd.md`: it answers observations, carries steps out as the anchors,
//! a worker or a server would, refuses what etcd refuses, and panics where a step breaks a law.

mod apply;
mod group;
mod kubelet;
mod node;
mod observe;

use std::collections::{BTreeMap, BTreeSet};

use kogge_etcd::{
    Action, ClusterId, Goal, LeavingMember, MemberAnchor, MemberGoal, MemberId, MemberRole, Millis,
    OBSERVATIONS_TO_BELIEVE, Placement, Plan, Pod, PodName, Recovery, Step, Topology, Url, Vdc, Version, plan,
};

pub(crate) use group::Group;
pub(crate) use node::{Disk, Node};

/// A placement of a shape: its name, how many members, and their role.
pub(crate) type Share = (&'static str, u32, MemberRole);

pub(crate) const V36: Version = Version::new(3, 6, 14);

#[derive(Clone, Debug)]
pub(crate) struct World {
    pub(crate) goal: Goal,
    pub(crate) nodes: BTreeMap<PodName, Node>,
    pub(crate) groups: BTreeMap<ClusterId, Group>,
    /// The revision of all templates, and the version in them.
    pub(crate) revision: String,
    pub(crate) version: Version,
    pub(crate) now: Millis,
    /// Servers tell their connections.
    pub(crate) tells_peers: bool,
    /// Somebody deletes the volumes that gates hold because their members were removed.
    pub(crate) empties_old_disks: bool,
    /// `MoveLeader` gives up after an election timeout.
    pub(crate) transfers_time_out: bool,
    /// What etcd refused, with its words.
    pub(crate) refused: Vec<String>,
    before: Option<Topology>,
    silent: BTreeMap<PodName, Millis>,
    /// Ids that a disk was written under.
    written: BTreeSet<MemberId>,
    made: u64,
}

pub(crate) fn voters(shape: &[(&'static str, u32)]) -> Vec<Share> {
    shape.iter().map(|(name, n)| (*name, *n, MemberRole::Voter)).collect()
}

pub(crate) fn pod(placement: &str, ordinal: u32) -> PodName {
    PodName::new(format!("e-{placement}-{ordinal}"))
}

impl World {
    /// All pods wanted, nothing there yet.
    pub(crate) fn new(shape: &[(&'static str, u32)]) -> Self {
        let mut world = Self {
            goal: Goal {
                database: "e".to_owned(),
                uid: "0b1c".to_owned(),
                members: Vec::new(),
                leaving: Vec::new(),
                seed: None,
                unseen: BTreeMap::new(),
                rollout_order: Vec::new(),
                rolling: false,
                away_from: BTreeSet::new(),
                max_learners: 1,
                version: V36,
                quota_bytes: 2 << 30,
                window: kogge_etcd::Window::NotSet,
                auto_compaction: true,
                recovery: Recovery::default(),
                paused: false,
            },
            nodes: BTreeMap::new(),
            groups: BTreeMap::new(),
            revision: "r1".to_owned(),
            version: V36,
            now: 1_000_000,
            tells_peers: true,
            empties_old_disks: false,
            transfers_time_out: false,
            refused: Vec::new(),
            before: None,
            silent: BTreeMap::new(),
            written: BTreeSet::new(),
            made: 0,
        };
        world.want(&voters(shape));
        world
    }

    /// The same, settled.
    pub(crate) fn settled(shape: &[(&'static str, u32)]) -> Self {
        let mut world = Self::new(shape);
        world.run_until_settled(300);
        // Connections grow old enough to count.
        assert!(world.run(8).is_empty());
        world
    }

    /// Wants this shape: new members get pods, missing ones leave.
    pub(crate) fn want(&mut self, shares: &[Share]) {
        let old = std::mem::take(&mut self.goal.members);
        let leaving = std::mem::take(&mut self.goal.leaving);
        for (placement, n, role) in shares {
            for ordinal in 0..*n {
                let pod = pod(placement, ordinal);
                let url = Url::new(format!("https://{pod}.e.db.svc:2380"));
                let anchors = old.iter().map(|m| (&m.pod, &m.anchor));
                let anchors = anchors.chain(leaving.iter().map(|m| (&m.pod, &m.anchor)));
                let anchor =
                    anchors.into_iter().find(|(known, _)| **known == pod).map(|(_, anchor)| anchor.clone());
                self.nodes.entry(pod.clone()).or_insert_with(|| Node::fresh(url.clone()));
                self.goal.members.push(MemberGoal {
                    client_url: Url::new(format!("https://{pod}.e.db.svc:2379")),
                    pod,
                    peer_url: url,
                    placement: Placement::new(*placement),
                    vdc: Vdc::new(*placement),
                    role: *role,
                    anchor: anchor.unwrap_or_default(),
                });
            }
        }
        let gone = old.into_iter().map(|m| LeavingMember {
            pod: m.pod,
            peer_url: m.peer_url,
            vdc: m.vdc,
            anchor: m.anchor,
        });
        let gone: Vec<LeavingMember> = gone.chain(leaving).collect();
        self.goal.leaving = gone.into_iter().filter(|m| self.goal.member(&m.pod).is_none()).collect();
    }

    pub(crate) fn node(&mut self, pod: &PodName) -> &mut Node {
        self.nodes.get_mut(pod).unwrap()
    }

    pub(crate) fn wanted(&mut self, pod: &PodName) -> &mut MemberGoal {
        self.goal.members.iter_mut().find(|m| &m.pod == pod).unwrap()
    }

    fn anchor_of(&self, pod: &PodName) -> MemberAnchor {
        let leaving = self.goal.leaving.iter().find(|m| &m.pod == pod).map(|m| m.anchor.clone());
        self.goal.member(pod).map(|m| m.anchor.clone()).or(leaving).unwrap_or_default()
    }

    /// The group that the anchors name.
    pub(crate) fn group(&self) -> &Group {
        &self.groups[&self.goal.seed.as_ref().unwrap().cluster_id]
    }

    pub(crate) fn group_mut(&mut self) -> &mut Group {
        let id = self.goal.seed.as_ref().unwrap().cluster_id;
        self.groups.get_mut(&id).unwrap()
    }

    pub(crate) fn leader(&self) -> PodName {
        let group = self.group();
        let leader = group.leader.unwrap();
        self.nodes.iter().find(|(_, node)| node.runs().is_some_and(|d| d.id == leader)).unwrap().0.clone()
    }

    pub(crate) fn id_of(&self, pod: &PodName) -> MemberId {
        let url = &self.nodes[pod].url;
        self.group().members().iter().find(|m| m.peer_urls.contains(url)).unwrap().id
    }

    pub(crate) fn pods(&self) -> Vec<PodName> {
        self.nodes.keys().cloned().collect()
    }

    /// The pod ends and is made again.
    pub(crate) fn kill(&mut self, pod: &PodName) {
        let node = self.node(pod);
        (node.pod, node.process) = (Pod::Absent, None);
    }

    /// The pod ends and its volume is emptied.
    pub(crate) fn wipe(&mut self, pod: &PodName) {
        self.kill(pod);
        self.node(pod).disk = Disk::Empty;
    }

    /// The vdc of a pod is lost, as its worker is: nothing of it is seen.
    pub(crate) fn lose(&mut self, pod: &PodName) {
        self.kill(pod);
        let node = self.node(pod);
        (node.lost, node.seen) = (true, false);
    }

    fn empty_old_disks(&mut self) {
        for pod in self.pods() {
            let anchor = self.anchor_of(&pod);
            let old = self.nodes[&pod].data().is_some_and(|data| anchor.removed == Some(data.id));
            if old && anchor.member_id != anchor.removed {
                self.wipe(&pod);
            }
        }
    }

    /// Looks once more, and plans.
    pub(crate) fn plan(&mut self) -> Plan {
        self.look();
        plan(&self.goal, self.before.as_ref().unwrap(), self.now)
    }

    /// What would be planned now, without a further observation of the world itself.
    pub(crate) fn plan_peek(&self) -> Vec<&'static str> {
        Self::names(&self.clone().plan().steps)
    }

    /// The operator starts again: what was observed before is forgotten.
    pub(crate) fn forget(&mut self) {
        self.before = None;
    }

    /// Looks until what is the case is believed, and plans.
    pub(crate) fn believed(&mut self) -> Plan {
        for _ in 1..OBSERVATIONS_TO_BELIEVE {
            self.look();
        }
        self.plan()
    }

    /// Plans, carries every step out, lets time pass; until nothing is left. Returns the steps taken.
    pub(crate) fn run_until_settled(&mut self, rounds: usize) -> Vec<Step> {
        let mut taken = Vec::new();
        for _ in 0..rounds {
            let plan = self.plan();
            if plan.ready() {
                return taken;
            }
            taken.extend(self.carry_out(plan));
            self.tick();
        }
        let mut plan = self.plan();
        plan.group.members.clear();
        panic!("not settled after {rounds} rounds: {plan:#?}\n{:?}", self.refused);
    }

    /// Carries out what is planned, for so many rounds, whether or not anything settles. Returns the steps taken.
    pub(crate) fn run(&mut self, rounds: usize) -> Vec<Step> {
        let mut taken = Vec::new();
        for _ in 0..rounds {
            let plan = self.plan();
            taken.extend(self.carry_out(plan));
            self.tick();
        }
        taken
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

    pub(crate) fn carry_out(&mut self, plan: Plan) -> Vec<Step> {
        let changes = plan.steps.iter().filter(|step| step.action.executor() != kogge_etcd::Executor::Anchor);
        assert!(changes.count() <= 1, "one step at a time: {:#?}", plan.steps);
        for step in &plan.steps {
            self.apply(step);
        }
        plan.steps
    }

    /// The names of the actions of these steps.
    pub(crate) fn names(steps: &[Step]) -> Vec<&'static str> {
        steps.iter().map(|step| step.action.name()).collect()
    }

    /// The names of the planned actions, once what is the case is believed.
    pub(crate) fn actions(&mut self) -> Vec<&'static str> {
        Self::names(&self.believed().steps)
    }

    /// The members that a plan's actions of one name are about.
    pub(crate) fn members_of(steps: &[Step], name: &str) -> Vec<PodName> {
        let named = steps.iter().filter(|step| step.action.name() == name);
        named.filter_map(|step| step.action.member().cloned()).collect()
    }

    pub(crate) fn is_change(action: &Action) -> bool {
        action.executor() != kogge_etcd::Executor::Anchor
    }
}
