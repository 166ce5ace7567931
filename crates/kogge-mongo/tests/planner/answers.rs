//! What servers answer that they should not: other sets, crossed addresses, several opinions of one member.

use kogge_mongo::{
    FindingKind, MemberState, Plan, Pod, PodName, Replication, Server, ServerState, StatusMember, Topology, plan,
};

use crate::support::{SHARD, World};

const THREE: &[(&str, u32)] = &[("vdc1", 1), ("vdc2", 1), ("vdc3", 1)];

fn server<'a>(topology: &'a mut Topology, pod: &str) -> &'a mut ServerState {
    match &mut topology.members.get_mut(pod).unwrap().server {
        Server::Reachable(state) => state,
        Server::Unreachable { reason, .. } => panic!("{pod}: {reason}"),
    }
}

fn told(world: &World, change: impl FnOnce(&mut Topology)) -> Plan {
    let mut topology = world.observe();
    change(&mut topology);
    plan(&world.goal, &topology, world.now)
}

/// What a member says of another.
fn heard_by<'a>(topology: &'a mut Topology, by: &str, of: usize) -> &'a mut StatusMember {
    match &mut server(topology, by).replication {
        Replication::Member { status, .. } => &mut status.members[of],
        other => panic!("{by}: {other:?}"),
    }
}

#[test]
fn a_server_of_another_set_is_told_and_left_alone() {
    let world = World::settled(THREE);
    let plan = told(&world, |topology| {
        server(topology, "ll-shard-0-vdc3-0").hello.set_name = Some("another".to_owned());
    });
    assert!(plan.steps.is_empty());
    assert_eq!(plan.findings[0].kind, FindingKind::OtherSet);
    assert!(plan.findings[0].message.contains("another"), "{}", plan.findings[0].message);
    assert!(!plan.sets[SHARD].members[2].ready);
}

#[test]
fn a_member_with_another_replica_set_id_has_no_say_even_as_a_primary() {
    let world = World::settled(THREE);
    let plan = told(&world, |topology| {
        let stranger = server(topology, "ll-shard-0-vdc3-0");
        stranger.hello.writable_primary = true;
        let Replication::Member { status, config: Some(config) } = &mut stranger.replication else { panic!() };
        status.term += 10;
        (config.stamp.term, config.replica_set_id) = (status.term, Some("other".to_owned()));
        config.members.truncate(1);
    });
    assert!(plan.steps.is_empty(), "{:?}", plan.steps);
    let finding = plan.findings.iter().find(|f| f.kind == FindingKind::OtherSet).unwrap();
    assert!(finding.message.contains("replicaSetId other"), "{}", finding.message);
    assert_eq!(plan.sets[SHARD].primary, Some(world.primary(SHARD)));
}

#[test]
fn between_two_sets_of_one_name_that_both_hold_data_nobody_is_believed() {
    let world = World::settled(&[("vdc1", 1), ("vdc2", 1)]);
    let plan = told(&world, |topology| {
        let Replication::Member { config: Some(config), .. } =
            &mut server(topology, "ll-shard-0-vdc2-0").replication
        else {
            panic!()
        };
        config.replica_set_id = Some("other".to_owned());
    });
    assert!(plan.steps.is_empty(), "{:?}", plan.steps);
    assert_eq!(plan.findings.iter().filter(|f| f.kind == FindingKind::OtherSet).count(), 2);
    assert!(!plan.available());
}

#[test]
fn of_two_sets_of_one_name_the_one_that_the_anchors_know_to_hold_data_is_ours() {
    let mut world = World::settled(THREE);
    let others = ["ll-shard-0-vdc2-0", "ll-shard-0-vdc3-0"];
    for pod in others {
        world.wanted(pod).anchor.initialized = false;
    }
    let plan = told(&world, |topology| {
        for pod in others {
            let Replication::Member { config: Some(config), .. } = &mut server(topology, pod).replication else {
                panic!()
            };
            config.replica_set_id = Some("other".to_owned());
        }
    });
    assert_eq!(plan.sets[SHARD].primary, Some(world.primary(SHARD)));
    assert_eq!(plan.findings.iter().filter(|f| f.kind == FindingKind::OtherSet).count(), 2);
}

#[test]
fn case_04_a_server_that_does_not_find_itself_behind_its_host_is_told_with_the_host() {
    let world = World::settled(THREE);
    let host = world.config(SHARD).members[2].host.clone();
    let plan = told(&world, |topology| {
        let config = world.config(SHARD).clone();
        let server = server(topology, "ll-shard-0-vdc3-0");
        server.hello = kogge_mongo::Hello::default();
        server.replication = Replication::Removed { config: Some(config) };
    });
    assert!(plan.steps.is_empty(), "{:?}", plan.steps);
    let finding = plan.findings.iter().find(|f| f.kind == FindingKind::HostNotSelf).unwrap();
    assert!(finding.message.contains(host.as_str()) && finding.message.contains("NodeNotFound"));
}

#[test]
fn where_all_agree_there_is_no_disagreement() {
    let world = World::settled(THREE);
    assert!(world.plan().sets[SHARD].members.iter().all(|member| member.disagreement.is_none()));
    let mut dead = world.clone();
    let gone = dead.member("ll-shard-0-vdc3-0");
    (gone.up, gone.pod) = (false, Pod::Absent);
    assert_eq!(dead.plan().sets[SHARD].members[2].disagreement, None, "all say that it is gone");
}

#[test]
fn members_that_differ_about_one_are_named_with_what_they_say() {
    let world = World::settled(THREE);
    let plan = told(&world, |topology| {
        let heard = heard_by(topology, "ll-shard-0-vdc2-0", 2);
        (heard.up, heard.state) = (false, MemberState::Down);
    });
    assert!(plan.steps.is_empty());
    let said = plan.sets[SHARD].members[2].disagreement.clone().unwrap();
    assert_eq!(
        said,
        "itself: SECONDARY, ll-shard-0-vdc1-0: SECONDARY, ll-shard-0-vdc2-0: silent, its worker: its pod runs"
    );
}

#[test]
fn a_worker_that_sees_no_pod_is_contradicted_by_the_set() {
    let mut world = World::settled(THREE);
    world.member("ll-shard-0-vdc3-0").pod = Pod::Absent;
    let plan = world.plan();
    assert!(plan.steps.is_empty(), "no member moves on the word of an API alone");
    let said = plan.sets[SHARD].members[2].disagreement.clone().unwrap();
    assert!(said.ends_with("its worker: no pod"), "{said}");
}

#[test]
fn a_pod_that_runs_and_that_no_member_hears_is_told() {
    let mut world = World::settled(THREE);
    world.member("ll-shard-0-vdc3-0").up = false;
    let plan = world.plan();
    let said = plan.sets[SHARD].members[2].disagreement.clone().unwrap();
    assert_eq!(said, "ll-shard-0-vdc1-0: silent, ll-shard-0-vdc2-0: silent, its worker: its pod runs");
}

#[test]
fn a_member_that_the_primary_does_not_hear_is_down_whatever_it_says() {
    let world = World::settled(THREE);
    let primary = world.primary(SHARD);
    assert_eq!(primary, PodName::new("ll-shard-0-vdc1-0"));
    let plan = told(&world, |topology| {
        let heard = heard_by(topology, "ll-shard-0-vdc1-0", 2);
        (heard.up, heard.state) = (false, MemberState::Down);
    });
    let member = &plan.sets[SHARD].members[2];
    assert_eq!((member.state, member.ready), (Some(MemberState::Down), false));
    assert!(member.disagreement.is_some());
}
