//! Two of three data centres are gone: told and left alone, given up by a person, held out when they come back.

use kogge_api::conditions::database::{APPROVAL_NEEDED, READY};
use kogge_api::labels;
use proptest::prelude::*;

use crate::world::{CONFIG, Fate, SHARD, World};

const LOST: [&str; 2] = ["vdc2", "vdc3"];
const ASKED: &str = r#"{"lost":["vdc2","vdc3"],"fenced":true}"#;

fn disaster() -> World {
    let mut world = World::three_settled();
    for vdc in LOST {
        world.power(vdc, false);
    }
    world.rounds(5);
    world
}

/// The hashes that the condition shows.
fn hashes(world: &World) -> String {
    let message = world.condition(APPROVAL_NEEDED).message;
    message.rsplit_once('=').map(|(_, hashes)| hashes.to_owned()).unwrap_or_default()
}

fn forces(world: &World) -> usize {
    world.steps.iter().filter(|(_, step)| step.action.name() == "ForceReconfig").count()
}

/// Given up: the sets have a primary without the lost members.
fn recovered() -> World {
    let mut world = disaster();
    world.annotate(labels::RECOVER, Some(ASKED));
    world.rounds(3);
    let hashes = hashes(&world);
    world.annotate(labels::APPROVE, Some(&hashes));
    world.rounds(10);
    world
}

#[test]
fn case_39_a_lost_majority_is_told_and_left_alone() {
    let mut world = disaster();
    world.rounds(20);
    assert!(world.steps.is_empty(), "{:?}", world.steps);
    assert_eq!(world.condition(APPROVAL_NEEDED).reason, "None");
    world.annotate(labels::RECOVER, Some(r#"{"lost":["vdc2","vdc3"]}"#));
    world.rounds(3);
    assert_eq!(world.condition(APPROVAL_NEEDED).reason, "RecoveryRefused");
    assert!(world.condition(APPROVAL_NEEDED).message.contains("fenced: true"));
    world.annotate(labels::RECOVER, Some(r#"{"lost":["vdc9"],"fenced":true}"#));
    world.rounds(3);
    assert_eq!(world.condition(READY).reason, "RequestRefused");
    assert!(world.condition(READY).message.contains("vdc9"));
    assert_eq!(forces(&world), 0);
    world.annotate(labels::RECOVER, None);
    for vdc in LOST {
        world.power(vdc, true);
    }
    world.settle();
}

#[test]
fn case_40_one_approval_forces_each_set_once_and_the_anchors_know() {
    let mut world = disaster();
    world.annotate(labels::RECOVER, Some(ASKED));
    world.rounds(3);
    assert_eq!(world.condition(APPROVAL_NEEDED).reason, "MajorityLost");
    assert_eq!(forces(&world), 0);
    let hashes = hashes(&world);
    assert_eq!(hashes.split(',').count(), 2, "{hashes}");
    world.annotate(labels::APPROVE, Some(&hashes));
    world.rounds(20);
    assert_eq!(forces(&world), 2, "once for each set");
    assert!(world.servers.serve());
    for set in [CONFIG, SHARD] {
        assert_eq!(world.servers.config(set).members.len(), 1);
    }
    let fenced = world.anchor("vdc1").unwrap().record.fenced;
    let pods: Vec<&String> = fenced.keys().collect();
    assert_eq!(
        pods,
        ["ll2022-config-vdc2-0", "ll2022-config-vdc3-0", "ll2022-shard-0-vdc2-0", "ll2022-shard-0-vdc3-0"]
    );
}

#[test]
fn case_41_what_comes_back_is_held_out_until_it_is_empty() {
    let mut world = recovered();
    // Whether or not the annotations stay, and whoever the operator is by then.
    world.annotate(labels::RECOVER, None);
    world.annotate(labels::APPROVE, None);
    for vdc in LOST {
        world.power(vdc, true);
    }
    world.rounds(30);
    for set in [CONFIG, SHARD] {
        assert_eq!(world.servers.config(set).members.len(), 1, "{set}: added with its old data");
    }
    assert_eq!(world.condition(READY).reason, "HeldOut");
    for vdc in LOST {
        assert_eq!(world.anchor(vdc).unwrap().record.fenced.len(), 4, "{vdc} learned it");
    }

    world.annotate(labels::RECOVER, Some(r#"{"readmit":["vdc2","vdc3"]}"#));
    world.rounds(10);
    for set in [CONFIG, SHARD] {
        assert_eq!(world.servers.config(set).members.len(), 1, "{set}: added before it was empty");
    }
    for vdc in LOST {
        world.wipe(vdc, &format!("ll2022-config-{vdc}-0"));
        world.wipe(vdc, &format!("ll2022-shard-0-{vdc}-0"));
    }
    world.settle();
    for set in [CONFIG, SHARD] {
        assert_eq!(world.servers.voters(set).len(), 3);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, max_shrink_iters: 40, failure_persistence: None, ..ProptestConfig::default() })]

    /// The operator is killed anywhere between the approval and the end: each set is forced once, and the record
    /// is there before.
    #[test]
    fn a6_killed_anywhere_it_forces_once(
        kills in prop::collection::vec((prop::collection::vec(0_usize..4, 3), 0_usize..2, 0_usize..3), 0..15),
    ) {
        let mut world = disaster();
        world.annotate(labels::RECOVER, Some(ASKED));
        world.rounds(3);
        let hashes = hashes(&world);
        world.annotate(labels::APPROVE, Some(&hashes));
        for (writes, steps, seconds) in kills {
            world.observe();
            world.pass(&Fate::Killed { writes, steps });
            (0..seconds).for_each(|_| world.tick());
            if forces(&world) > 0 {
                prop_assert!(!world.anchor("vdc1").unwrap().record.fenced.is_empty(), "forced before it was recorded");
            }
        }
        world.rounds(20);
        prop_assert_eq!(forces(&world), 2);
        prop_assert!(world.servers.serve());
    }
}
