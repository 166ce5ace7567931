//! States of a set in which nothing would ever go on: each is left by itself.

use std::collections::BTreeMap;

use kogge_mongo::{
    Action, ConfigMember, FindingKind, Host, MemberId, MemberState, PodName, Replication, Server, ServerState,
    Step, plan,
};

use crate::support::{Disk, Member, SHARD, World, config_member};

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

/// A set in which only the member of vdc1 may become primary.
fn one_electable() -> World {
    let mut world = World::shard(THREE);
    for pod in ["ll-shard-0-vdc2-0", "ll-shard-0-vdc3-0"] {
        world.wanted(pod).priority = 0;
    }
    world.run_until_settled(100);
    world
}

/// A voter that is not ours.
fn beside(world: &mut World, name: &str, arbiter: bool) {
    let host = Host::new(format!("{name}.elsewhere:27017"));
    let state = arbiter.then_some(MemberState::Arbiter);
    let member = Member { disk: Disk::Synced, state, ..Member::fresh(host.clone(), &world.revision) };
    world.members.insert(PodName::new(name), member);
    let priority = if arbiter { 0.0 } else { 1.0 };
    let listed = ConfigMember { arbiter, ..config_member(MemberId(70), &host, 1, priority, &BTreeMap::new()) };
    world.set(SHARD).config.as_mut().unwrap().members.push(listed);
}

fn roll(world: &mut World) {
    world.revision = "r2".to_owned();
    for member in world.members.values_mut() {
        member.facts().target_revision = Some("r2".to_owned());
    }
}

fn said(steps: &[Step]) -> Vec<String> {
    let about = steps.iter().map(|step| match &step.action {
        Action::RestartPod { pod, .. } => format!("restart {pod}"),
        Action::SetHost { to, .. } => format!("rename {}", to.as_str().split('.').next().unwrap()),
        action => action.name().to_owned(),
    });
    about.map(|step| step.replace("ll-shard-0-", "")).collect()
}

#[test]
fn the_only_member_that_may_lead_is_restarted_last_and_gets_the_office_back() {
    let mut world = one_electable();
    roll(&mut world);
    let steps = world.run_until_settled(60);
    assert_eq!(said(&steps), ["restart vdc2-0", "restart vdc3-0", "restart vdc1-0"]);
    assert!(steps[2].reason.contains("nobody else may become primary"), "{}", steps[2].reason);
    assert_eq!(world.primary(SHARD).as_str(), "ll-shard-0-vdc1-0");
}

#[test]
fn a_primary_beside_an_arbiter_alone_is_restarted() {
    let mut world = World::settled(&[("vdc1", 1)]);
    beside(&mut world, "arbiter", true);
    roll(&mut world);
    assert_eq!(said(&world.plan().steps), ["restart vdc1-0"]);
}

#[test]
fn a_primary_whose_only_successor_is_down_is_not_restarted() {
    let mut world = one_electable();
    beside(&mut world, "old", false);
    world.run_until_settled(20);
    assert_eq!(world.primary(SHARD).as_str(), "ll-shard-0-vdc1-0");
    world.member("old").up = false;
    world.member("ll-shard-0-vdc1-0").facts().target_revision = Some("r2".to_owned());
    let planned = world.plan();
    assert!(planned.steps.is_empty(), "{:#?}", planned.steps);
    assert!(planned.waiting.iter().any(|w| w.what.contains("to hand over to")), "{:?}", planned.waiting);
}

#[test]
fn nobody_is_restarted_where_a_dead_voter_that_is_not_ours_would_leave_no_majority() {
    let mut world = World::settled(THREE);
    beside(&mut world, "old", false);
    world.run_until_settled(20);
    world.member("old").up = false;
    roll(&mut world);
    // One of ours gave its vote up for the other's.
    assert_eq!(said(&world.run(20)), ["restart vdc3-0"]);
    let held = "restarts are held: without ll-shard-0-vdc2-0 only 1 of 3 voters would be healthy";
    assert!(world.plan().waiting.iter().any(|w| w.what.contains(held)), "{:#?}", world.plan().waiting);
    world.member("old").up = true;
    let steps = world.run_until_settled(60);
    assert_eq!(said(&steps), ["restart vdc2-0", "StepDown", "restart vdc1-0"]);
}

/// The config has other hosts for these members, and their servers answer under both.
fn misname(world: &mut World, pods: &[&str]) {
    for pod in pods {
        let member = world.member(pod);
        let (host, old) = (member.host.clone(), Host::new(member.host.as_str().replace(".db.", ".before.")));
        member.also = Some(old.clone());
        let config = world.set(SHARD).config.as_mut().unwrap();
        config.members.iter_mut().find(|m| m.host == host).unwrap().host = old;
    }
}

