//! Sets that run before the anchors know of them: other hosts, arbiters, members that are not ours.

use std::collections::BTreeMap;

use kogge_mongo::{
    Action, ClusterState, ConfigMember, FindingKind, Host, MemberAnchor, MemberId, MemberState, PodName,
    Replication, Server, plan,
};

use crate::support::{Disk, Member, SHARD, World, config_member};

const THREE: &[(&str, u32)] = &[("vdc1", 1), ("vdc2", 1), ("vdc3", 1)];
const ARBITER: &str = "arbiter.elsewhere:27017";

/// The anchors are gone, and the set runs.
fn forgotten(world: &mut World) {
    let goal = &mut world.goal.sets[0];
    (goal.seed, goal.next_member_id) = (None, 0);
    goal.members.iter_mut().for_each(|member| member.anchor = MemberAnchor::default());
}

/// A primary, a secondary and an arbiter that somebody else made.
fn with_arbiter() -> World {
    let mut world = World::settled(&[("vdc1", 1), ("vdc2", 1), ("vdc3", 1)]);
    world.reshape(&[("vdc1", 1), ("vdc2", 1)]);
    world.run_until_settled(60);
    let host = Host::new(ARBITER);
    let arbiter =
        Member { disk: Disk::Synced, state: Some(MemberState::Arbiter), ..Member::fresh(host.clone(), "r1") };
    world.members.insert(PodName::new("arbiter"), arbiter);
    let config = world.set(SHARD).config.as_mut().unwrap();
    config.stamp.version += 1;
    config
        .members
        .push(ConfigMember { arbiter: true, ..config_member(MemberId(7), &host, 1, 0.0, &BTreeMap::new()) });
    world.cluster.default_write_concern = Some(true);
    world.run_until_settled(20);
    world
}

fn hosts(world: &World) -> Vec<&str> {
    world.config(SHARD).members.iter().map(|m| m.host.as_str()).collect()
}

#[test]
fn a_set_without_our_users_gets_them_and_is_not_initiated() {
    let mut world = World::settled(THREE);
    forgotten(&mut world);
    world.set(SHARD).users = false;
    let steps = world.run_until_settled(50);
    let names: Vec<_> = steps.iter().map(|s| s.action.name()).collect();
    assert_eq!(names, ["CreateUsers", "MarkInitialized", "MarkInitialized", "MarkInitialized"]);
}

#[test]
fn what_an_adopted_set_lacks_is_added_and_what_it_has_beside_is_kept() {
    let mut world = World::settled(THREE);
    let foreign = Host::new("old.elsewhere:27017");
    world
        .members
        .insert(PodName::new("old"), Member { disk: Disk::Synced, ..Member::fresh(foreign.clone(), "r1") });
    let config = world.set(SHARD).config.as_mut().unwrap();
    config.members.push(config_member(MemberId(9), &foreign, 0, 0.0, &BTreeMap::new()));
    forgotten(&mut world);
    world.reshape(&[("vdc1", 1), ("vdc2", 1), ("vdc3", 1), ("vdc4", 2)]);
    let steps = world.run_until_settled(60);
    assert!(!steps.iter().any(|s| s.action.name() == "Initiate"));
    assert_eq!(world.config(SHARD).voters().count(), 5);
    assert!(hosts(&world).contains(&foreign.as_str()));
    let ids: Vec<u32> = world.config(SHARD).members.iter().map(|m| m.id.0).collect();
    assert_eq!(ids, [0, 1, 2, 9, 10, 11], "an id that others used is not used again");
}

#[test]
fn case_08_every_host_has_changed_and_each_is_renamed_in_turn_the_primary_last() {
    let mut world = World::settled(THREE);
    let old = |host: &Host| Host::new(host.as_str().replace(".db.", ".before."));
    for member in world.members.values_mut() {
        member.also = Some(old(&member.host));
    }
    let config = world.set(SHARD).config.as_mut().unwrap();
    let wanted = config.clone();
    config.members.iter_mut().for_each(|member| member.host = old(&member.host));
    let told = world.plan();
    assert!(told.findings.is_empty(), "its own members are not foreign: {:?}", told.findings);
    assert_eq!(told.sets[SHARD].members[0].votes, 1);

    let first_primary = world.primary(SHARD);
    let steps = world.run_until_settled(60);
    let names: Vec<_> = steps.iter().map(|s| s.action.name()).collect();
    assert_eq!(names, ["SetHost", "SetHost", "StepDown", "SetHost"]);
    let Action::SetHost { to, alone, .. } = &steps[3].action else { panic!() };
    assert!(to.as_str().starts_with(first_primary.as_str()) && !alone);
    assert_eq!(world.config(SHARD).members, wanted.members, "every _id and every vote is as before");
}

#[test]
fn case_08_a_rename_waits_for_the_new_name_and_for_healthy_members() {
    let mut world = World::settled(THREE);
    let renamed = world.member("ll-shard-0-vdc3-0");
    renamed.also = Some("before:27017".into());
    renamed.facts().resolves_everywhere = false;
    world.set(SHARD).config.as_mut().unwrap().members[2].host = "before:27017".into();
    let told = world.plan();
    assert!(told.steps.is_empty());
    assert!(told.waiting[0].what.contains("resolve"), "{:?}", told.waiting);
    world.member("ll-shard-0-vdc3-0").facts().resolves_everywhere = true;
    assert_eq!(world.actions(), ["SetHost"]);
    world.member("ll-shard-0-vdc2-0").up = false;
    assert!(world.actions().is_empty());
}

