//! The servers in the pods, with the gates before them: the simulated etcd of the planner's tests, run by the kubelets of
//! this world.

use std::collections::{BTreeMap, BTreeSet};

use kogge_api::anchor::etcd::{self, AnchoredMember, Record};
use kogge_api::gate::Report;
use kogge_api::labels;
use kogge_etcd::{
    ClusterId, ListedMember, MemberAnchor, MemberId, Pod, PodFacts, PodName, Seed, SeedSource, Start, StartState,
    Step, Token, Topology, Url, Version,
};

use super::names_seed;
use super::simulated::{Node, World as Simulated};
use crate::world::{Question, Running};

/// Every server of the database, in all data centres.
pub(crate) struct Servers {
    etcd: Simulated,
    /// What the volumes of the anchors show in each pod. A kubelet brings a change when it looks at the pod, which it does
    /// when the pod is made and when it is annotated; how long it takes otherwise, nobody knows.
    mounted: BTreeMap<PodName, Mounted>,
    /// The pods that began a group.
    begun: Vec<PodName>,
}

struct Mounted {
    uid: String,
    told: Option<String>,
    record: Record,
}

impl Default for Servers {
    fn default() -> Self {
        Self { etcd: Simulated::new(&[]), mounted: BTreeMap::new(), begun: Vec::new() }
    }
}

impl Servers {
    /// The pods that began a group, in order.
    pub(crate) fn begun(&self) -> &[PodName] {
        &self.begun
    }

    pub(crate) fn leader(&self) -> PodName {
        self.etcd.leader()
    }

    pub(crate) fn id_of(&self, pod: &str) -> MemberId {
        self.etcd.id_of(&pod.into())
    }

    fn listed(&self) -> &[ListedMember] {
        let seed = self.etcd.goal.seed.as_ref();
        let Some(group) = seed.and_then(|seed| self.etcd.groups.get(&seed.cluster_id)) else { return &[] };
        group.members()
    }

    /// The pods that are members, as those say that decide.
    pub(crate) fn members(&self) -> BTreeSet<String> {
        self.listed().iter().map(pod_of).collect()
    }

    pub(crate) fn voters(&self) -> BTreeSet<String> {
        self.listed().iter().filter(|member| !member.learner).map(pod_of).collect()
    }

    /// The pods that vote, by group.
    pub(crate) fn votes(&self) -> BTreeMap<String, BTreeSet<String>> {
        [("etcd".to_owned(), self.voters())].into()
    }

    /// Empties the volume of a member.
    pub(crate) fn lose_disk(&mut self, pod: &PodName) {
        self.etcd.wipe(pod);
    }

    /// A server ends; it is started again in its pod.
    pub(crate) fn restarted(&mut self, pod: &PodName) {
        self.etcd.node(pod).process = None;
    }

    /// Whether a member serves, so that its probe finds it ready.
    pub(crate) fn are_ready(&self, pod: &PodName) -> bool {
        let process = self.etcd.nodes.get(pod).and_then(|node| node.process.as_ref());
        process.is_some_and(|process| process.published)
    }

    /// What the gate of a new pod, or of a container that is started again, sees on the disk.
    pub(crate) fn look(&mut self, pod: &PodName, uid: &str, record: &Record) -> Report {
        let node = self.node(pod);
        node.process = None;
        node.pod = Pod::Present(facts(uid));
        node.look(&member(record, pod), None);
        node.facts().gate.clone().unwrap()
    }

    pub(crate) fn observe(&mut self, question: &Question<'_>) -> Topology {
        let Question { goal, pods, reached, running: _, now } = *question;
        self.etcd.goal = goal.clone();
        self.etcd.now = now;
        let wanted = goal.members.iter().map(|m| &m.pod);
        let named: Vec<&PodName> = wanted.chain(goal.leaving.iter().map(|m| &m.pod)).collect();
        let mut kept = BTreeMap::new();
        for pod in named {
            let node = self.node(pod);
            node.reachable = reached.contains(pod);
            let unknown = || Pod::Unknown { reason: "its worker was not observed".to_owned() };
            let seen = pods.get(pod).cloned().unwrap_or_else(unknown);
            kept.insert(pod.clone(), std::mem::replace(&mut node.pod, seen));
        }
        let topology = self.etcd.look().clone();
        for (pod, present) in kept {
            self.etcd.node(&pod).pod = present;
        }
        topology
    }

    /// Carries a step out; the simulation panics where it must never have been planned.
    pub(crate) fn take(&mut self, step: &Step) {
        self.etcd.apply(step);
    }

