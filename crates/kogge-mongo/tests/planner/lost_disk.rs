//! Members whose volumes are wiped, at every stage of their life, with a gate in their pods and without.

use kogge_api::gate::HoldReason;
use kogge_mongo::{Action, Executor, FindingKind, MemberId, MemberRole, Pod, SetRole, Step, majority};

use crate::support::{Disk, SHARD, World, voters};

const THREE: &[(&str, u32)] = &[("vdc1", 1), ("vdc2", 1), ("vdc3", 1)];
const FIVE: &[(&str, u32)] = &[("vdc1", 2), ("vdc2", 2), ("vdc3", 1)];
const VICTIM: &str = "ll-shard-0-vdc3-0";

/// Runs until all is as it was, and watches that no member ever votes before it holds the data.
fn heal(world: &mut World) -> Vec<Step> {
    let mut taken = Vec::new();
    for _ in 0..100 {
        let plan = world.plan();
        if plan.ready() {
            return taken;
        }
        let changes = plan.steps.iter().filter(|step| step.action.executor() != Executor::Anchor);
        assert!(changes.count() <= 1, "one step of a set at a time: {:#?}", plan.steps);
        for step in plan.steps {
            world.apply(&step);
            taken.push(step);
        }
        world.tick();
        no_empty_voter(world);
    }
    panic!("not healed: {:#?}", world.plan());
}

fn no_empty_voter(world: &World) {
    let config = world.sets[SHARD].config.iter().filter(|_| world.gates);
    for listed in config.flat_map(kogge_mongo::ReplConfig::voters) {
        let member = world.members.values().find(|m| m.host == listed.host).unwrap();
        assert!(!member.up || member.disk == Disk::Synced, "{} votes with a disk {:?}", listed.host, member.disk);
    }
}

fn names(steps: &[Step]) -> Vec<&'static str> {
    steps.iter().map(|step| step.action.name()).collect()
}

fn id_of(world: &World, pod: &str) -> MemberId {
    world.config(SHARD).by_host(&world.members[pod].host).unwrap().id
}

#[test]
fn a_voter_whose_volume_is_wiped_comes_back_as_another_member() {
    let mut world = World::settled(THREE);
    let before = id_of(&world, VICTIM);
    world.wipe(VICTIM);
    world.tick();
    let plan = world.plan();
    let finding = plan.findings.iter().find(|f| f.kind == FindingKind::LostDisk).unwrap();
    assert!(finding.message.contains(VICTIM), "{}", finding.message);
    let steps = names(&heal(&mut world));
    assert_eq!(
        steps,
        [
            "Demote",
            "RemoveMember",
            "ReserveMemberId",
            "RestartPod",
            "AddMember",
            "MarkInitialized",
            "Promote",
            "SetPriority"
        ]
    );
    assert!(id_of(&world, VICTIM) > before);
    assert_eq!(world.config(SHARD).voters().count(), 3);
}

#[test]
fn the_id_that_a_disk_was_lost_under_is_recorded_with_the_next_one() {
    let mut world = World::settled(THREE);
    let before = id_of(&world, VICTIM);
    world.wipe(VICTIM);
    world.tick();
    let lost: Vec<_> = heal(&mut world)
        .into_iter()
        .filter_map(|step| match step.action {
            Action::ReserveMemberId { pod, lost_as, .. } => Some((pod.to_string(), lost_as)),
            _ => None,
        })
        .collect();
    assert_eq!(lost, [(VICTIM.to_owned(), Some(before))]);
}

#[test]
fn a_member_that_a_person_removed_keeps_its_disk() {
    let mut world = World::settled(THREE);
    let host = world.members[VICTIM].host.clone();
    world.set(SHARD).config.as_mut().unwrap().members.retain(|listed| listed.host != host);
    let steps = world.plan().steps;
    assert!(
        matches!(steps[..], [Step { action: Action::ReserveMemberId { lost_as: None, .. }, .. }]),
        "{steps:#?}"
    );
}

