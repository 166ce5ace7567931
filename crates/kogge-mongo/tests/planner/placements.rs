//! Placements that move, fail and fall silent.

use kogge_mongo::{FindingKind, Health, Host, MemberState, Pod, Replication, RouterServer, Server, SetRole, plan};

use crate::support::{SHARD, World, voters};

const THREE: &[(&str, u32)] = &[("vdc1", 1), ("vdc2", 1), ("vdc3", 1)];
const FIVE: &[(&str, u32)] = &[("vdc1", 1), ("vdc2", 1), ("vdc3", 1), ("vdc4", 1), ("vdc5", 1)];

#[test]
fn case_32_a_reordered_placement_list_changes_nothing() {
    let mut world = World::settled(THREE);
    world.reshape(&[("vdc3", 1), ("vdc1", 1), ("vdc2", 1)]);
    assert!(world.plan().ready());

    let mut fresh = World::shard(THREE);
    let plan = fresh.plan();
    fresh.goal.sets[0].members.reverse();
    assert_eq!(fresh.plan(), plan);
}

#[test]
fn case_34_additions_come_before_removals() {
    let mut world = World::settled(THREE);
    world.want(SHARD, SetRole::Shard { index: 0 }, &voters(&[("vdc1", 1), ("vdc2", 1), ("vdc4", 1)]));
    let steps = world.run_until_settled(60);
    let promoted = steps.iter().position(|s| s.action.name() == "AddMember").unwrap();
    let demoted = steps.iter().position(|s| s.action.name() == "Demote").unwrap();
    assert!(promoted < demoted);
    assert_eq!(world.config(SHARD).voters().count(), 3);
}

#[test]
fn case_35_a_placement_whose_api_is_down_keeps_its_members_and_the_rest_goes_on() {
    let mut world = World::settled(THREE);
    let lost = world.member("ll-shard-0-vdc3-0");
    lost.pod = Pod::Unknown { reason: "worker-vdc3 does not answer".to_owned() };
    lost.reachable = false;
    let before = world.config(SHARD).clone();
    let plan = world.plan();
    assert!(plan.steps.is_empty());
    assert!(plan.available() && !plan.ready());
    assert!(!plan.sets[SHARD].members[2].ready);

    world.reshape(&[("vdc1", 1), ("vdc2", 2), ("vdc3", 1)]);
    assert_eq!(world.actions(), ["ReserveMemberId"]);
    for _ in 0..20 {
        world.plan().steps.iter().for_each(|s| world.apply(s));
        world.tick();
    }
    let config = world.config(SHARD);
    assert_eq!(config.members[..3], before.members);
    assert!(config.by_host(&"ll-shard-0-vdc2-1.ll-shard-0.db.svc.cluster.local:27017".into()).is_some());
}

#[test]
fn case_37_a_second_placement_that_fails_does_not_bring_the_first_back() {
    let mut world = World::settled(FIVE);
    world.member("ll-shard-0-vdc1-0").up = false;
    world.tick();
    world.reshape(&[("vdc2", 1), ("vdc3", 1), ("vdc4", 1), ("vdc5", 1)]);
    world.run(60);
    let first: Host = "ll-shard-0-vdc1-0.ll-shard-0.db.svc.cluster.local:27017".into();
    assert!(world.config(SHARD).by_host(&first).is_none());
    world.member("ll-shard-0-vdc2-0").up = false;
    let steps = world.run(60);
    assert!(!steps.iter().any(|s| s.action.name() == "AddMember"), "{steps:?}");
    assert!(world.config(SHARD).by_host(&first).is_none());
    assert!(world.plan().available());
}

#[test]
fn case_37_a_sole_placement_that_fails_is_told_and_nothing_is_done() {
    let mut world = World::settled(&[("vdc1", 3)]);
    for member in world.members.values_mut() {
        (member.up, member.pod) = (false, Pod::Unknown { reason: "worker-vdc1 does not answer".to_owned() });
    }
    let plan = world.plan();
    assert!(plan.steps.is_empty());
    assert!(!plan.available());
    assert_eq!(plan.sets[SHARD].health, Health::Unknown);
    assert_eq!(plan.waiting.iter().filter(|w| w.member.is_some()).count(), 3, "{:?}", plan.waiting);
}

#[test]
fn case_38_a_silent_api_moves_no_member_while_its_server_lives() {
    let mut world = World::settled(THREE);
    let primary = world.primary(SHARD);
    let lost = world.member(primary.as_str());
    lost.pod = Pod::Unknown { reason: "worker-vdc1 does not answer".to_owned() };
    let plan = world.plan();
    assert!(plan.steps.is_empty(), "{:?}", plan.steps);
    assert_eq!(plan.sets[SHARD].primary, Some(primary));
    assert!(plan.available());
}

