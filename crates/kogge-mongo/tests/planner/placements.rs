//! Placements that move, fail and fall silent.

use kogge_mongo::{Pod, SetRole};

use crate::support::{SHARD, World, voters};

const THREE: &[(&str, u32)] = &[("vdc1", 1), ("vdc2", 1), ("vdc3", 1)];

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
fn case_35_38_a_silent_api_moves_no_member_and_the_rest_goes_on() {
    let mut world = World::settled(THREE);
    let lost = world.member("ll-shard-0-vdc3-0");
    lost.pod = Pod::Unknown { reason: "worker-vdc3 does not answer".to_owned() };
    lost.reachable = false;
    let plan = world.plan();
    assert!(plan.steps.is_empty());
    assert!(plan.available());
    assert!(!plan.ready());
    assert!(!plan.sets[SHARD].members[2].ready);

    world.reshape(&[("vdc1", 1), ("vdc2", 2), ("vdc3", 1)]);
    assert_eq!(world.actions(), ["ReserveMemberId"]);
}

#[test]
fn a_placement_cut_off_before_it_joined_does_not_hold_the_others() {
    let mut world = World::shard(THREE);
    while world.sets[SHARD].config.is_none() {
        world.plan().steps.iter().for_each(|s| world.apply(s));
    }
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
