//! Configs, concurrent writers, lost majorities.

use kogge_mongo::{Action, ConfigStamp, FindingKind, Health};

use crate::support::{SHARD, World};

const THREE: &[(&str, u32)] = &[("vdc1", 1), ("vdc2", 1), ("vdc3", 1)];
const FIVE: &[(&str, u32)] = &[("vdc1", 1), ("vdc2", 1), ("vdc3", 1), ("vdc4", 2)];

#[test]
fn case_22_another_writers_config_is_planned_on_anew() {
    let mut world = World::settled(THREE);
    world.reshape(FIVE);
    world.plan().steps.iter().for_each(|s| world.apply(s));
    let before = world.plan().steps;
    world.set(SHARD).config.as_mut().unwrap().stamp.version += 1;
    let after = world.plan().steps;
    assert_ne!(before, after);
    world.run_until_settled(50);
}

#[test]
fn case_26_a_primary_that_changed_in_the_middle_is_found_again() {
    let mut world = World::settled(THREE);
    world.reshape(FIVE);
    world.run_until(|world| world.actions().contains(&"AddMember"));
    let planned = world.plan().steps.remove(0);
    let old = world.primary(SHARD);
    world.set(SHARD).stepped_down = Some(old.clone());
    world.set(SHARD).primary = None;
    let plan = world.plan();
    assert!(plan.steps.is_empty(), "without a primary nothing is asked of anybody: {:?}", plan.steps);
    world.tick();
    let new = world.primary(SHARD);
    assert_ne!(old, new);
    let steps = world.plan().steps;
    let Some(Action::AddMember { change, .. }) = steps.iter().map(|step| &step.action).next() else {
        panic!("{steps:?}")
    };
    assert_eq!(change.via, new);
    assert_ne!(steps[0], planned, "it is planned on the new primary's config");
    world.run_until_settled(60);
}

#[test]
fn case_23_two_voter_changes_are_two_steps() {
    // The world refuses a step that changes more than one voter.
    let mut world = World::settled(FIVE);
    world.reshape(&[("vdc1", 1), ("vdc2", 1), ("vdc3", 1)]);
    let steps = world.run_until_settled(60);
    assert_eq!(steps.iter().filter(|s| s.action.name() == "Demote").count(), 2);
}

#[test]
fn a_vote_is_not_taken_where_it_would_cost_the_majority() {
    let mut world = World::settled(FIVE);
    for pod in ["ll-shard-0-vdc2-0", "ll-shard-0-vdc3-0"] {
        world.member(pod).up = false;
    }
    world.reshape(&[("vdc1", 1), ("vdc2", 1), ("vdc3", 1), ("vdc4", 1)]);
    let plan = world.plan();
    assert!(plan.steps.is_empty(), "{:?}", plan.steps);
    assert!(plan.waiting.iter().any(|w| w.what.contains("more healthy voters")), "{:?}", plan.waiting);
}

#[test]
fn configs_compare_by_term_then_version_and_forced_ones_by_version() {
    let stamp = |version, term| ConfigStamp { version, term };
    assert!(stamp(1, 3).newer_than(stamp(9, 2)));
    assert!(stamp(10, 2).newer_than(stamp(9, 2)));
    assert!(!stamp(9, 2).newer_than(stamp(9, 2)));
    assert!(stamp(10_009, -1).newer_than(stamp(9, 7)));
    assert!(!stamp(8, 7).newer_than(stamp(9, -1)));
}

#[test]
fn case_39_a_lost_majority_is_reported_and_nothing_is_forced() {
    let mut world = World::settled(THREE);
    for pod in ["ll-shard-0-vdc1-0", "ll-shard-0-vdc2-0"] {
        world.member(pod).up = false;
    }
    world.tick();
    let plan = world.plan();
    assert!(plan.steps.is_empty());
    assert!(plan.findings.iter().any(|f| f.kind == FindingKind::MajorityLost), "{:?}", plan.findings);
    assert_eq!(plan.sets[SHARD].health, Health::Unavailable);
    assert!(!plan.available());
}

#[test]
fn case_42_a_primary_without_a_caught_up_heir_is_not_stepped_down() {
    let mut world = World::settled(FIVE);
    for member in world.members.values_mut() {
        member.lag_ms = 60_000;
    }
    let primary = world.primary(SHARD);
    world.member(primary.as_str()).lag_ms = 0;
    world.reshape(&[("vdc2", 1), ("vdc3", 1), ("vdc4", 2)]);
    for _ in 0..20 {
        let plan = world.plan();
        assert!(!plan.steps.iter().any(|s| s.action.name() == "StepDown"));
        plan.steps.iter().for_each(|s| world.apply(s));
        world.tick();
    }
    assert!(world.plan().waiting.iter().any(|w| w.what.contains("hand over")));
}