#[test]
fn case_08_a_set_of_one_that_holds_its_old_host_is_renamed_directly() {
    let world = World::settled(&[("vdc1", 1)]);
    let mut lost = world.config(SHARD).clone();
    lost.members[0].host = "before:27017".into();
    let seen_as = |world: &World, config: &kogge_mongo::ReplConfig| {
        let mut topology = world.observe();
        let seen = topology.members.get_mut("ll-shard-0-vdc1-0").unwrap();
        let Server::Reachable(server) = &mut seen.server else { panic!() };
        server.hello = kogge_mongo::Hello::default();
        server.replication = Replication::Removed { config: Some(config.clone()) };
        plan(&world.goal, &topology, world.now)
    };
    let steps = seen_as(&world, &lost).steps;
    let [step] = steps.as_slice() else { panic!("{steps:?}") };
    let Action::SetHost { change, to, alone: true } = &step.action else { panic!("{step}") };
    assert_eq!((change.via.as_str(), change.host.as_str()), ("ll-shard-0-vdc1-0", "before:27017"));
    assert_eq!((change.base, change.id), (lost.stamp, lost.members[0].id));
    assert!(to.as_str().starts_with("ll-shard-0-vdc1-0."));

    let mut other_id = lost.clone();
    other_id.members[0].id = MemberId(5);
    assert!(seen_as(&world, &other_id).steps.is_empty(), "the anchors know another _id");
    let mut two = lost.clone();
    two.members.push(config_member(MemberId(1), &"b:27017".into(), 1, 1.0, &BTreeMap::new()));
    let told = seen_as(&world, &two);
    assert!(told.steps.is_empty(), "another vote could be passed over: {:?}", told.steps);
    assert!(
        told.findings.iter().any(|f| f.kind == FindingKind::HostNotSelf && f.message.contains("before:27017"))
    );
    let mut unseen = world.clone();
    unseen.goal.unseen.insert("vdc2".into(), "its worker is silent".to_owned());
    assert!(seen_as(&unseen, &lost).steps.is_empty(), "what is not seen could hold the data as well");
    let told = seen_as(&world, world.config(SHARD));
    assert!(told.steps.is_empty(), "its name leads elsewhere, and no other host mends that: {:?}", told.steps);
    assert!(told.findings.iter().any(|f| f.kind == FindingKind::HostNotSelf));

    // Its config lists it alone, and the anchors know of others.
    let mut three = World::settled(THREE);
    let told = seen_as(&three, &lost);
    assert!(told.steps.is_empty(), "others are known to hold data: {:?}", told.steps);
    three.reshape(&[("vdc1", 1)]);
    let told = seen_as(&three, &lost);
    assert!(told.steps.is_empty(), "others that leave still hold data: {:?}", told.steps);
}

#[test]
fn case_09_an_arbiter_that_was_renamed_is_kept() {
    let mut world = with_arbiter();
    assert!(world.plan().steps.is_empty(), "{:?}", world.plan().steps);
    let renamed = Host::new("arbiter.moved:27017");
    world.member("arbiter").host = renamed.clone();
    let config = world.set(SHARD).config.as_mut().unwrap();
    config.members.iter_mut().find(|m| m.arbiter).unwrap().host = renamed;
    let before = world.config(SHARD).clone();
    let told = world.plan();
    assert!(told.steps.is_empty(), "{:?}", told.steps);
    let finding = told.findings.iter().find(|f| f.kind == FindingKind::ForeignMember).unwrap();
    assert!(finding.message.contains("Kogge makes none"), "{}", finding.message);
    world.run(20);
    assert_eq!(world.config(SHARD), &before);
}

#[test]
fn case_28_with_an_arbiter_the_default_write_concern_comes_before_the_votes() {
    let mut world = with_arbiter();
    world.reshape(&[("vdc1", 1), ("vdc2", 1), ("vdc3", 1), ("vdc4", 1)]);
    world.cluster = ClusterState { default_write_concern: Some(false), ..world.cluster };
    let steps = world.run(30);
    assert!(!steps.iter().any(|s| s.action.name() == "Promote"), "{steps:?}");
    let waits = world.plan().waiting;
    assert!(waits.iter().any(|w| w.what.contains("default write concern")), "{waits:?}");

    world.cluster.default_write_concern = Some(true);
    let steps = world.run_until_settled(60);
    let voting = |name: &&str| ["Promote", "SetPriority", "Demote"].contains(name);
    let names: Vec<_> = steps.iter().map(|s| s.action.name()).filter(voting).collect();
    assert_eq!(
        names,
        ["Promote", "SetPriority", "Promote", "SetPriority"],
        "votes and priority are not raised together"
    );
    assert!(world.config(SHARD).members.iter().any(|m| m.arbiter && m.votes == 1));
    assert_eq!(world.config(SHARD).voters().count(), 5);
}