#[test]
fn nothing_is_done_before_the_gate_has_spoken() {
    let mut world = World::settled(THREE);
    world.wipe(VICTIM);
    // The pod is being made.
    assert!(world.plan().steps.is_empty());
    // Its gate runs and has not said anything yet; or it holds for another reason.
    world.tick();
    world.member(VICTIM).facts().gate = None;
    assert!(world.plan().steps.is_empty(), "{:#?}", world.plan().steps);
    world.member(VICTIM).hold(HoldReason::OldDisk, "bind its volume");
    let plan = world.plan();
    assert!(plan.steps.is_empty(), "{:#?}", plan.steps);
    assert!(plan.findings.iter().any(|f| f.kind == FindingKind::HeldByGate && f.message.contains("OldDisk")));
    let reason = plan.sets[SHARD].members.iter().find(|m| m.pod.as_str() == VICTIM).unwrap().reason.clone();
    assert!(reason.unwrap().contains("OldDisk"));
}

#[test]
fn a_member_that_its_peers_hear_is_not_taken_out() {
    let mut world = World::settled(THREE);
    let member = world.member(VICTIM);
    member.hold(HoldReason::LostDisk, "from before");
    (member.up, member.reachable) = (true, false);
    assert!(world.plan().steps.is_empty());
}

#[test]
fn a_pod_that_is_not_seen_or_is_ending_is_not_taken_out() {
    let mut world = World::settled(THREE);
    world.wipe(VICTIM);
    world.tick();
    let held = world.member(VICTIM).pod.clone();
    world.member(VICTIM).facts().terminating = true;
    assert!(world.plan().steps.is_empty());
    world.member(VICTIM).pod = Pod::Unknown { reason: "its worker is silent".to_owned() };
    assert!(world.plan().steps.is_empty());
    // That another placement is not seen keeps nobody in.
    world.member(VICTIM).pod = held;
    world.goal.unseen.insert("vdc1".into(), "its worker is silent".to_owned());
    assert_eq!(world.actions(), ["Demote"]);
}

#[test]
fn the_primary_that_is_wiped_is_another_member_when_it_is_back() {
    let mut world = World::settled(THREE);
    let primary = world.primary(SHARD).to_string();
    let before = id_of(&world, &primary);
    world.wipe(&primary);
    world.tick();
    assert_ne!(world.primary(SHARD).as_str(), primary);
    heal(&mut world);
    assert!(id_of(&world, &primary) > before);
}

#[test]
fn a_member_without_a_vote_is_taken_out_too() {
    let mut world = World::settled(THREE);
    let mut shares = voters(THREE);
    shares.push(("vdc4", 1, MemberRole::ReadOnly));
    world.want(SHARD, SetRole::Shard { index: 0 }, &shares);
    world.run_until_settled(50);
    world.wipe("ll-shard-0-vdc4-0");
    world.tick();
    let steps = names(&heal(&mut world));
    assert_eq!(steps, ["RemoveMember", "ReserveMemberId", "RestartPod", "AddMember", "MarkInitialized"]);
}

#[test]
fn two_of_five_lose_their_votes_first_and_come_back_one_after_another() {
    let mut world = World::settled(FIVE);
    let wiped = ["ll-shard-0-vdc2-1", VICTIM];
    for pod in wiped {
        world.wipe(pod);
    }
    world.tick();
    let steps = heal(&mut world);
    assert_eq!(names(&steps)[..4], ["Demote", "Demote", "RemoveMember", "RemoveMember"]);
    let reserved: Vec<MemberId> = steps
        .iter()
        .filter_map(|step| match &step.action {
            Action::ReserveMemberId { member_id, .. } => Some(*member_id),
            _ => None,
        })
        .collect();
    // Of two reserved at once only the last one is known to be unused.
    assert_eq!(reserved, [5, 6, 7, 8].map(MemberId));
    assert_eq!(world.config(SHARD).voters().count(), 5);
}

#[test]
fn two_of_three_are_no_longer_the_planners_to_heal() {
    let mut world = World::settled(THREE);
    for pod in ["ll-shard-0-vdc2-0", VICTIM] {
        world.wipe(pod);
    }
    world.tick();
    let plan = world.plan();
    assert!(plan.steps.is_empty(), "{:#?}", plan.steps);
    assert!(plan.findings.iter().any(|f| f.kind == FindingKind::MajorityLost));
}

