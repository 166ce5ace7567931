//! From any shape to any other, with crashes, outages and lost commands on the way: the goal is reached (the world refuses
//! steps that break a law), and then nothing is done.

use std::collections::BTreeSet;

use kogge_etcd::votes::{Candidate, allot};
use kogge_etcd::{Action, MemberRole, PodName, Step, Vdc, Version};
use proptest::prelude::*;

use crate::support::{Share, V36, World};

const V35: Version = Version::new(3, 5, 33);

const NAMES: [&str; 4] = ["vdc1", "vdc2", "vdc3", "vdc4"];

fn shape() -> impl Strategy<Value = Vec<Share>> {
    let role = prop_oneof![5 => Just(MemberRole::Voter), 1 => Just(MemberRole::Learner)];
    prop::collection::vec((0_u32..3, role), NAMES.len())
        .prop_map(|shares| NAMES.into_iter().zip(shares).map(|(name, (n, role))| (name, n, role)))
        .prop_map(|shares| shares.filter(|(_, n, _)| *n > 0).collect())
        .prop_filter("no voter", |shape: &Vec<Share>| shape.iter().any(|(.., role)| *role == MemberRole::Voter))
}

#[derive(Clone, Debug)]
enum Disturbance {
    Kill(prop::sample::Index),
    SilentApi(prop::sample::Index),
    OnlyTheFirstStep,
    NoStep,
    Twice,
    SlowSync(prop::sample::Index),
    Wipe(prop::sample::Index),
    Rollout,
    Upgrade,
    Away(prop::sample::Index),
    CutOff(prop::sample::Index),
    OperatorRestarts,
    RemoveByHand(prop::sample::Index),
}

fn disturbance() -> impl Strategy<Value = Disturbance> {
    let at = any::<prop::sample::Index>;
    prop_oneof![
        at().prop_map(Disturbance::Kill),
        at().prop_map(Disturbance::SilentApi),
        Just(Disturbance::OnlyTheFirstStep),
        Just(Disturbance::NoStep),
        Just(Disturbance::Twice),
        at().prop_map(Disturbance::SlowSync),
        at().prop_map(Disturbance::Wipe),
        Just(Disturbance::Rollout),
        Just(Disturbance::Upgrade),
        at().prop_map(Disturbance::Away),
        at().prop_map(Disturbance::CutOff),
        Just(Disturbance::OperatorRestarts),
        at().prop_map(Disturbance::RemoveByHand),
    ]
}

/// Whether one voter more may fail.
fn spare(world: &World) -> bool {
    let group = world.group();
    let voters = group.voters().count();
    voters > 2 && group.live_voters(&world.nodes) == voters
}

fn disturb(world: &mut World, what: &Disturbance) {
    let pods: Vec<PodName> = world.pods();
    match what {
        Disturbance::Kill(at) if spare(world) => world.kill(at.get(&pods)),
        Disturbance::Wipe(at) if spare(world) => world.wipe(at.get(&pods)),
        Disturbance::CutOff(at) if spare(world) => world.node(at.get(&pods)).side = 1,
        Disturbance::Kill(_) | Disturbance::Wipe(_) | Disturbance::CutOff(_) => {}
        Disturbance::SilentApi(at) => {
            let node = world.node(at.get(&pods));
            node.reachable = !node.reachable;
        }
        Disturbance::OnlyTheFirstStep => {
            if let Some(step) = world.plan().steps.first() {
                world.apply(step);
            }
            world.tick();
        }
        Disturbance::NoStep => {
            world.plan();
            world.tick();
        }
        // The answers are lost, and another operator plans on what was seen before.
        Disturbance::Twice => {
            let plan = world.plan();
            world.carry_out(plan.clone());
            world.tick();
            for step in plan.steps.iter().filter(|step| World::is_change(&step.action)) {
                world.apply(step);
            }
        }
        Disturbance::Rollout => world.revision.push('+'),
        Disturbance::Upgrade => {
            world.goal.version = V36;
            if world.believed().accepted_version.is_some() {
                world.version = V36;
                world.revision.push('+');
            }
        }
        Disturbance::Away(at) => {
            let vdc = Vdc::from(*at.get(&NAMES));
            if !world.goal.away_from.remove(&vdc) {
                world.goal.away_from.insert(vdc);
            }
        }
        Disturbance::RemoveByHand(at) => {
            let (pod, leader) = (at.get(&pods), world.group().leader.map(|_| world.leader()));
            let listed = world.group().members().iter().find(|m| m.peer_urls.contains(&world.nodes[pod].url));
            if let (Some(listed), Some(via), true) = (listed, leader, spare(world))
                && via != *pod
            {
                let action = Action::Remove { via, pod: pod.clone(), member_id: listed.id };
                world.apply(&Step { action, reason: String::new(), waits_for: String::new() });
            }
        }
        Disturbance::OperatorRestarts => world.forget(),
        Disturbance::SlowSync(at) => world.node(at.get(&pods)).sync_rate = 700,
    }
}

