use std::collections::BTreeMap;

use super::*;
use crate::data::goal::{MemberAnchor, MemberRole, Recovery, SetGoal, SetRole, Turns};
use crate::data::names::{Host, Placement, PodName, SetName, Vdc};
use crate::data::topology::{
    Access, Hello, MemberObservation, OBSERVATIONS_TO_BELIEVE, Server, ServerState, Topology,
};

const POD: &str = "ll-shard-0-vdc1-0";

fn member() -> MemberGoal {
    MemberGoal {
        pod: PodName::from(POD),
        host: Host::from("ll-shard-0-vdc1-0:27017"),
        placement: Placement::from("vdc1"),
        vdc: Vdc::from("vdc1"),
        priority: 1,
        role: MemberRole::Voter,
        anchor: MemberAnchor::default(),
    }
}

/// What a member is waited for whose server answers that it knows of no set, for so many observations.
fn started_empty(pod: Option<Pod>, in_a_row: u32) -> Result<(), String> {
    let set = SetGoal {
        name: SetName::from("ll-shard-0"),
        role: SetRole::Shard { index: 0 },
        members: vec![member()],
        leaving: Vec::new(),
        seed: None,
        next_member_id: 0,
        recovery: Recovery::default(),
        retired: false,
        removals: Turns::default(),
    };
    let answer =
        ServerState { hello: Hello::default(), access: Access::NoUsers, replication: Replication::Starting };
    let seen = |pod| MemberObservation { pod, server: Server::Reachable(answer), observed_at: 0, in_a_row };
    let members: BTreeMap<_, _> = pod.map(|pod| (PodName::from(POD), seen(pod))).into_iter().collect();
    SetView::of(&set, &Topology { members, ..Topology::default() }, 0).started_empty(&member())
}

fn present(gate: Option<Report>) -> Pod {
    Pod::Present(PodFacts {
        uid: "uid".to_owned(),
        running: true,
        ready: true,
        terminating: false,
        revision: None,
        target_revision: None,
        resolves_everywhere: true,
        gate,
    })
}

fn on(disk: Disk) -> Pod {
    present(Some(Report::Open { disk, message: String::new() }))
}

#[test]
fn a_server_whose_pod_is_not_there_has_not_started_empty_whatever_it_says() {
    let often = OBSERVATIONS_TO_BELIEVE;
    assert_eq!(started_empty(None, often), Err("its first observation".to_owned()));
    assert_eq!(started_empty(Some(Pod::Absent), often), Err("its pod to be created".to_owned()));
    let unknown = Pod::Unknown { reason: "the worker is silent".to_owned() };
    assert_eq!(started_empty(Some(unknown), often), Err("a view of its pod (the worker is silent)".to_owned()));
}

#[test]
fn a_disk_is_empty_by_its_gates_word_only() {
    let often = OBSERVATIONS_TO_BELIEVE;
    assert_eq!(started_empty(Some(on(Disk::Empty)), 1), Ok(()));
    assert_eq!(started_empty(Some(on(Disk::Unused)), often), Ok(()));
    assert!(started_empty(Some(on(Disk::Unused)), often - 1).is_err());
    assert!(started_empty(Some(on(Disk::Data)), often).is_err());
    assert!(started_empty(Some(present(None)), often).is_err());
}
