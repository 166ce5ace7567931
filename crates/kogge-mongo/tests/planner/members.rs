//! Members that join, change and leave.

use kogge_mongo::{
    Access, Action, Executor, FindingKind, Health, MemberAnchor, MemberId, MemberRole, MemberState, Replication,
    Server, SetRole, plan,
};

use crate::support::{SHARD, World, config_member, voters};

const THREE: &[(&str, u32)] = &[("vdc1", 1), ("vdc2", 1), ("vdc3", 1)];

#[test]
fn case_07_a_recreated_pod_keeps_its_id() {
    let mut world = World::settled(THREE);
    let before = world.config(SHARD).clone();
    let pod = world.member("ll-shard-0-vdc3-0");
    pod.facts().uid = "another".to_owned();
    assert!(world.plan().ready());
    world.run_until_settled(5);
    assert_eq!(world.config(SHARD), &before);
}

#[test]
fn case_10_one_name_for_two_members_is_refused() {
    let mut world = World::shard(THREE);
    let twin = world.goal.sets[0].members[0].pod.clone();
    world.goal.sets[0].members[1].pod = twin;
    let plan = world.plan();
    assert!(plan.steps.is_empty());
    assert_eq!(plan.findings[0].kind, FindingKind::InvalidGoal);
    assert!(plan.findings[0].message.contains("ll-shard-0-vdc1-0"));
}

#[test]
fn case_11_ids_are_never_reused_and_end_below_256() {
    let mut world = World::settled(THREE);
    world.reshape(&[("vdc1", 1), ("vdc2", 1)]);
    world.run_until_settled(50);
    world.reshape(THREE);
    world.run_until_settled(50);
    let ids: Vec<_> = world.config(SHARD).members.iter().map(|m| m.id).collect();
    assert_eq!(ids, [MemberId(0), MemberId(1), MemberId(3)]);

    world.goal.sets[0].next_member_id = 256;
    world.reshape(&[("vdc1", 1), ("vdc2", 1), ("vdc3", 1), ("vdc4", 1)]);
    let plan = world.plan();
    assert!(plan.steps.is_empty());
    assert_eq!(plan.findings[0].kind, FindingKind::MemberIdsExhausted);
}

/// A set of three that grows by two while a member is in this state.
fn growing_beside(state: MemberState) -> World {
    let mut world = World::settled(THREE);
    world.reshape(&[("vdc1", 1), ("vdc2", 1), ("vdc3", 1), ("vdc4", 2)]);
    world.member("ll-shard-0-vdc3-0").state = Some(state);
    world
}

fn holds_the_next_step(state: MemberState) {
    let plan = growing_beside(state).plan();
    assert!(plan.steps.is_empty(), "{state}: {:?}", plan.steps);
    let member = &plan.sets[SHARD].members[2];
    assert!(!member.ready);
    assert_eq!(member.state, Some(state));
    assert_eq!(plan.sets[SHARD].health, Health::Progressing);
}

#[test]
fn case_12_a_member_in_startup2_holds_the_next_addition() {
    holds_the_next_step(MemberState::Startup2);
    let mut world = World::settled(THREE);
    world.reshape(&[("vdc1", 1), ("vdc2", 1), ("vdc3", 1), ("vdc4", 2)]);
    world.run_until(|world| world.actions().contains(&"AddMember"));
    world.plan().steps.iter().for_each(|s| world.apply(s));
    world.tick();
    assert_eq!(world.plan().sets[SHARD].members[3].state, Some(MemberState::Startup2));
    assert!(world.actions().is_empty(), "the second one waits for the first");
}

#[test]
fn case_13_an_initial_sync_for_hours_is_alive_and_not_ready() {
    let mut world = growing_beside(MemberState::Startup2);
    world.now += 10 * 3_600_000;
    let plan = world.plan();
    assert!(plan.steps.is_empty());
    assert!(plan.findings.is_empty(), "nobody is alarmed: {:?}", plan.findings);
    let member = &plan.sets[SHARD].members[2];
    assert_eq!((member.ready, member.state), (false, Some(MemberState::Startup2)));
}

#[test]
fn case_14_rollback_and_recovering_are_alive_and_hold_the_next_step() {
    for state in [MemberState::Recovering, MemberState::Rollback, MemberState::Startup] {
        holds_the_next_step(state);
    }
}

#[test]
fn case_15_startup_may_take_thirty_seconds_and_a_minute_for_each_gib_of_oplog() {
    let mut world = World::settled(THREE);
    world.member("ll-shard-0-vdc3-0").state = Some(MemberState::Startup);
    let findings = |uptime_secs: u64, oplog_gib: u64| {
        let mut topology = world.observe();
        for seen in topology.members.values_mut() {
            let Server::Reachable(server) = &mut seen.server else { panic!() };
            let Replication::Member { status, .. } = &mut server.replication else { panic!() };
            status.oplog_bytes = Some(oplog_gib << 30);
            status.members[2].uptime_secs = Some(uptime_secs);
        }
        let plan = plan(&world.goal, &topology, world.now);
        assert!(plan.steps.is_empty());
        let findings = plan.findings.into_iter();
        findings.filter(|f| f.kind == FindingKind::StartupOverdue).map(|f| f.message).collect::<Vec<_>>()
    };
    assert!(findings(90, 1).is_empty());
    assert!(findings(91, 1)[0].contains("ll-shard-0-vdc3-0"));
    assert!(findings(150, 2).is_empty());
    assert_eq!(findings(151, 2).len(), 1);
}

