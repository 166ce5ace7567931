//! Planned switchovers, and drains of the placement that the primary is in.

use kogge_mongo::{Action, LOWERED_PRIORITY, MemberRole, MemberState, SetRole, Vdc};

use crate::support::{SHARD, World, voters};

const TWO_ONE_TWO: &[(&str, u32)] = &[("vdc1", 2), ("vdc2", 1), ("vdc3", 2)];

fn names(steps: &[kogge_mongo::Step]) -> Vec<&'static str> {
    steps.iter().map(|step| step.action.name()).collect()
}

fn vdc_of_primary(world: &World) -> Vdc {
    let primary = world.primary(SHARD);
    world.goal.sets[0].members.iter().find(|m| m.pod == primary).unwrap().vdc.clone()
}

#[test]
fn the_primary_leaves_the_vdc_stays_away_and_may_come_back() {
    let mut world = World::settled(TWO_ONE_TWO);
    let before = world.config(SHARD).clone();
    assert_eq!(vdc_of_primary(&world).as_str(), "vdc1");
    world.goal.away_from.insert("vdc1".into());
    let steps = world.run_until_settled(40);
    assert_eq!(names(&steps), ["LowerPriority", "LowerPriority", "StepDown"]);
    assert_ne!(vdc_of_primary(&world).as_str(), "vdc1");
    let config = world.config(SHARD);
    assert_eq!(config.voters().count(), 5, "votes are untouched");
    assert!(config.members[..2].iter().all(|m| m.priority == LOWERED_PRIORITY));
    assert!(world.plan().ready(), "and then nothing is done");

    world.goal.away_from.clear();
    let steps = world.run_until_settled(40);
    assert_eq!(names(&steps), ["SetPriority", "SetPriority"]);
    assert_eq!(world.config(SHARD).members, before.members);
}

#[test]
fn a_member_there_takes_over_where_nobody_else_is_left() {
    let mut world = World::settled(&[("vdc1", 2), ("vdc2", 1)]);
    world.goal.away_from.insert("vdc1".into());
    world.run_until_settled(40);
    assert_eq!(vdc_of_primary(&world).as_str(), "vdc2");
    world.member("ll-shard-0-vdc2-0").up = false;
    world.tick();
    assert_eq!(vdc_of_primary(&world).as_str(), "vdc1");
    assert!(world.plan().steps.is_empty(), "there is nobody to hand over to");
    world.member("ll-shard-0-vdc2-0").up = true;
    world.run_until_settled(20);
    assert_eq!(vdc_of_primary(&world).as_str(), "vdc2");
}

#[test]
fn nobody_steps_down_before_a_member_outside_has_caught_up() {
    let mut world = World::settled(TWO_ONE_TWO);
    world.goal.away_from.insert("vdc1".into());
    for (pod, member) in &mut world.members {
        if !pod.as_str().contains("vdc1") {
            member.lag_ms = 60_000;
        }
    }
    let steps = world.run(20);
    assert_eq!(names(&steps), ["LowerPriority", "LowerPriority"]);
    assert!(world.plan().waiting.iter().any(|w| w.what.contains("hand over")), "{:?}", world.plan().waiting);
    world.members.values_mut().for_each(|member| member.lag_ms = 0);
    assert_eq!(names(&world.run_until_settled(20)), ["StepDown"]);
}

#[test]
fn primaries_cannot_move_away_from_everywhere() {
    let mut world = World::settled(TWO_ONE_TWO);
    let before = world.config(SHARD).clone();
    world.goal.away_from = ["vdc1", "vdc2", "vdc3"].map(Vdc::from).into();
    assert!(world.run(10).is_empty());
    assert!(world.plan().waiting[0].what.contains("outside"), "{:?}", world.plan().waiting);
    assert_eq!(world.config(SHARD), &before);
}

#[test]
fn a_switchover_does_not_wait_for_an_initial_sync() {
    let mut world = World::settled(&[("vdc1", 1), ("vdc2", 1), ("vdc3", 1)]);
    world.goal.away_from.insert("vdc1".into());
    world.member("ll-shard-0-vdc3-0").state = Some(MemberState::Startup2);
    assert_eq!(world.actions(), ["StepDown"], "nobody inside could inherit");
    world.goal.away_from.insert("vdc2".into());
    assert!(!world.actions().contains(&"StepDown"), "the one outside is still syncing");
}

#[test]
fn while_the_set_is_disturbed_a_primary_stays_where_another_inside_could_inherit() {
    let mut world = World::settled(TWO_ONE_TWO);
    world.goal.away_from.insert("vdc1".into());
    world.member("ll-shard-0-vdc2-0").state = Some(MemberState::Startup2);
    let plan = world.plan();
    assert!(plan.steps.is_empty(), "{:?}", plan.steps);
    assert!(plan.waiting.iter().any(|w| w.what.contains("before its priority is lowered")), "{:?}", plan.waiting);
}

#[test]
fn the_office_does_not_go_to_a_member_that_loses_its_vote() {
    let mut world = World::settled(&[("vdc1", 1), ("vdc2", 1), ("vdc3", 1), ("vdc4", 2)]);
    let mut shares = voters(&[("vdc1", 1), ("vdc3", 1), ("vdc4", 1)]);
    shares.push(("vdc2", 1, MemberRole::ReadOnly));
    world.want(SHARD, SetRole::Shard { index: 0 }, &shares);
    world.goal.away_from.insert("vdc1".into());
    for pod in ["ll-shard-0-vdc3-0", "ll-shard-0-vdc4-0"] {
        world.member(pod).lag_ms = 60_000;
    }
    let steps = world.run(20);
    assert!(!names(&steps).contains(&"StepDown"), "{:?}", names(&steps));
    assert!(names(&steps).contains(&"Demote"), "{:?}", names(&steps));
}

