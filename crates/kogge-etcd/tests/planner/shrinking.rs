//! Members that leave: cases 19 to 23.

use kogge_etcd::{FindingKind, PodName};

use crate::support::{Disk, World, pod, voters};

const ONE: &[(&str, u32)] = &[("vdc1", 1)];
const THREE: &[(&str, u32)] = &[("vdc1", 1), ("vdc2", 1), ("vdc3", 1)];
const FIVE: &[(&str, u32)] = &[("vdc1", 2), ("vdc2", 2), ("vdc3", 1)];

#[test]
fn etcd_19_the_leader_leaves_last_and_has_handed_over() {
    let mut world = World::settled(FIVE);
    let leader = world.leader();
    assert_eq!(leader, pod("vdc1", 0));
    world.want(&voters(&[("vdc2", 2), ("vdc3", 1)]));
    let steps = world.run_until_settled(100);
    let changes: Vec<_> = steps.iter().filter(|s| World::is_change(&s.action)).cloned().collect();
    assert_eq!(World::names(&changes), ["Remove", "MoveLeader", "Remove"]);
    assert_eq!(World::members_of(&changes, "Remove"), [pod("vdc1", 1), leader]);
    assert_eq!(world.group().voters().count(), 3);
}

#[test]
fn etcd_20_no_removal_goes_below_a_quorum_of_live_voters() {
    let mut world = World::settled(FIVE);
    // Two are dead and stay; a live one shall leave: of four voters two would be live.
    world.lose(&pod("vdc2", 0));
    world.lose(&pod("vdc2", 1));
    world.run(3);
    world.want(&voters(&[("vdc1", 1), ("vdc2", 2), ("vdc3", 1)]));
    let steps = world.run(20);
    assert!(!World::names(&steps).contains(&"Remove"));
    let plan = world.plan();
    assert!(plan.waiting.iter().any(|w| w.message.contains("2 of 4 voters would be live")), "{:#?}", plan.waiting);
    // The dead ones may go.
    world.want(&voters(&[("vdc1", 2), ("vdc3", 1)]));
    let steps = world.run(20);
    assert_eq!(World::members_of(&steps, "Remove"), [pod("vdc2", 0), pod("vdc2", 1)]);
}

#[test]
fn etcd_21_the_last_voter_stays() {
    let mut world = World::settled(ONE);
    world.want(&voters(&[("vdc2", 1)]));
    world.node(&pod("vdc2", 0)).lost = true;
    let steps = world.run(30);
    assert!(!World::names(&steps).contains(&"Remove"));
    assert_eq!(world.group().voters().count(), 1);
    // And it leaves once its heir votes.
    world.node(&pod("vdc2", 0)).lost = false;
    world.run_until_settled(100);
    assert_eq!(world.leader(), pod("vdc2", 0));
    assert_eq!(world.group().members().len(), 1);
}

#[test]
fn etcd_22_a_member_is_removed_before_its_pod_is_released_and_its_volume_is_kept() {
    let mut world = World::settled(THREE);
    let gone = pod("vdc3", 0);
    world.want(&voters(&[("vdc1", 1), ("vdc2", 1)]));
    let mut order = Vec::new();
    for _ in 0..20 {
        let steps = world.run(1);
        order.extend(World::names(&steps));
        if world.goal.leaving.is_empty() {
            break;
        }
        assert!(world.nodes.contains_key(&gone), "the pod went before the group had removed its member");
        assert_ne!(world.nodes[&gone].disk, Disk::Empty);
    }
    assert_eq!(order, ["Remove", "ForgetMember"]);
}

#[test]
fn etcd_23_a_member_that_is_removed_already_is_not_removed_again() {
    let mut world = World::settled(THREE);
    world.want(&voters(&[("vdc1", 1), ("vdc2", 1)]));
    let plan = world.plan();
    assert_eq!(World::names(&plan.steps), ["Remove"]);
    world.carry_out(plan.clone());
    world.carry_out(plan);
    assert!(world.refused.iter().any(|words| words.contains("NotFound")));
    world.tick();
    let left: Vec<PodName> = World::members_of(&world.run(10), "Remove");
    assert!(left.is_empty());
    assert_eq!(world.group().voters().count(), 2);
    // Two voters are kept and told: to take one more would take its data.
    assert!(world.plan().findings.iter().any(|f| f.kind == FindingKind::EvenVoters));
}

#[test]
fn nobody_leaves_before_its_replacement_votes() {
    let mut world = World::settled(THREE);
    world.want(&voters(&[("vdc1", 1), ("vdc2", 1), ("vdc4", 1)]));
    let steps = world.run_until_settled(100);
    let names = World::names(&steps);
    let at = |name: &str| names.iter().position(|n| *n == name).unwrap();
    assert!(at("Promote") < at("Remove"), "{names:?}");
}

#[test]
fn nobody_leaves_while_a_placement_is_unseen() {
    let mut world = World::settled(THREE);
    world.want(&voters(&[("vdc1", 1), ("vdc2", 1)]));
    world.goal.unseen.insert("vdc2".into(), "its API is not responding".to_owned());
    assert!(world.actions().is_empty());
}