#[test]
fn a_primary_that_has_lost_its_majority_and_does_not_know_it_yet_takes_no_vote_away() {
    let mut world = World::settled(THREE);
    let primary = world.primary(SHARD);
    for pod in ["ll-shard-0-vdc2-0", VICTIM] {
        world.wipe(pod);
    }
    world.tick();
    world.set(SHARD).primary = Some(primary);
    let plan = world.plan();
    assert!(plan.steps.is_empty(), "{:#?}", plan.steps);
    assert!(plan.waiting.iter().any(|waiting| waiting.what.contains("1 of 3 are healthy")), "{:#?}", plan.waiting);
}

#[test]
fn every_member_wiped_is_a_lost_set_and_never_initiated_again() {
    let mut world = World::settled(THREE);
    for pod in ["ll-shard-0-vdc1-0", "ll-shard-0-vdc2-0", VICTIM] {
        world.wipe(pod);
    }
    world.tick();
    let plan = world.plan();
    assert!(plan.steps.is_empty(), "{:#?}", plan.steps);
    assert!(plan.findings.iter().any(|f| f.kind == FindingKind::SetLost));
}

/// From nothing to settled, with a wipe after every round: whoever held data is admitted anew, whoever did not
/// starts by itself, and it ends where it would have ended.
#[test]
fn wiped_at_every_stage_it_reaches_the_same_state() {
    for shape in [THREE, FIVE] {
        for victim in [VICTIM, "ll-shard-0-vdc1-0"] {
            for rounds in 0..60 {
                let mut world = World::shard(shape);
                world.run(rounds);
                let config = world.sets[SHARD].config.clone();
                // The only one that holds the data is gone for good, and no planner brings it back.
                let others = world.members.iter().filter(|(pod, _)| pod.as_str() != victim);
                let holders = others.filter(|(_, m)| m.disk == Disk::Synced).count();
                let voters = config.iter().flat_map(kogge_mongo::ReplConfig::voters).count();
                let voted = config
                    .iter()
                    .flat_map(kogge_mongo::ReplConfig::voters)
                    .any(|m| m.host == world.members[victim].host);
                let standing = voters - usize::from(voted);
                if config.is_some() && (holders == 0 || standing < majority(voters)) {
                    continue;
                }
                world.wipe(victim);
                world.tick();
                heal(&mut world);
                assert_eq!(
                    world.config(SHARD).voters().count(),
                    shape.iter().map(|(_, n)| *n as usize).sum::<usize>()
                );
            }
        }
    }
}

#[test]
fn the_operator_is_cut_off_and_comes_back_in_the_middle() {
    for cut_after in 0..10 {
        let mut world = World::settled(THREE);
        world.wipe(VICTIM);
        world.tick();
        // A plan is made again after each step, and any of them may be the last for a while.
        for _ in 0..cut_after {
            if let Some(step) = world.plan().steps.first() {
                world.apply(step);
            }
            world.tick();
        }
        for _ in 0..20 {
            world.tick();
            no_empty_voter(&world);
        }
        heal(&mut world);
        assert_eq!(world.config(SHARD).voters().count(), 3, "cut off after {cut_after} steps");
    }
}

#[test]
fn a_volume_wiped_under_its_running_server_is_held_at_the_next_start_of_the_container() {
    let mut world = World::settled(THREE);
    let before = id_of(&world, VICTIM);
    world.member(VICTIM).disk = Disk::Empty;
    world.restart_container(VICTIM);
    let steps = names(&heal(&mut world));
    assert_eq!(steps[..4], ["Demote", "RemoveMember", "ReserveMemberId", "RestartPod"]);
    assert!(id_of(&world, VICTIM) > before);
}

#[test]
fn without_a_gate_the_empty_voter_is_taken_out_while_it_syncs() {
    let mut world = World::settled(THREE);
    world.gates = false;
    let before = id_of(&world, VICTIM);
    world.member(VICTIM).disk = Disk::Syncing;
    let mut steps = Vec::new();
    // It syncs for longer than these steps take.
    for _ in 0..4 {
        let step = world.plan().steps.remove(0);
        world.apply(&step);
        steps.push(step);
    }
    assert_eq!(names(&steps), ["Demote", "RemoveMember", "ReserveMemberId", "AddMember"]);
    heal(&mut world);
    assert!(id_of(&world, VICTIM) > before);
}
