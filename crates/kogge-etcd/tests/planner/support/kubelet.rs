//! What happens by itself: pods are made, gates look at disks, servers start, join, and leave when they were removed.

use std::collections::BTreeSet;

use kogge_etcd::{ListedMember, MemberAnchor, Pod, PodName, Seed, Start, StartState, Url, ids};

use super::World;
use super::group::Group;
use super::node::{Data, Disk, Opens, Process};

impl World {
    /// Pods are made, gates look, servers start, join, sync and elect.
    pub(crate) fn tick(&mut self) {
        self.now += 1_000;
        if self.empties_old_disks {
            self.empty_old_disks();
        }
        for pod in self.pods() {
            self.tick_node(&pod);
        }
        for group in self.groups.values_mut() {
            group.tick(&mut self.nodes);
        }
        for (pod, node) in &mut self.nodes {
            let up = node.process.as_ref().is_some_and(|process| process.published);
            if let Pod::Present(facts) = &mut node.pod {
                facts.ready = up;
                facts.target_revision = Some(self.revision.clone());
            }
            if up {
                self.silent.remove(pod);
            } else {
                self.silent.entry(pod.clone()).or_insert(self.now);
            }
        }
        let kept: BTreeSet<PodName> = self.goal.members.iter().map(|m| m.pod.clone()).collect();
        let leaving: BTreeSet<PodName> = self.goal.leaving.iter().map(|m| m.pod.clone()).collect();
        self.nodes.retain(|pod, _| kept.contains(pod) || leaving.contains(pod));
    }

    fn tick_node(&mut self, pod: &PodName) {
        let (revision, made) = (self.revision.clone(), self.made + 1);
        let anchor = self.anchor_of(pod);
        let seed = self.goal.seed.clone().filter(|seed| &seed.pod == pod);
        self.leave_if_removed(pod);
        let node = self.node(pod);
        if node.lost || node.process.is_some() {
            return;
        }
        if node.pod == Pod::Absent {
            node.make_pod(format!("uid-{made}"), &revision);
            self.made = made;
        }
        // A gate that holds looks again when its pod is made again.
        if self.node(pod).facts().hold().is_some() {
            return;
        }
        self.start_server(pod, &anchor, seed.as_ref());
    }

    /// The gate in a pod looks, and lets the server start or not.
    pub(crate) fn start_server(&mut self, pod: &PodName, anchor: &MemberAnchor, seed: Option<&Seed>) {
        match self.node(pod).look(anchor, seed) {
            Opens::No => {}
            _ if self.nodes[pod].crashes => {}
            Opens::OnData => self.run_server(pod),
            Opens::First(start) => self.start_first(pod, &start),
        }
    }

    /// A member that applied its removal, or that a peer tells of it, exits 0; its disk stays.
    pub(crate) fn leave_if_removed(&mut self, pod: &PodName) {
        let Some(data) = self.nodes[pod].runs() else { return };
        let group = &self.groups[&data.cluster];
        let applied = group.members_at(data.applied).iter().all(|m| m.id != data.id);
        let learns = group.leader.and_then(|id| group.node(&self.nodes, id));
        let learns = learns.is_some_and(|leader| leader.side == self.nodes[pod].side);
        if group.listed(data.id).is_none() && (applied || learns) {
            self.node(pod).process = None;
        }
    }

    fn run_server(&mut self, pod: &PodName) {
        let (version, now) = (self.version, self.now);
        let node = self.nodes.get_mut(pod).unwrap();
        let data = node.data().unwrap().clone();
        let listed = ListedMember { id: data.id, name: None, peer_urls: vec![node.url.clone()], learner: false };
        node.process = Some(Process { since: now, published: false, version });
        // A restored disk is a group of its own.
        self.groups.entry(data.cluster).or_insert_with(|| Group::new(data.cluster, listed));
        let group = &self.groups[&data.cluster];
        assert!(
            group.version.is_none_or(|agreed| version.series() >= agreed),
            "{pod} panics below the agreed version"
        );
    }

    fn start_first(&mut self, pod: &PodName, start: &Start) {
        let data = match start.state {
            StartState::New => Some(self.begin(pod, start)),
            StartState::Existing => self.join(pod, start),
        };
        let Some(data) = data else {
            self.node(pod).disk = Disk::Litter;
            return;
        };
        assert!(self.written.insert(data.id), "{pod} starts without data under the id {} that held data", data.id);
        self.node(pod).disk = Disk::Data(data);
        self.run_server(pod);
    }

    fn begin(&self, pod: &PodName, start: &Start) -> Data {
        let seed = self.goal.seed.as_ref().unwrap();
        assert_eq!(&seed.pod, pod, "a member that is no seed begins a group");
        let urls: Vec<Url> = start.initial_cluster.keys().cloned().collect();
        assert_eq!(urls, [self.nodes[pod].url.clone()], "the seed begins a group of more than itself");
        let id = ids::member_id(&urls, &start.token);
        let cluster = ids::cluster_id(&[id]);
        assert_eq!((id, cluster), (seed.member_id, seed.cluster_id), "the ids are not those that were recorded");
        assert!(!self.groups.contains_key(&cluster), "a second group under the same ids");
        Data { cluster, id, logged: 4, applied: 4 }
    }

    /// Joins as etcd does: the first peer that answers must list exactly the members of `--initial-cluster`.
    fn join(&self, pod: &PodName, start: &Start) -> Option<Data> {
        let side = self.nodes[pod].side;
        let mut peers = self.nodes.values().filter(|node| {
            node.side == side && node.runs().is_some() && start.initial_cluster.contains_key(&node.url)
        });
        let peer = peers.next()?.data()?;
        let group = &self.groups[&peer.cluster];
        let listed = group.members_at(peer.applied);
        let urls: BTreeSet<&Url> = listed.iter().flat_map(|m| &m.peer_urls).collect();
        if urls != start.initial_cluster.keys().collect()
            || group.version.is_none_or(|v| v > self.version.series())
        {
            return None;
        }
        let own = listed.iter().find(|m| m.peer_urls.contains(&self.nodes[pod].url))?;
        Some(Data { cluster: group.id, id: own.id, logged: 0, applied: 0 })
    }
}