fn check(world: &World) {
    let group = world.group();
    let mut candidates = Vec::new();
    let mut expected = 0;
    for member in &world.goal.members {
        let listed = group.members().iter().find(|m| m.peer_urls.contains(&member.peer_url));
        let votes_now = listed.is_some_and(|m| !m.learner);
        assert!(!votes_now || member.role == MemberRole::Voter);
        expected += usize::from(listed.is_some());
        if member.role == MemberRole::Voter {
            candidates.push(Candidate { pod: member.pod.clone(), vdc: member.vdc.clone(), votes_now });
        }
    }
    assert_eq!(group.members().len(), expected, "somebody is listed who is not wanted");
    let voting: BTreeSet<PodName> = candidates.iter().filter(|c| c.votes_now).map(|c| c.pod.clone()).collect();
    assert!(voting.is_superset(&allot(&candidates, 0)), "{voting:?}");
    let learners = group.members().iter().filter(|m| m.learner).count();
    assert!(learners < world.goal.max_learners, "no place is left for a voter that joins");
    if !world.goal.away_from.is_empty()
        && world.goal.members.iter().any(|m| voting.contains(&m.pod) && !world.goal.away_from.contains(&m.vdc))
    {
        let leader = world.leader();
        let vdc = &world.goal.member(&leader).unwrap().vdc;
        assert!(!world.goal.away_from.contains(vdc), "the leader is where it shall not be");
    }
    let revision = Some(&world.revision);
    for member in &world.goal.members {
        let facts = world.nodes[&member.pod].pod.facts();
        assert_eq!(facts.and_then(|facts| facts.revision.as_ref()), revision, "{} is outdated", member.pod);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn every_goal_is_reached_and_then_nothing_is_done(
        from in shape(),
        to in shape(),
        max_learners in 1_usize..4,
        rate in prop_oneof![Just(0_u64), Just(10), Just(400)],
        tells_peers in any::<bool>(),
        old in any::<bool>(),
        disturbances in prop::collection::vec(disturbance(), 0..12),
    ) {
        let mut world = World::new(&[]);
        world.goal.max_learners = max_learners;
        world.tells_peers = tells_peers;
        if old {
            (world.version, world.goal.version) = (V35, V35);
        }
        world.empties_old_disks = true;
        world.want(&from);
        world.run(4);
        world.group_mut().rate = rate;
        world.run_until_settled(500);
        check(&world);
        world.want(&to);
        for what in &disturbances {
            disturb(&mut world, what);
            world.run(1);
        }
        for node in world.nodes.values_mut() {
            (node.reachable, node.sync_rate, node.side) = (true, 2_500, 0);
        }
        world.run(300);
        if world.plan().waiting.iter().any(|waiting| waiting.message.contains("no member outside")) {
            world.goal.away_from.clear();
        }
        world.run_until_settled(500);
        check(&world);
        let plan = world.plan();
        prop_assert!(plan.steps.is_empty() && plan.waiting.is_empty(), "{:#?} {:#?}", plan.steps, plan.waiting);
    }
}
