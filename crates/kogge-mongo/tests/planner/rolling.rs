//! Rolling restarts: order, gate, and what goes ungated.

use std::collections::BTreeMap;

use kogge_mongo::{
    Action, MemberState, Placement, Plan, Pod, PodName, Replication, Server, ServerState, StatusMember, Step, plan,
};

use crate::support::{SHARD, World, hold_an_older_config};

const FIVE: &[(&str, u32)] = &[("vdc1", 1), ("vdc2", 1), ("vdc3", 1), ("vdc4", 2)];

fn outdated(placements: &[&str]) -> World {
    let mut world = World::settled(FIVE);
    world.revision = "r2".to_owned();
    let wanted = world.goal.sets[0].members.clone();
    for member in wanted.iter().filter(|m| placements.contains(&m.placement.as_str())) {
        world.member(member.pod.as_str()).facts().target_revision = Some("r2".to_owned());
    }
    world
}

fn restarts(steps: &[Step]) -> Vec<String> {
    let about = steps.iter().filter_map(|s| match &s.action {
        Action::RestartPod { pod, .. } => Some(pod.to_string()),
        Action::StepDown { pod } => Some(format!("{pod} steps down")),
        _ => None,
    });
    about.map(|s| s.replace("ll-shard-0-", "")).collect()
}

#[test]
fn the_primary_is_last_and_steps_down_first() {
    let mut world = outdated(&["vdc1", "vdc2", "vdc3", "vdc4"]);
    let steps = world.run_until_settled(100);
    let expected = ["vdc2-0", "vdc3-0", "vdc4-0", "vdc4-1", "vdc1-0 steps down", "vdc1-0"];
    assert_eq!(restarts(&steps), expected);
}

#[test]
fn the_rollout_order_comes_before_the_names() {
    let mut world = outdated(&["vdc1", "vdc2", "vdc3", "vdc4"]);
    world.goal.rollout_order = vec![Placement::new("vdc4"), Placement::new("vdc3")];
    let steps = world.run_until_settled(100);
    let expected = ["vdc4-0", "vdc4-1", "vdc3-0", "vdc2-0", "vdc1-0 steps down", "vdc1-0"];
    assert_eq!(restarts(&steps), expected);
}

#[test]
fn in_the_canary_placement_the_primary_hands_over_first() {
    let world = outdated(&["vdc1"]);
    assert_eq!(restarts(&world.plan().steps), ["vdc1-0 steps down"]);
}

#[test]
fn never_two_members_at_once() {
    let mut world = outdated(&["vdc2", "vdc3"]);
    let steps = world.plan().steps;
    assert_eq!(restarts(&steps), ["vdc2-0"]);
    world.apply(&steps[0]);
    assert!(world.plan().steps.is_empty());
    assert!(world.plan().waiting.iter().any(|w| w.what.contains("restarts are held")));
}

#[test]
fn case_17_a_member_that_does_not_resolve_holds_the_next_restart() {
    let mut world = outdated(&["vdc2"]);
    world.member("ll-shard-0-vdc4-1").facts().resolves_everywhere = false;
    assert!(world.plan().steps.is_empty());
}

#[test]
fn lag_holds_the_next_restart() {
    let mut world = outdated(&["vdc2"]);
    world.member("ll-shard-0-vdc4-1").lag_ms = 30_000;
    assert!(world.plan().steps.is_empty());
}

#[test]
fn an_unseen_or_silent_placement_holds_the_rollout() {
    let mut world = outdated(&["vdc2"]);
    world.goal.unseen = BTreeMap::from([("vdc4".into(), "cut off".to_owned())]);
    assert!(world.plan().steps.is_empty());

    let mut world = outdated(&["vdc2"]);
    world.member("ll-shard-0-vdc4-0").pod = Pod::Unknown { reason: "cut off".to_owned() };
    assert!(world.plan().steps.is_empty());
}

#[test]
fn an_unhealthy_outdated_member_goes_first_and_ungated() {
    let mut world = outdated(&["vdc2", "vdc3"]);
    let broken = world.member("ll-shard-0-vdc3-0");
    broken.up = false;
    broken.facts().ready = false;
    world.member("ll-shard-0-vdc4-0").facts().resolves_everywhere = false;
    assert_eq!(restarts(&world.plan().steps), ["vdc3-0"]);
}

/// With two voters left, the one that does not hold the new config yet would be restarted before it loses its vote.
#[test]
fn restarts_wait_for_a_new_config_to_reach_a_majority() {
    let mut world = World::settled(&[("vdc1", 1), ("vdc2", 1), ("vdc3", 1)]);
    world.reshape(&[("vdc1", 1), ("vdc2", 1)]);
    world.run_until(|world| world.config(SHARD).voters().count() == 2);
    world.member("ll-shard-0-vdc2-0").facts().target_revision = Some("r2".to_owned());
    assert_eq!(world.actions(), ["Demote"], "what comes next where both hold it");
    let mut topology = world.observe();
    hold_an_older_config(&mut topology, &["ll-shard-0-vdc2-0", "ll-shard-0-vdc3-0"]);
    let plan = plan(&world.goal, &topology, world.now);
    assert!(plan.steps.is_empty(), "{:#?}", plan.steps);
    let held = "restarts are held: only 1 of 2 voters hold the config";
    assert!(plan.waiting.iter().any(|w| w.what.contains(held)), "{:#?}", plan.waiting);
}

#[test]
fn members_that_are_unready_by_their_template_do_not_hold_its_repair() {
    let mut world = outdated(&["vdc1", "vdc2", "vdc3"]);
    for pod in ["ll-shard-0-vdc2-0", "ll-shard-0-vdc3-0"] {
        world.member(pod).facts().ready = false;
    }
    assert_eq!(restarts(&world.plan().steps), ["vdc2-0"]);
    world.member("ll-shard-0-vdc4-0").facts().ready = false;
    assert!(world.plan().steps.is_empty());
}