#[test]
fn a_primary_hands_over_before_its_priority_becomes_0() {
    let mut world = World::settled(TWO_ONE_TWO);
    let primary = world.primary(SHARD);
    world.wanted(primary.as_str()).priority = 0;
    assert_eq!(names(&world.run_until_settled(20)), ["StepDown", "SetPriority"]);
}

#[test]
fn during_a_rollout_the_primary_moves_out_once() {
    let mut world = World::settled(&[("vdc1", 1), ("vdc2", 1), ("vdc3", 1)]);
    world.goal.away_from.insert("vdc1".into());
    world.revision = "r2".to_owned();
    world.tick();
    let steps = world.run_until_settled(60);
    assert_eq!(steps.iter().filter(|s| s.action.name() == "StepDown").count(), 1, "{:?}", names(&steps));
}

#[test]
fn a_seed_is_chosen_outside() {
    let mut world = World::shard(&[("vdc1", 1), ("vdc2", 1), ("vdc3", 1)]);
    world.goal.away_from.insert("vdc1".into());
    world.run_until_settled(60);
    assert_eq!(vdc_of_primary(&world).as_str(), "vdc2");
}

#[test]
fn the_primary_moves_out_before_any_member_of_its_placement_is_demoted() {
    let mut world = World::settled(&[("vdc1", 2), ("vdc2", 1), ("vdc3", 1), ("vdc4", 1)]);
    assert_eq!(vdc_of_primary(&world).as_str(), "vdc1");
    world.reshape(&[("vdc2", 1), ("vdc3", 1), ("vdc4", 1)]);
    let steps = world.run_until_settled(100);
    let moved = steps.iter().position(|s| s.action.name() == "StepDown").unwrap();
    let demoted = steps.iter().position(|s| s.action.name() == "Demote").unwrap();
    assert!(moved < demoted, "{:?}", names(&steps));
    assert_eq!(steps.iter().filter(|s| s.action.name() == "StepDown").count(), 1, "it moves once");
    let kept_from_it = steps[..moved].iter().filter_map(|step| match &step.action {
        Action::SetPriority { change, priority: 0 } => Some(change.host.as_str()),
        _ => None,
    });
    assert!(kept_from_it.clone().all(|host| host.starts_with("ll-shard-0-vdc1-")));
    assert_eq!(kept_from_it.count(), 1);
}

#[test]
fn where_all_seven_voters_are_replaced_room_is_made_first() {
    let mut world = World::settled(&[("vdc1", 3), ("vdc2", 2), ("vdc3", 2)]);
    world.reshape(&[("vdc4", 3), ("vdc5", 2), ("vdc6", 2)]);
    world.run_until_settled(300);
    assert_eq!(world.config(SHARD).members.len(), 7);
    assert_eq!(world.config(SHARD).voters().count(), 7);
}

#[test]
fn a_drain_and_a_switchover_do_not_hand_the_office_to_and_fro() {
    let shard = SetRole::Shard { index: 0 };
    let mut world = World::settled(&[("vdc2", 2), ("vdc3", 1), ("vdc4", 1), ("vdc5", 3)]);
    let mut shares = voters(&[("vdc1", 2), ("vdc3", 1)]);
    shares.push(("vdc2", 1, MemberRole::ReadOnly));
    world.want(SHARD, shard, &shares);
    world.goal.away_from.insert("vdc3".into());
    let steps = world.run_until_settled(300);
    let handed_over = steps.iter().filter(|s| s.action.name() == "StepDown").count();
    assert!(handed_over <= 2, "{:?}", names(&steps));
    assert_eq!(vdc_of_primary(&world).as_str(), "vdc1");
}

#[test]
fn a_vdc_that_primaries_may_come_back_to_takes_the_office_when_the_others_are_emptied() {
    let mut world = World::settled(&[("vdc1", 1), ("vdc2", 1), ("vdc3", 1)]);
    world.goal.away_from = ["vdc3".into()].into();
    world.run_until_settled(100);
    // Its members still have their lowered priority.
    world.goal.away_from = ["vdc1".into(), "vdc2".into()].into();
    let taken = world.run_until_settled(100);
    assert_eq!(taken.iter().filter(|step| step.action.name() == "StepDown").count(), 1, "{taken:#?}");
    assert_eq!(world.primary(SHARD).as_str(), "ll-shard-0-vdc3-0");
}

#[test]
fn while_the_set_is_disturbed_a_primary_stays_where_another_inside_is_as_likely_to_inherit() {
    let mut world = World::settled(&[("vdc1", 1), ("vdc2", 1), ("vdc3", 2)]);
    world.goal.away_from = ["vdc2".into(), "vdc3".into()].into();
    world.run_until_settled(100);
    world.goal.away_from = ["vdc1".into(), "vdc2".into()].into();
    world.member("ll-shard-0-vdc3-1").state = Some(MemberState::Startup2);
    let plan = world.plan();
    assert!(plan.steps.is_empty(), "{:?}", plan.steps);
    assert!(plan.waiting.iter().any(|w| w.what.contains("before its priority is lowered")), "{:?}", plan.waiting);
}
