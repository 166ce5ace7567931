//! A6: the operator is killed anywhere, again and again, and sees less than there is; the end is the same.

use proptest::prelude::*;

use crate::world::{World, live_through, round};

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, max_shrink_iters: 40, failure_persistence: None, ..ProptestConfig::default() })]

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
