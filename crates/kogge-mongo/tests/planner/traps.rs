//! States of a set in which nothing would ever go on: each is left by itself.

use kogge_mongo::{Action, PodName, Replication, Server, ServerState, plan};

use crate::support::{SHARD, World};

const THREE: &[(&str, u32)] = &[("vdc1", 1), ("vdc2", 1), ("vdc3", 1)];

#[test]
fn a_member_that_cannot_tell_how_long_it_runs_holds_no_hand_over() {
    let mut world = World::settled(THREE);
    let primary = world.primary(SHARD);
    world.member(primary.as_str()).facts().target_revision = Some("r2".to_owned());
    let mut topology = world.observe();
    let untold = PodName::new("ll-shard-0-vdc2-0");
    for (pod, seen) in &mut topology.members {
        let Server::Reachable(ServerState { replication: Replication::Member { status, .. }, .. }) =
            &mut seen.server
        else {
            unreachable!()
        };
        for listed in &mut status.members {
            listed.answered_ms_ago = Some(1);
            // Its clock was put back since it was started.
            if *pod == untold && listed.host.as_str().starts_with(untold.as_str()) {
                listed.uptime_secs = None;
            }
        }
    }
    let planned = plan(&world.goal, &topology, world.now);
    assert!(
        matches!(&planned.steps[..], [step] if step.action == Action::StepDown { pod: primary.clone() }),
        "{planned:#?}"
    );
}