    /// Servers end with their pods, start where their gates let them, and elect, sync and publish among themselves.
    pub(crate) fn tick(&mut self, running: &BTreeMap<PodName, Running>) {
        self.etcd.now += 1_000;
        for (pod, node) in &mut self.etcd.nodes {
            if running.get(pod).is_none_or(|runs| node.pod.facts().is_none_or(|facts| facts.uid != runs.uid())) {
                node.process = None;
            }
        }
        for (pod, runs) in running {
            self.mount(pod, runs);
            self.start(pod, runs, running);
        }
        let Simulated { groups, nodes, .. } = &mut self.etcd;
        for group in groups.values_mut() {
            group.tick(nodes);
        }
    }

    fn mount(&mut self, pod: &PodName, runs: &Running) {
        let annotations = runs.pod.metadata.annotations.as_ref();
        let told = annotations.and_then(|annotations| annotations.get(labels::ANCHOR)).cloned();
        let known = self.mounted.get(pod);
        if known.is_none_or(|known| known.uid != runs.uid() || known.told != told) {
            let mounted = Mounted { uid: runs.uid().to_owned(), told, record: runs.record.clone() };
            self.mounted.insert(pod.clone(), mounted);
        }
    }

    fn start(&mut self, pod: &PodName, runs: &Running, all: &BTreeMap<PodName, Running>) {
        self.etcd.leave_if_removed(pod);
        self.etcd.version = version(runs);
        let record = &self.mounted[pod].record;
        let (anchor, seed) = (member(record, pod), seed(record));
        let begins = anchor.start.as_ref().is_some_and(|start| start.state == StartState::New);
        let node = self.node(pod);
        if node.process.is_some() || node.facts().hold().is_some() {
            return;
        }
        let was_empty = node.data().is_none();
        self.etcd.goal.seed = self.etcd.goal.seed.take().or_else(|| seed.clone());
        self.etcd.start_server(pod, &anchor, seed.as_ref());
        if was_empty && begins && self.etcd.nodes[pod].data().is_some() {
            let remembered = all.values().all(|runs| names_seed(&runs.record, pod.as_str()));
            assert!(remembered, "{pod} begins the group, and not every worker remembers that it is the seed");
            assert!(self.begun.is_empty(), "{pod} begins the group a second time: {:?}", self.begun);
            self.begun.push(pod.clone());
        }
    }

    fn node(&mut self, pod: &PodName) -> &mut Node {
        let url = || Url::new(format!("http://{pod}.ll2022-etcd.databases.svc.cluster.local:2380"));
        self.etcd.nodes.entry(pod.clone()).or_insert_with(|| Node::fresh(url()))
    }
}

/// A pod as the gate in it knows it.
fn facts(uid: &str) -> PodFacts {
    PodFacts {
        uid: uid.to_owned(),
        running: true,
        ready: false,
        terminating: false,
        revision: None,
        target_revision: None,
        resolves_everywhere: true,
        gate: None,
    }
}

/// The version in the image of a member's container.
fn version(runs: &Running) -> Version {
    let image = runs.pod.data.pointer("/spec/containers/0/image").unwrap().as_str().unwrap();
    image.rsplit(":v").next().unwrap().parse().unwrap()
}

fn pod_of(member: &ListedMember) -> String {
    let host = member.peer_urls[0].as_str().split("://").nth(1).unwrap();
    host.split('.').next().unwrap().to_owned()
}

fn seed(record: &Record) -> Option<Seed> {
    let seed = record.seed.as_ref()?;
    Some(Seed {
        pod: seed.pod.as_str().into(),
        incarnation: seed.incarnation,
        member_id: MemberId(seed.member_id.0),
        cluster_id: ClusterId(seed.cluster_id.0),
        source: SeedSource::Empty,
    })
}

fn member(record: &Record, pod: &PodName) -> MemberAnchor {
    let AnchoredMember { member_id, initialized, start, removed, .. } =
        record.members.get(pod.as_str()).cloned().unwrap_or_default();
    MemberAnchor {
        member_id: member_id.map(|id| MemberId(id.0)),
        initialized,
        start: start.map(allowed),
        removed: removed.map(|id| MemberId(id.0)),
    }
}

fn allowed(start: etcd::Start) -> Start {
    let members = start.initial_cluster.into_iter();
    Start {
        uid: start.uid,
        state: start.state,
        token: Token::new(start.token),
        initial_cluster: members.map(|(url, name)| (Url::new(url), name.as_str().into())).collect(),
    }
}
