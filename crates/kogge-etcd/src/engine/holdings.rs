//! What the members hold, before a majority is given up.

use kogge_engine::{Holding, silence};

use super::view::group_name;
use crate::goal::{Goal, MemberGoal};
use crate::names::PodName;
use crate::topology::{PeerAnswer, Server, ServerState, Topology};

pub(super) fn holdings(goal: &Goal, topology: &Topology) -> Vec<Holding> {
    let members = goal.ordered_members().into_iter().map(|member| Holding {
        group: group_name(goal),
        pod: member.pod.clone(),
        vdc: member.vdc.clone(),
        is_lost: goal.recovery.lost.contains(&member.pod),
        says: says(topology, member),
        // Entries of etcd's log have no time.
        written_at: None,
    });
    members.collect()
}

fn says(topology: &Topology, member: &MemberGoal) -> String {
    let Some(seen) = topology.members.get(&member.pod) else { return "was not asked".to_owned() };
    match &seen.server {
        Server::Unreachable { reason, .. } => silence(reason, &seen.pod, &hearers(topology, member)),
        Server::PeerOnly(PeerAnswer { version, raft_index, .. }) => {
            let index = raft_index.map_or_else(|| "not known".to_owned(), |index| index.to_string());
            format!("answers its peers only, version {version}, committed raft index {index}")
        }
        Server::Serving(state) => serving(state),
    }
}

fn serving(state: &ServerState) -> String {
    let role = match state.leader {
        _ if state.learner => "learner",
        _ if state.leads() => "leader",
        Some(_) => "follower",
        None => "follows no leader",
    };
    let ServerState { raft_term, raft_index, applied_index, .. } = state;
    format!("{role}, term {raft_term}, committed raft index {raft_index}, applied {applied_index}")
}

/// The members that still have a connection to a silent one.
fn hearers(topology: &Topology, silent: &MemberGoal) -> Vec<PodName> {
    let hears = |server: &Server| {
        let Server::Serving(state) = server else { return false };
        let listed = state.members.iter().find(|listed| listed.peer_urls.contains(&silent.peer_url));
        let connected = |id| state.active_peers.as_ref().is_some_and(|peers| peers.contains(&id));
        listed.is_some_and(|listed| connected(listed.id))
    };
    topology.members.iter().filter(|(_, seen)| hears(&seen.server)).map(|(pod, _)| pod.clone()).collect()
}

#[cfg(test)]
mod tests {
    use kogge_engine::{Millis, Pod};

    use super::*;
    use crate::goal::{MemberAnchor, MemberRole};
    use crate::names::{ClusterId, MemberId};
    use crate::topology::{ListedMember, MemberObservation};
    use crate::version::Version;

    fn member(vdc: &str) -> MemberGoal {
        MemberGoal {
            pod: format!("orders-etcd-{vdc}-0").into(),
            peer_url: format!("http://orders-etcd-{vdc}-0:2380").into(),
            client_url: format!("http://orders-etcd-{vdc}-0:2379").into(),
            placement: vdc.into(),
            vdc: vdc.into(),
            role: MemberRole::Voter,
            anchor: MemberAnchor::default(),
        }
    }

    fn observed(server: Server) -> MemberObservation {
        MemberObservation {
            pod: Pod::Absent,
            server,
            refused_peers: [].into(),
            observed_at: Millis::default(),
            in_a_row: 1,
            in_sync: 0,
            serving_since: None,
        }
    }

    #[test]
    fn a_member_tells_how_far_its_data_reaches_and_whom_it_still_hears() {
        let (left, lost) = (member("vdc1"), member("vdc2"));
        let listed = |id, member: &MemberGoal| ListedMember {
            id: MemberId(id),
            name: None,
            peer_urls: vec![member.peer_url.clone()],
            learner: false,
        };
        let state = ServerState {
            member_id: MemberId(1),
            cluster_id: ClusterId(9),
            leader: None,
            raft_term: 4,
            raft_index: 120,
            applied_index: 118,
            db_size: 0,
            db_size_in_use: 0,
            learner: false,
            version: Version::new(3, 6, 14),
            cluster_version: None,
            storage_version: None,
            alarms: [].into(),
            members: vec![listed(1, &left), listed(2, &lost)],
            active_peers: Some([MemberId(2)].into()),
        };
        let silent = Server::Unreachable { reason: "timed out".to_owned(), since: Millis::default() };
        let topology = Topology {
            members: [(left.pod.clone(), observed(Server::Serving(state))), (lost.pod.clone(), observed(silent))]
                .into(),
        };
        assert_eq!(says(&topology, &left), "follows no leader, term 4, committed raft index 120, applied 118");
        assert_eq!(
            says(&topology, &lost),
            "no answer (timed out); it has no pod; still heard by orders-etcd-vdc1-0"
        );
        assert_eq!(says(&topology, &member("vdc3")), "was not asked");
    }
}
