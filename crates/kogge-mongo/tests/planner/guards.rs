//! Guards that other tests pass by: each was dropped once without any of them failing.

use kogge_mongo::{MemberAnchor, MemberRole, Replication, Server, ServerState, SetRole, plan};

use crate::support::{SHARD, World, hold_an_older_config};

const THREE: &[(&str, u32)] = &[("vdc1", 1), ("vdc2", 1), ("vdc3", 1)];

#[test]
fn two_readers_that_become_voters_are_made_electable_one_after_the_other() {
    use MemberRole::{ReadOnly, Voter};
    let mut world = World::shard(THREE);
    let roles = |second, third| [("vdc1", 1, Voter), ("vdc2", 1, second), ("vdc3", 1, third)];
    world.want(SHARD, SetRole::Shard { index: 0 }, &roles(ReadOnly, ReadOnly));
    world.run_until_settled(200);
    world.want(SHARD, SetRole::Shard { index: 0 }, &roles(Voter, Voter));
    let taken = world.run_until_settled(200);
    let names: Vec<&str> = taken.iter().map(|step| step.action.name()).collect();
    let order: Vec<&&str> = names.iter().filter(|name| ["Promote", "SetPriority"].contains(name)).collect();
    assert_eq!(order, [&"Promote", &"SetPriority", &"Promote", &"SetPriority"]);
}

#[test]
fn a_member_whose_name_does_not_resolve_everywhere_does_not_join() {
    let mut world = World::settled(THREE);
    world.reshape(&[("vdc1", 1), ("vdc2", 1), ("vdc3", 1), ("vdc4", 1)]);
    world.member("ll-shard-0-vdc4-0").facts().resolves_everywhere = false;
    let plan = world.plan();
    assert!(plan.steps.is_empty(), "{:?}", plan.steps);
    assert!(plan.waiting.iter().any(|w| w.what.contains("resolve in every vdc")), "{:?}", plan.waiting);
}

#[test]
fn a_member_whose_pod_does_not_run_does_not_join_although_its_server_answered() {
    let mut world = World::settled(THREE);
    world.reshape(&[("vdc1", 1), ("vdc2", 1), ("vdc3", 1), ("vdc4", 1)]);
    world.member("ll-shard-0-vdc4-0").facts().running = false;
    let plan = world.plan();
    assert!(plan.steps.is_empty(), "{:?}", plan.steps);
    assert!(plan.waiting.iter().any(|w| w.what.contains("its pod to run")), "{:?}", plan.waiting);
}

#[test]
fn a_config_that_another_member_has_overtaken_is_not_changed() {
    let mut world = World::settled(THREE);
    world.reshape(&[("vdc1", 1), ("vdc2", 1), ("vdc3", 1), ("vdc4", 1)]);
    let mut topology = world.observe();
    assert!(!plan(&world.goal, &topology, world.now).steps.is_empty());
    let primary = world.primary(SHARD);
    let (_, other) = topology.members.iter_mut().find(|(pod, _)| **pod != primary).unwrap();
    let Server::Reachable(ServerState { replication: Replication::Member { config: Some(config), .. }, .. }) =
        &mut other.server
    else {
        panic!("a member of the set");
    };
    config.stamp.version += 1;
    let plan = plan(&world.goal, &topology, world.now);
    assert!(plan.steps.is_empty(), "{:?}", plan.steps);
    assert!(plan.waiting.iter().any(|w| w.what.contains("that another member holds")), "{:?}", plan.waiting);
}

#[test]
fn nobody_leaves_while_a_placement_is_not_seen() {
    let mut world = World::settled(THREE);
    world.reshape(&[("vdc1", 1), ("vdc2", 1)]);
    world.goal.unseen.insert("vdc2".into(), "its worker is silent".to_owned());
    let plan = world.plan();
    assert!(plan.steps.is_empty(), "{:?}", plan.steps);
    assert!(plan.waiting.iter().any(|w| w.what.contains("placement vdc2")), "{:?}", plan.waiting);
}

