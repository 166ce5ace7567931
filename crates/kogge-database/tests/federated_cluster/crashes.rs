//! A6: the operator is killed anywhere, again and again, and sees less than there is; the end is the same.

use std::sync::OnceLock;

use proptest::prelude::*;
use serde_json::json;

use crate::world::{CONFIG, Picture, SHARD, World, live_through, round};

fn grow(world: &mut World) {
    world.register("vdc4");
    world.edit(|spec| {
        let placement = json!({"name": "vdc4", "vdc": "vdc4", "shard": {"membersPerPlacement": 2}});
        spec.placement.push(serde_json::from_value(placement).unwrap());
    });
}

/// What creation and growth come to where nobody is killed: what stands, and the voters of each set.
fn undisturbed() -> &'static (Picture, [usize; 2]) {
    static END: OnceLock<(Picture, [usize; 2])> = OnceLock::new();
    END.get_or_init(|| {
        let mut world = World::three();
        world.settle();
        grow(&mut world);
        world.settle();
        (world.picture(), [CONFIG, SHARD].map(|set| world.servers.voters(set).len()))
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, max_shrink_iters: 40, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn creation_and_growth(before in prop::collection::vec(round(), 0..60), after in prop::collection::vec(round(), 0..40)) {
        let mut world = World::three();
        live_through(&mut world, &before);
        // What is frozen when a database begins is so before it grows.
        while world.revisions.is_empty() {
            world.round();
        }
        grow(&mut world);
        live_through(&mut world, &after);
        world.settle();
        let (picture, voters) = undisturbed();
        prop_assert_eq!(&world.picture(), picture);
        prop_assert_eq!(&[CONFIG, SHARD].map(|set| world.servers.voters(set).len()), voters);
    }

    #[test]
    fn rollout_and_undo(to in prop::collection::vec(round(), 0..60), back in prop::collection::vec(round(), 0..40)) {
        let mut world = World::three_settled();
        let picture = world.picture();
        world.chart_version("1.1.0");
        live_through(&mut world, &to);
        // A primary that was asked to step down has its heir within a moment.
        world.tick();
        prop_assert!(world.servers.serve());
        world.chart_version("1.0.0");
        live_through(&mut world, &back);
        world.settle();
        prop_assert_eq!(world.picture(), picture);
    }
}
