//! What the anchors remember of disks that were lost, for the gates that may see them again.

use crate::world::{Fate, World};

const VICTIM: &str = "ll2022-shard-0-vdc3-0";
const WORKERS: [&str; 3] = ["vdc1", "vdc2", "vdc3"];

/// The ID that an anchor has of the victim, and the one that it lost its disk under.
fn ids(world: &World, vdc: &str) -> (u32, Option<u32>) {
    let anchor = world.anchor(vdc).unwrap();
    (anchor.record.members[VICTIM].member_id.unwrap(), anchor.record.lost_disks.get(VICTIM).copied())
}

#[test]
fn no_anchor_has_the_next_id_without_the_lost_one() {
    for writes in 0..4 {
        let mut world = World::three_settled();
        let mut before = ids(&world, "vdc1");
        assert_eq!(before.1, None);
        for _ in 0..2 {
            world.wipe("vdc3", VICTIM);
            for pass in 0..60 {
                world.observe();
                let fate =
                    if pass % 2 == 0 { Fate::Killed { writes: vec![writes; 3], steps: 1 } } else { Fate::Lives };
                world.pass(&fate);
                world.tick();
                for vdc in WORKERS {
                    let (id, lost) = ids(&world, vdc);
                    let expected = if id == before.0 { before.1 } else { Some(before.0) };
                    assert_eq!(lost, expected, "{vdc} has member {id}");
                }
            }
            world.settle();
            let after = ids(&world, "vdc1");
            assert!(after.0 > before.0);
            before = after;
        }
    }
}
