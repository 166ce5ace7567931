//! What the operator sees of the world.

use kogge_etcd::{MemberObservation, PeerAnswer, Pod, PodName, Server, ServerState, Topology};

use super::World;
use super::node::Node;

impl World {
    /// One more observation, merged with the one before.
    pub(crate) fn look(&mut self) -> &Topology {
        let mut topology = Topology::default();
        let members = self.goal.members.iter().map(|m| &m.pod);
        for pod in members.chain(self.goal.leaving.iter().map(|m| &m.pod)) {
            let node = &self.nodes[pod];
            let seen = MemberObservation {
                pod: if node.seen {
                    node.pod.clone()
                } else {
                    Pod::Unknown { reason: "worker silent".to_owned() }
                },
                server: self.answer(pod, node),
                refused_peers: node.refused_peers.clone(),
                observed_at: self.now,
                in_a_row: 0,
                in_sync: 0,
                serving_since: None,
            };
            topology.members.insert(pod.clone(), seen);
        }
        self.before = Some(topology.after(self.before.as_ref()));
        self.before.as_ref().unwrap()
    }

    fn answer(&self, pod: &PodName, node: &Node) -> Server {
        let (Some(data), Some(process), true) = (node.runs(), &node.process, node.reachable) else {
            let since = self.silent.get(pod).copied().unwrap_or(self.now);
            return Server::Unreachable { reason: "connection refused".to_owned(), since };
        };
        let group = &self.groups[&data.cluster];
        let members = group.members_at(data.applied).to_vec();
        let connected = group.connected(&self.nodes);
        let leader = group.leader.filter(|_| connected.contains(&data.id));
        if !process.published {
            return Server::PeerOnly(PeerAnswer {
                cluster_id: data.cluster,
                members,
                version: process.version,
                cluster_version: group.version,
                raft_index: Some(data.applied),
            });
        }
        let learner = members.iter().any(|m| m.id == data.id && m.learner);
        let mut peers = connected;
        peers.remove(&data.id);
        Server::Serving(ServerState {
            member_id: data.id,
            cluster_id: data.cluster,
            leader,
            raft_term: group.term,
            raft_index: if leader.is_some() { group.commit } else { data.applied },
            applied_index: data.applied,
            db_size: node.sizes.0,
            db_size_in_use: node.sizes.1,
            learner,
            version: process.version,
            cluster_version: group.version,
            storage_version: group.version,
            alarms: group.alarms.clone(),
            members,
            active_peers: self.tells_peers.then_some(peers),
        })
    }
}
