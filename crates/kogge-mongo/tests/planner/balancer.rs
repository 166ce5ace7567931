//! What is set for the whole sharded cluster: the balancer around rollouts, default concerns, the feature version.

use kogge_mongo::FindingKind;

use crate::shards::{cluster, findings, names, waits};
use crate::support::World;

fn roll(world: &mut World) {
    world.revision = "r2".to_owned();
    world.tick();
}

#[test]
fn the_balancer_rests_during_a_rollout_and_runs_again_after_it() {
    let mut world = cluster(2);
    roll(&mut world);
    let steps = world.run_until_settled(200);
    let all = names(&steps);
    assert_eq!(&all[..3], ["RecordBalancerPause", "StopBalancer", "RestartPod"], "before the first restart");
    assert_eq!(&all[all.len() - 2..], ["StartBalancer", "RecordBalancerResumed"]);
    assert_eq!(world.cluster.balancer_on, Some(true));
    assert!(!world.goal.balancer.under_way());
}

#[test]
fn a_balancer_that_a_person_stopped_stays_off() {
    let mut world = cluster(2);
    world.cluster.balancer_on = Some(false);
    roll(&mut world);
    let steps = world.run_until_settled(200);
    assert!(!names(&steps).iter().any(|name| name.contains("Balancer")));
    assert_eq!(world.cluster.balancer_on, Some(false));
}

#[test]
fn the_balancer_rests_between_the_shares_of_a_rollout() {
    let mut world = cluster(2);
    world.goal.rolling = true;
    for step in world.plan().steps {
        world.apply(&step);
    }
    for step in world.plan().steps {
        world.apply(&step);
    }
    assert_eq!(world.cluster.balancer_on, Some(false));
    assert!(world.plan().steps.is_empty());
    world.goal.rolling = false;
    assert_eq!(names(&world.run_until_settled(10)), ["StartBalancer", "RecordBalancerResumed"]);
}

#[test]
fn with_one_shard_there_is_nothing_to_balance() {
    let mut world = cluster(1);
    roll(&mut world);
    assert!(!names(&world.run_until_settled(200)).iter().any(|name| name.contains("Balancer")));
}

#[test]
fn majority_becomes_the_default_concern_for_writes_and_reads_where_nobody_set_one() {
    let mut world = cluster(1);
    let concerns = |world: &World| (world.cluster.default_write_concern, world.cluster.default_read_concern);
    let plan = |write, read| {
        let mut world = cluster(1);
        (world.cluster.default_write_concern, world.cluster.default_read_concern) = (write, read);
        world.plan().steps
    };
    (world.cluster.default_write_concern, world.cluster.default_read_concern) = (Some(false), Some(false));
    assert_eq!(names(&world.run_until_settled(5)), ["SetDefaultConcerns"]);
    assert_eq!(concerns(&world), (Some(true), Some(true)));

    let [step] = plan(Some(false), Some(true)).try_into().unwrap();
    assert_eq!(step.action.to_string(), "make majority the default write concern", "a person chose for reads");
    assert!(plan(Some(true), Some(false)).is_empty(), "a person chose for writes, or took back what reads had");
    assert!(plan(Some(true), Some(true)).is_empty(), "whatever was set");
    assert!(plan(None, None).is_empty(), "what could not be read is not set");
}

#[test]
fn the_feature_version_is_raised_only_when_the_spec_says_so_and_every_member_knows_it() {
    let mut world = cluster(1);
    assert!(world.plan().steps.is_empty(), "nobody asked");
    world.goal.feature_compatibility_version = Some("7.0".to_owned());
    assert_eq!(names(&world.run_until_settled(5)), ["SetFeatureCompatibilityVersion"]);
    assert_eq!(world.plan().feature_compatibility_version.as_deref(), Some("7.0"));
    world.goal.feature_compatibility_version = Some("8.0".to_owned());
    assert!(
        world.plan().steps.is_empty() && waits(&world).contains("knows the feature compatibility version 8.0")
    );
}

#[test]
fn the_feature_version_is_never_lowered_and_not_raised_during_a_rollout() {
    let mut world = cluster(1);
    world.goal.feature_compatibility_version = Some("5.0".to_owned());
    assert_eq!(findings(&world), [FindingKind::FeatureVersionRefused]);
    assert!(world.plan().steps.is_empty());
    world.goal.feature_compatibility_version = Some("9.9".to_owned());
    assert!(world.plan().findings[0].message.contains("use one of 4.4, 5.0, 6.0, 7.0, 8.0"));
    world.goal.feature_compatibility_version = Some("7.0".to_owned());
    world.goal.rolling = true;
    assert!(world.plan().steps.is_empty() && waits(&world).contains("the rollout to end"));
}