#[test]
fn a_broken_template_can_be_repaired_before_the_set_is_initiated() {
    let mut world = World::shard(&[("vdc1", 1), ("vdc2", 1), ("vdc3", 1)]);
    let broken = world.member("ll-shard-0-vdc1-0").facts();
    (broken.ready, broken.running) = (false, false);
    broken.target_revision = Some("r2".to_owned());
    assert_eq!(restarts(&world.plan().steps), ["vdc1-0"]);
}

#[test]
fn a_member_in_its_initial_sync_is_not_disturbed() {
    let mut world = outdated(&["vdc2"]);
    world.member("ll-shard-0-vdc2-0").state = Some(kogge_mongo::MemberState::Startup2);
    assert!(world.plan().steps.is_empty());
}

#[test]
fn a_paused_database_is_left_alone() {
    let mut world = outdated(&["vdc2"]);
    world.goal.paused = true;
    let plan = world.plan();
    assert!(plan.steps.is_empty());
    assert!(plan.waiting.iter().any(|w| w.what.contains("paused")));
}

#[test]
fn every_step_says_why_and_survives_json() {
    let mut world = outdated(&["vdc1", "vdc2"]);
    world.reshape(&[("vdc1", 1), ("vdc3", 1), ("vdc4", 2), ("vdc5", 1)]);
    for step in world.run_until_settled(100) {
        let text = serde_json::to_string(&step).unwrap();
        assert_eq!(serde_json::from_str::<Step>(&text).unwrap(), step);
        assert!(step.to_string().starts_with(SHARD), "{step}");
        assert!(!step.reason.is_empty() && !step.waits_for.is_empty());
    }
}

#[test]
fn a_set_waits_for_the_one_before_it() {
    let mut world = World::settled(&[("vdc1", 1), ("vdc2", 1), ("vdc3", 1)]);
    let shares = crate::support::voters(&[("vdc1", 1), ("vdc2", 1), ("vdc3", 1)]);
    world.want("ll-config-7f3k2m9q", kogge_mongo::SetRole::Config, &shares);
    world.run_until_settled(100);
    world.revision = "r2".to_owned();
    world.tick();
    let steps = world.run_until_settled(100);
    let sets: Vec<_> = steps.iter().filter(|s| s.action.name() == "RestartPod").map(|s| s.set.as_str()).collect();
    let (config, shard) = ("ll-config-7f3k2m9q", SHARD);
    assert_eq!(sets, [config, config, config, shard, shard, shard]);
}

#[test]
fn a_primary_that_is_cut_off_does_not_have_the_others_restarted() {
    let mut world = World::settled(&[("vdc1", 2), ("vdc2", 2), ("vdc3", 1)]);
    let primary = world.primary(SHARD);
    world.revision.push('+');
    world.tick();
    let mut topology = world.observe();
    let Server::Reachable(server) = &mut topology.members.get_mut(&primary).unwrap().server else {
        unreachable!()
    };
    let Replication::Member { status, .. } = &mut server.replication else { unreachable!() };
    // It hears nobody of the other two vdcs, and will step down; they are healthy by their own word.
    for member in status.members.iter_mut().filter(|m| !m.host.as_str().contains("vdc1")) {
        (member.up, member.state, member.optime_ms) = (false, MemberState::Down, None);
    }
    let plan = plan(&world.goal, &topology, world.now);
    assert!(plan.steps.is_empty(), "{:#?}", plan.steps);
}

/// Changes what a member says of the others; each runs for sixty seconds by its own word.
fn plan_where(says: &str, of_others: impl Fn(&mut StatusMember), runs_secs: u64) -> Plan {
    let world = outdated(&["vdc1"]);
    let mut topology = world.observe();
    let member = topology.members.get_mut(&PodName::new(format!("ll-shard-0-{says}-0"))).unwrap();
    let Server::Reachable(ServerState { replication: Replication::Member { status, .. }, .. }) =
        &mut member.server
    else {
        unreachable!()
    };
    for listed in &mut status.members {
        if listed.host.as_str().contains(says) {
            listed.uptime_secs = Some(runs_secs);
        } else {
            of_others(listed);
        }
    }
    plan(&world.goal, &topology, world.now)
}

#[test]
fn an_office_is_handed_over_among_members_that_have_met() {
    // Who says it of the others, whether they are up, how long ago they answered, how long it runs itself.
    let cases = [
        ("the primary reached them before they were started", "vdc1", true, 60_000, 60, false),
        ("the primary reached them", "vdc1", true, 59_000, 60, true),
        ("another reached them before they were started", "vdc2", true, 60_000, 60, false),
        ("another reached them", "vdc2", true, 59_000, 60, true),
        ("one that was just started has not reached them yet", "vdc3", false, 0, 9, false),
        ("one that has tried for long does not reach them", "vdc3", false, 0, 10, true),
    ];
    for (case, says, up, answered_ms_ago, runs_secs, steps_down) in cases {
        let told = |listed: &mut StatusMember| (listed.up, listed.answered_ms_ago) = (up, Some(answered_ms_ago));
        let plan = plan_where(says, told, runs_secs);
        if steps_down {
            assert_eq!(restarts(&plan.steps), ["vdc1-0 steps down"], "{case}");
            continue;
        }
        assert!(plan.steps.is_empty(), "{case}: {:#?}", plan.steps);
        let held = plan.waiting.iter().find(|waiting| waiting.what.contains("was just started"));
        let pod = PodName::new(format!("ll-shard-0-{says}-0"));
        assert_eq!(held.and_then(|waiting| waiting.member.clone()), Some(pod), "{case}");
    }
}
