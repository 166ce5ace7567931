//! What the shape of the votes survives: cases 51 to 54.

use std::collections::BTreeMap;

use kogge_etcd::votes::quorum;
use kogge_etcd::{FindingKind, Vdc};

use crate::support::{World, voters};

fn votes(world: &World) -> BTreeMap<Vdc, usize> {
    let group = world.group();
    let mut votes = BTreeMap::new();
    for listed in group.voters() {
        let node = world.nodes.iter().find(|(_, node)| listed.peer_urls.contains(&node.url)).unwrap().0;
        let vdc = node.as_str().split('-').nth(1).unwrap();
        *votes.entry(Vdc::from(vdc)).or_default() += 1;
    }
    votes
}

/// Whether any vdc may be lost and a quorum is left.
fn survives_any_vdc(world: &World) -> bool {
    let votes = votes(world);
    let all: usize = votes.values().sum();
    votes.values().all(|inside| all - inside >= quorum(all))
}

#[test]
fn etcd_51_an_even_number_of_voters_is_warned_of() {
    let mut world = World::settled(&[("vdc1", 2), ("vdc2", 2)]);
    let plan = world.plan();
    let finding = plan.findings.iter().find(|f| f.kind == FindingKind::EvenVoters).unwrap();
    assert!(finding.message.contains("4 members"), "{}", finding.message);
    // Three of them vote.
    assert_eq!(plan.group.voters, 3);
    assert!(plan.ready());
}

#[test]
fn etcd_52_with_three_vdcs_none_holds_a_majority() {
    for shape in [
        &[("vdc1", 1), ("vdc2", 1), ("vdc3", 1)][..],
        &[("vdc1", 3), ("vdc2", 1), ("vdc3", 1)],
        &[("vdc1", 2), ("vdc2", 2), ("vdc3", 1)],
        &[("vdc1", 2), ("vdc2", 1), ("vdc3", 1)],
        &[("vdc1", 2), ("vdc2", 2), ("vdc3", 2), ("vdc4", 2)],
    ] {
        let mut world = World::settled(shape);
        assert!(survives_any_vdc(&world), "{:?}", votes(&world));
        assert!(world.plan().group.critical_vdcs.is_empty());
    }
}

#[test]
fn a_third_vdc_takes_the_majority_of_the_first() {
    let mut world = World::settled(&[("vdc1", 2), ("vdc2", 1)]);
    world.empties_old_disks = true;
    world.want(&voters(&[("vdc1", 2), ("vdc2", 1), ("vdc3", 1)]));
    world.run_until_settled(200);
    assert!(survives_any_vdc(&world), "{:?}", votes(&world));
    assert_eq!(world.group().voters().count(), 3);
}

#[test]
fn etcd_53_in_two_vdcs_it_is_said_whose_loss_stops_writes() {
    let mut world = World::settled(&[("vdc1", 2), ("vdc2", 1)]);
    let plan = world.plan();
    let finding = plan.findings.iter().find(|f| f.kind == FindingKind::MajorityInOneVdc).unwrap();
    assert!(finding.message.contains("vdc1") && finding.message.contains("stops writes"), "{}", finding.message);
    assert_eq!(plan.group.critical_vdcs, [Vdc::from("vdc1")].into());
}

#[test]
fn etcd_54_a_move_never_gives_a_vdc_the_majority() {
    let shapes: [&[(&'static str, u32)]; 5] = [
        &[("vdc1", 1), ("vdc2", 1), ("vdc3", 1)],
        &[("vdc1", 1), ("vdc2", 1), ("vdc4", 1)],
        &[("vdc1", 2), ("vdc2", 2), ("vdc4", 1)],
        &[("vdc2", 2), ("vdc3", 2), ("vdc4", 1)],
        &[("vdc1", 1), ("vdc3", 1), ("vdc4", 1)],
    ];
    for max_learners in 1..=2 {
        let mut world = World::settled(shapes[0]);
        world.goal.max_learners = max_learners;
        for shape in &shapes[1..] {
            world.want(&voters(shape));
            for _ in 0..200 {
                if world.run(1).is_empty() && world.plan().ready() {
                    break;
                }
                let votes = votes(&world);
                let all: usize = votes.values().sum();
                assert!(votes.values().all(|inside| *inside < quorum(all)), "{votes:?}");
            }
            assert!(world.plan().ready());
            assert!(survives_any_vdc(&world));
        }
    }
}