#[test]
fn a_vote_waits_for_the_record_that_the_member_holds_data() {
    let mut world = World::settled(THREE);
    world.reshape(&[("vdc1", 1), ("vdc2", 1), ("vdc3", 1), ("vdc4", 2)]);
    world.run_until(|world| world.actions().contains(&"Promote"));
    let waiting: Vec<_> = world.goal.sets[0].members.iter().filter(|m| m.pod.as_str().contains("vdc4")).collect();
    let ids: Vec<_> = waiting.iter().map(|m| (m.pod.clone(), m.anchor.member_id)).collect();
    for (pod, member_id) in ids {
        world.wanted(pod.as_str()).anchor = MemberAnchor { member_id, initialized: false };
    }
    assert!(!world.actions().contains(&"Promote"), "{:?}", world.actions());
}

#[test]
fn what_was_seen_too_long_ago_is_planned_on_by_nobody() {
    let mut world = World::settled(THREE);
    world.reshape(&[("vdc1", 1), ("vdc2", 1)]);
    let topology = world.observe();
    assert!(!plan(&world.goal, &topology, world.now).steps.is_empty());
    let later = plan(&world.goal, &topology, world.now + kogge_mongo::OBSERVATION_MAX_AGE + 1);
    assert!(later.steps.is_empty(), "{:?}", later.steps);
}

#[test]
fn never_more_than_seven_vote() {
    let mut world = World::settled(&[("vdc1", 3), ("vdc2", 2), ("vdc3", 2)]);
    world.reshape(&[("vdc1", 1), ("vdc2", 1), ("vdc3", 1), ("vdc4", 2), ("vdc5", 2)]);
    // While a placement is not seen members join and none leaves, so that no room is made for those that joined.
    world.goal.unseen.insert("vdc1".into(), "its worker is silent".to_owned());
    for round in 0..400 {
        if round == 100 {
            assert_eq!(world.config(SHARD).members.len(), 8, "one has joined and waits for its vote");
            world.goal.unseen.clear();
        }
        for step in world.plan().steps {
            world.apply(&step);
            assert!(world.config(SHARD).voters().count() <= 7, "{step}");
        }
        world.tick();
    }
    assert!(world.plan().ready());
}

#[test]
fn field_22_a_set_of_fifty_members_gives_one_up_before_another_joins() {
    let mut world = World::shard(&[("vdc1", 25), ("vdc2", 24), ("vdc3", 1)]);
    world.run_until_settled(2000);
    assert_eq!(world.config(SHARD).members.len(), 50);
    world.reshape(&[("vdc1", 25), ("vdc2", 24), ("vdc4", 1)]);
    for _ in 0..400 {
        let plan = world.plan();
        if plan.ready() {
            break;
        }
        for step in plan.steps {
            world.apply(&step);
            assert!(world.config(SHARD).members.len() <= 50, "{step}");
        }
        world.tick();
    }
    assert!(world.plan().ready(), "{:#?}", world.plan().waiting);
    assert!(world.config(SHARD).members.iter().any(|member| member.host.as_str().contains("vdc4")));
}

#[test]
fn a_config_that_is_known_to_spread_still_is_waited_for() {
    let mut world = World::settled(THREE);
    world.reshape(&[("vdc1", 1), ("vdc2", 1), ("vdc3", 1), ("vdc4", 1)]);
    world.tick();
    assert_eq!(world.actions(), ["ReserveMemberId"]);
    let behind = |pods: &[&str]| {
        let mut topology = world.observe();
        hold_an_older_config(&mut topology, pods);
        plan(&world.goal, &topology, world.now)
    };
    let secondaries: Vec<String> = world.members.keys().map(ToString::to_string).collect();
    let others: Vec<&str> =
        secondaries[..3].iter().map(String::as_str).filter(|pod| *pod != world.primary(SHARD).as_str()).collect();
    assert!(!behind(&others[..1]).steps.is_empty(), "a majority holds it");
    let plan = behind(&others);
    assert!(plan.steps.is_empty(), "{:#?}", plan.steps);
    assert!(
        plan.waiting.iter().any(|w| w.what.contains("to reach a majority of voters: 1 of 3 hold it")),
        "{:#?}",
        plan.waiting
    );
}