#[test]
fn the_only_member_that_may_lead_is_renamed_by_itself() {
    let mut world = one_electable();
    misname(&mut world, &["ll-shard-0-vdc1-0", "ll-shard-0-vdc2-0"]);
    let steps = world.run_until_settled(60);
    assert_eq!(said(&steps), ["rename vdc2-0", "rename vdc1-0"]);
}

#[test]
fn a_lost_disk_is_mended_while_another_member_waits_for_its_rename() {
    // The one that lost its disk has its new name, or waits for it as well.
    for misnamed in [&["ll-shard-0-vdc2-0"][..], &["ll-shard-0-vdc2-0", "ll-shard-0-vdc3-0"]] {
        let mut world = World::settled(THREE);
        misname(&mut world, misnamed);
        world.wipe("ll-shard-0-vdc3-0");
        world.tick();
        let steps = said(&world.run_until_settled(60));
        let expected = [
            "Demote",
            "RemoveMember",
            "rename vdc2-0",
            "ReserveMemberId",
            "restart vdc3-0",
            "AddMember",
            "MarkInitialized",
            "Promote",
            "SetPriority",
        ];
        assert_eq!(steps, expected, "{misnamed:?}");
        assert!(world.config(SHARD).members.iter().all(|m| m.host.as_str().contains(".db.")));
        assert_eq!(world.config(SHARD).members.len(), 3);
    }
}

#[test]
fn a_vdc_that_is_lost_amid_renames_can_be_taken_out() {
    for misnamed in [&["ll-shard-0-vdc1-0"][..], &["ll-shard-0-vdc1-0", "ll-shard-0-vdc5-0"]] {
        let mut world = World::settled(&[("vdc1", 1), ("vdc2", 1), ("vdc3", 1), ("vdc4", 1), ("vdc5", 1)]);
        misname(&mut world, misnamed);
        world.member("ll-shard-0-vdc5-0").up = false;
        assert!(world.actions().is_empty(), "{:?}", world.actions());
        assert!(world.plan().findings.iter().all(|f| f.kind != FindingKind::ForeignMember));
        world.reshape(&[("vdc1", 1), ("vdc2", 1), ("vdc3", 1), ("vdc4", 1)]);
        let steps = world.run_until_settled(60);
        assert!(world.goal.sets[0].leaving.is_empty());
        let config = world.config(SHARD);
        assert_eq!((config.members.len(), config.voters().count()), (4, 3), "{:?}", said(&steps));
        assert!(config.members.iter().all(|m| m.host.as_str().contains(".db.")), "{config:?}");
    }
}

#[test]
fn a_dead_member_that_is_not_ours_holds_a_rename_and_nothing_else() {
    let mut world = World::settled(THREE);
    beside(&mut world, "old", false);
    world.run_until_settled(20);
    misname(&mut world, &["ll-shard-0-vdc2-0"]);
    world.member("old").up = false;
    world.wanted("ll-shard-0-vdc1-0").priority = 2;
    let steps = said(&world.run(20));
    assert!(steps.contains(&"SetPriority".to_owned()), "{steps:?}");
    assert!(!steps.iter().any(|step| step.starts_with("rename")), "{steps:?}");
    let planned = world.plan();
    assert!(planned.waiting.iter().any(|w| w.what.contains("old.elsewhere:27017")), "{:?}", planned.waiting);
    assert_eq!(world.config(SHARD).members.len(), 4, "nobody of ours is added twice");
}

#[test]
fn a_leaving_member_is_not_forgotten_while_it_is_listed_under_another_host() {
    let mut world = World::settled(&[("vdc1", 1), ("vdc2", 1), ("vdc3", 1), ("vdc4", 1)]);
    world.reshape(THREE);
    misname(&mut world, &["ll-shard-0-vdc4-0"]);
    let steps = said(&world.run_until_settled(60));
    let left = steps.iter().position(|step| step == "RemoveMember");
    assert!(left.is_some() && left < steps.iter().position(|step| step == "ForgetMember"), "{steps:?}");

    // The operator does not reach it, and others do: it may be somebody else who took its id over.
    let mut world = World::settled(&[("vdc1", 1), ("vdc2", 1), ("vdc3", 1), ("vdc4", 1)]);
    world.reshape(THREE);
    misname(&mut world, &["ll-shard-0-vdc4-0"]);
    world.member("ll-shard-0-vdc4-0").reachable = false;
    let planned = world.plan();
    assert!(planned.steps.is_empty(), "{:#?}", planned.steps);
    assert!(planned.waiting.iter().any(|w| w.what.contains("which may be it")), "{:?}", planned.waiting);
}