#[test]
fn case_16_removed_down_and_unknown_are_unhealthy() {
    for state in [MemberState::Removed, MemberState::Down, MemberState::Unknown] {
        let mut world = World::settled(THREE);
        world.member("ll-shard-0-vdc3-0").state = Some(state);
        let plan = world.plan();
        assert!(plan.steps.is_empty());
        assert!(!plan.sets[SHARD].members[2].ready);
        assert_eq!(plan.sets[SHARD].health, Health::Degraded);
        assert!(plan.sets[SHARD].quorum_at_risk);
    }
}

#[test]
fn case_18_a_foreign_member_is_reported_and_kept() {
    let mut world = World::settled(THREE);
    let foreign =
        config_member(MemberId(9), &"elsewhere:27017".into(), 0, 0.0, &std::collections::BTreeMap::new());
    world.set(SHARD).config.as_mut().unwrap().members.push(foreign);
    let plan = world.plan();
    assert!(plan.steps.is_empty());
    assert_eq!(plan.findings[0].kind, FindingKind::ForeignMember);
    assert!(plan.findings[0].message.contains("elsewhere:27017"));
}

#[test]
fn case_19_the_last_member_is_never_removed() {
    let mut world = World::settled(&[("vdc1", 1)]);
    world.reshape(&[]);
    let plan = world.plan();
    assert!(plan.steps.is_empty());
    assert_eq!(plan.findings[0].kind, FindingKind::InvalidGoal);
}

#[test]
fn case_20_a_primary_that_leaves_steps_down_first() {
    let mut world = World::settled(&[("vdc1", 1), ("vdc2", 1), ("vdc3", 1), ("vdc4", 1), ("vdc5", 1)]);
    let primary = world.primary(SHARD);
    assert_eq!(primary.as_str(), "ll-shard-0-vdc1-0");
    world.reshape(&[("vdc2", 1), ("vdc3", 1), ("vdc4", 1), ("vdc5", 1)]);
    let steps = world.run_until_settled(60);
    let about_it: Vec<_> = steps
        .iter()
        .filter(|s| match &s.action {
            Action::Demote { change } | Action::RemoveMember { change } => {
                change.host.as_str().starts_with("ll-shard-0-vdc1-0")
            }
            Action::StepDown { pod } | Action::ForgetMember { pod } => pod == &primary,
            _ => false,
        })
        .map(|s| s.action.name())
        .collect();
    assert_eq!(about_it, ["StepDown", "Demote", "RemoveMember", "ForgetMember"]);
}

/// A config that only the primary holds may be rolled back, and then lists the member again.
#[test]
fn a_member_is_forgotten_only_once_a_majority_was_seen_with_the_config_without_it() {
    let mut world = World::settled(&[("vdc1", 1), ("vdc2", 1), ("vdc3", 1), ("vdc4", 1), ("vdc5", 1)]);
    world.reshape(&[("vdc1", 1), ("vdc2", 1), ("vdc3", 1)]);
    let forgets = |world: &World| world.actions().contains(&"ForgetMember");
    world.run_until(forgets);
    let mut topology = world.observe();
    for pod in ["ll-shard-0-vdc2-0", "ll-shard-0-vdc3-0"] {
        let seen = topology.members.get_mut(pod).unwrap();
        seen.server = Server::Unreachable { reason: "its API does not answer".to_owned(), since: world.now };
    }
    let steps = plan(&world.goal, &topology, world.now).steps;
    assert!(steps.iter().all(|step| step.action.name() != "ForgetMember"), "{steps:#?}");
}

