//! A6: the operator is killed between any two writes, and sees less than there is; the end is the same.

use std::collections::BTreeSet;
use std::sync::OnceLock;

use proptest::prelude::*;
use rstest::rstest;

use crate::world::{Fate, Picture, World, live_through, round};

/// Passes of an operator that never comes further than a write, within which a database is made, or grows.
const PASSES: usize = 400;

/// What creation and growth come to where nobody is killed: which objects exist, and how many vote in each group.
fn undisturbed() -> &'static (Picture, Vec<usize>) {
    static END: OnceLock<(Picture, Vec<usize>)> = OnceLock::new();
    END.get_or_init(|| {
        let mut world = World::three();
        world.settle();
        world.grow();
        world.settle();
        let votes = votes(&world);
        assert!(votes.iter().all(|voters| *voters == 5), "{votes:?}");
        (world.picture(), votes)
    })
}

/// How many vote in each group.
fn votes(world: &World) -> Vec<usize> {
    world.servers.votes().values().map(BTreeSet::len).collect()
}

/// Each pass ends at the first write that it makes on each of these workers, or at its first step.
fn stumble(world: &mut World, writes: &[usize], until: usize) {
    for pass in 0..PASSES {
        world.observe();
        // One worker after another is written first.
        let (mut writes, turn) = (writes.to_vec(), pass % writes.len());
        writes.rotate_right(turn);
        world.pass(&Fate::Killed { writes, steps: 1 });
        world.tick();
        if votes(world) == vec![until; undisturbed().1.len()] {
            return;
        }
    }
    panic!("an operator that is killed at every write comes to {:?}", world.servers.votes());
}

#[rstest]
#[case::a_write_on_each_worker(&[1, 1, 1, 1, 1])]
#[case::one_write_in_all(&[1, 0, 0, 0, 0])]
#[case::two_here_and_none_there(&[2, 0, 2, 0, 1])]
fn killed_between_any_two_writes(#[case] writes: &[usize]) {
    let mut world = World::three();
    stumble(&mut world, &writes[..3], 3);
    world.grow();
    stumble(&mut world, writes, 5);
    world.settle();
    assert_eq!((world.picture(), votes(&world)), *undisturbed());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 6, max_shrink_iters: 40, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn creation_and_growth(before in prop::collection::vec(round(), 0..60), after in prop::collection::vec(round(), 0..60)) {
        let mut world = World::three();
        live_through(&mut world, &before);
        // What is frozen when a database begins is so before it grows.
        while world.revisions.is_empty() {
            world.round();
        }
        world.grow();
        live_through(&mut world, &after);
        world.settle();
        prop_assert_eq!((world.picture(), votes(&world)), undisturbed().clone());
    }
}