#[test]
fn case_41_a_placement_that_returns_with_the_old_config_makes_no_second_primary() {
    let mut world = World::settled(THREE);
    let old_primary = world.primary(SHARD);
    world.member(old_primary.as_str()).up = false;
    world.tick();
    let new_primary = world.primary(SHARD);
    assert_ne!(old_primary, new_primary);
    // It comes back as it was cut off: primary of its own old term, with the old config.
    world.member(old_primary.as_str()).up = true;
    let mut topology = world.observe();
    let seen = topology.members.get_mut(&old_primary).unwrap();
    let Server::Reachable(server) = &mut seen.server else { panic!() };
    server.hello.writable_primary = true;
    let Replication::Member { status, config: Some(config) } = &mut server.replication else { panic!() };
    (status.term, status.my_state) = (status.term - 1, MemberState::Primary);
    config.stamp.term -= 1;
    let told = plan(&world.goal, &topology, world.now);
    assert_eq!(told.sets[SHARD].primary, Some(new_primary));
    assert!(told.steps.is_empty(), "{:?}", told.steps);

    // It learns of the new term and takes back what was never committed.
    world.member(old_primary.as_str()).state = Some(MemberState::Rollback);
    let told = world.plan();
    assert!(told.steps.is_empty(), "{:?}", told.steps);
    let member = &told.sets[SHARD].members[0];
    assert_eq!((member.state, member.ready), (Some(MemberState::Rollback), false));
    assert!(member.reason.as_ref().unwrap().contains("ROLLBACK"));
    world.member(old_primary.as_str()).state = None;
    world.run_until_settled(20);
    assert_eq!(world.config(SHARD).voters().count(), 3);
}

#[test]
fn case_43_what_stood_still_for_twenty_minutes_is_told_and_nothing_is_passed_over() {
    let mut world = World::settled(THREE);
    world.reshape(&[("vdc1", 1), ("vdc2", 1), ("vdc4", 1)]);
    world.member("ll-shard-0-vdc4-0").up = false;
    world.now += 24 * 3_600_000;
    let silent_for = |minutes: u64| {
        let mut topology = world.observe();
        let seen = topology.members.get_mut("ll-shard-0-vdc4-0").unwrap();
        seen.server = Server::Unreachable { reason: "no answer".to_owned(), since: world.now - minutes * 60_000 };
        let plan = plan(&world.goal, &topology, world.now);
        assert!(plan.steps.is_empty(), "{:?}", plan.steps);
        assert!(!plan.ready());
        plan.findings.into_iter().filter(|f| f.kind == FindingKind::Stuck).collect::<Vec<_>>()
    };
    assert!(silent_for(20).is_empty());
    let told = silent_for(21);
    assert_eq!(told.len(), 1);
    assert!(told[0].message.contains("ll-shard-0-vdc4-0"), "{}", told[0].message);
    assert_eq!(told, silent_for(300), "the sentence stands still as well (A5)");
}

#[test]
fn case_43_a_member_that_fell_off_the_oplog_is_told() {
    let mut world = World::settled(THREE);
    let stale = world.member("ll-shard-0-vdc3-0");
    (stale.state, stale.lag_ms) = (Some(MemberState::Recovering), 21 * 60_000);
    let told = |uptime_secs: Option<u64>| {
        let mut topology = world.observe();
        for seen in topology.members.values_mut() {
            let Server::Reachable(server) = &mut seen.server else { panic!() };
            let Replication::Member { status, .. } = &mut server.replication else { panic!() };
            for member in status.members.iter_mut().filter(|m| m.host.as_str().starts_with("ll-shard-0-vdc3-0")) {
                member.uptime_secs = uptime_secs;
            }
        }
        let plan = plan(&world.goal, &topology, world.now);
        assert!(plan.steps.is_empty());
        plan.findings
    };
    let minutes = |minutes: u64| Some(minutes * 60);
    let findings = told(minutes(21));
    assert_eq!(findings[0].kind, FindingKind::Stuck);
    assert!(findings[0].message.contains("ll-shard-0-vdc3-0"));
    for started_lately in [minutes(0), minutes(20), None] {
        assert!(told(started_lately).is_empty(), "it has run for {started_lately:?} s and may catch up");
    }
}

#[test]
fn case_44_routers_that_wait_for_dead_members_hold_up_no_set() {
    let mut world = World::settled(THREE);
    world.reshape(&[("vdc1", 1), ("vdc2", 2), ("vdc3", 1)]);
    world.member("ll-shard-0-vdc3-0").up = false;
    for _ in 0..20 {
        let mut topology = world.observe();
        for router in topology.routers.values_mut() {
            router.server = RouterServer::Unreachable { reason: "it waits for vdc3".to_owned() };
        }
        let plan = plan(&world.goal, &topology, world.now);
        plan.steps.iter().for_each(|step| world.apply(step));
        world.tick();
    }
    let joined = world.config(SHARD).members.iter().any(|m| m.host.as_str().starts_with("ll-shard-0-vdc2-1"));
    assert!(joined, "{:#?}", world.plan());
}

#[test]
fn a_placement_cut_off_before_it_joined_does_not_hold_the_others() {
    let mut world = World::shard(THREE);
    world.run_until(|world| world.sets[SHARD].config.is_some());
    let lost = world.member("ll-shard-0-vdc2-0");
    (lost.reachable, lost.pod) = (false, Pod::Unknown { reason: "no".to_owned() });
    for _ in 0..50 {
        world.plan().steps.iter().for_each(|s| world.apply(s));
        world.tick();
    }
    assert_eq!(world.config(SHARD).voters().count(), 2);
    assert_eq!(world.plan().sets[SHARD].added_as_shard, Some(true));
    world.member("ll-shard-0-vdc2-0").reachable = true;
    world.member("ll-shard-0-vdc2-0").pod = Pod::Absent;
    world.run_until_settled(50);
    assert_eq!(world.config(SHARD).voters().count(), 3);
}