#[test]
fn case_21_eleven_pods_are_in_numeric_order() {
    let world = World::settled(&[("vdc1", 11)]);
    let ids: Vec<_> = world.config(SHARD).members.iter().map(|m| m.host.as_str()).collect();
    let ordinals: Vec<_> = ids.iter().map(|h| h.split('.').next().unwrap().rsplit('-').next().unwrap()).collect();
    assert_eq!(ordinals, ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10"]);
    assert_eq!(world.config(SHARD).voters().count(), 7);
}

#[test]
fn case_31_drifted_tags_are_put_back_and_votes_untouched() {
    let mut world = World::settled(THREE);
    let before = world.config(SHARD).clone();
    world.set(SHARD).config.as_mut().unwrap().members[1].tags.insert("vdc".to_owned(), "moon".to_owned());
    assert_eq!(world.actions(), ["SetTags"]);
    world.run_until_settled(5);
    assert_eq!(world.config(SHARD).members, before.members);
}

#[test]
fn a_read_only_member_never_votes() {
    let mut world = World::settled(THREE);
    let mut shares = voters(THREE);
    shares.push(("vdc4", 2, MemberRole::ReadOnly));
    world.want(SHARD, SetRole::Shard { index: 0 }, &shares);
    world.run_until_settled(50);
    assert_eq!(world.config(SHARD).members.len(), 5);
    assert_eq!(world.config(SHARD).voters().count(), 3);
}

#[test]
fn a_new_placement_grows_three_voters_to_five() {
    let mut world = World::settled(THREE);
    world.reshape(&[("vdc1", 1), ("vdc2", 1), ("vdc3", 1), ("vdc4", 2)]);
    let steps = world.run_until_settled(50);
    let wire = steps.iter().filter(|s| s.action.executor() == Executor::Wire);
    let names: Vec<_> = wire.map(|s| s.action.name()).collect();
    let one = ["AddMember", "Promote", "SetPriority"];
    assert_eq!(names, [one, one].concat());
    assert_eq!(world.config(SHARD).voters().count(), 5);
}

#[test]
fn a_member_gets_its_vote_only_as_a_caught_up_secondary() {
    let mut world = World::settled(THREE);
    world.reshape(&[("vdc1", 1), ("vdc2", 1), ("vdc3", 1), ("vdc4", 2)]);
    world.run_until(|world| world.actions().contains(&"Promote"));
    let mut lagging = world.clone();
    lagging.member("ll-shard-0-vdc4-0").lag_ms = 60_000;
    assert!(!lagging.actions().contains(&"Promote"));
    let mut silent = world.clone();
    silent.member("ll-shard-0-vdc4-0").up = false;
    assert!(!silent.actions().contains(&"Promote"));
    world.member("ll-shard-0-vdc4-0").state = Some(MemberState::Unknown);
    assert!(!world.actions().contains(&"Promote"));
}

#[test]
fn the_shard_is_added_once() {
    let mut world = World::shard(THREE);
    let steps = world.run_until_settled(50);
    assert_eq!(steps.iter().filter(|s| s.action.name() == "AddShard").count(), 1);
    assert_eq!(world.plan().sets[SHARD].added_as_shard, Some(true));
}

#[test]
fn a_refusal_by_a_member_that_has_not_synced_its_users_yet_alarms_nobody() {
    let refusing = |state| {
        let mut world = World::settled(THREE);
        world.member("ll-shard-0-vdc3-0").state = Some(state);
        let mut topology = world.observe();
        let seen = topology.members.get_mut("ll-shard-0-vdc3-0").unwrap();
        let Server::Reachable(server) = &mut seen.server else { panic!() };
        server.access = Access::Refused { reason: "wrong password".to_owned() };
        server.replication = Replication::Unreadable { reason: "wrong password".to_owned() };
        let findings = plan(&world.goal, &topology, world.now).findings;
        findings.iter().any(|finding| finding.kind == FindingKind::AccessRefused)
    };
    assert!(!refusing(MemberState::Startup2), "its users come with the data");
    assert!(refusing(MemberState::Secondary), "it has the data, so somebody changed the user");
}

#[test]
fn a_member_gets_its_id_while_the_anchors_of_most_placements_are_seen() {
    let mut world = World::settled(THREE);
    world.reshape(&[("vdc1", 1), ("vdc2", 1), ("vdc3", 1), ("vdc4", 2)]);
    world.goal.unseen.insert("vdc3".into(), "its worker is silent".to_owned());
    assert_eq!(world.actions(), ["ReserveMemberId"], "a lost data centre can be replaced by another");
    world.goal.unseen.insert("vdc2".into(), "its worker is silent".to_owned());
    let plan = world.plan();
    assert!(plan.steps.is_empty(), "who knows which ids were used: {:?}", plan.steps);
    assert!(plan.waiting.iter().any(|waiting| waiting.what.contains("placement vdc2")), "{:?}", plan.waiting);
}

#[test]
fn reservations_that_crossed_heal_by_themselves() {
    for votes in [0, 1] {
        let mut world = World::settled(THREE);
        let pod = "ll-shard-0-vdc3-0";
        let set = &mut world.goal.sets[0];
        let member = set.members.iter_mut().find(|m| m.pod.as_str() == pod).unwrap();
        member.anchor = MemberAnchor { member_id: Some(MemberId(7)), initialized: false };
        set.next_member_id = 8;
        let listed = &mut world.set(SHARD).config.as_mut().unwrap().members[2];
        assert!(listed.host.as_str().starts_with(pod));
        (listed.votes, listed.priority) = (votes, f64::from(votes));
        let steps = world.run_until_settled(30);
        let names: Vec<_> = steps.iter().map(|s| s.action.name()).skip_while(|name| *name == "Demote").collect();
        assert_eq!(names, ["RemoveMember", "AddMember", "MarkInitialized", "Promote", "SetPriority"]);
        assert_eq!(world.config(SHARD).members[2].id, MemberId(7));
    }
}
