//! From any shape to any other, with crashes and outages on the way: the goal is reached, one voter at a
//! time and never below a majority (the world refuses such steps), and then nothing is done.

use std::collections::BTreeSet;

use kogge_mongo::{MemberRole, PodName, SetRole, Vdc, votes};
use proptest::prelude::*;

use crate::support::{SHARD, Share, World};

const NAMES: [&str; 5] = ["vdc1", "vdc2", "vdc3", "vdc4", "vdc5"];

fn shape() -> impl Strategy<Value = Vec<Share>> {
    let role = prop_oneof![
        4 => Just(MemberRole::Voter),
        1 => Just(MemberRole::ReadOnly),
        1 => Just(MemberRole::Standby),
    ];
    prop::collection::vec((0_u32..4, role), NAMES.len())
        .prop_map(|shares| NAMES.into_iter().zip(shares).map(|(name, (n, role))| (name, n, role)))
        .prop_map(|shares| shares.filter(|(_, n, _)| *n > 0).collect())
        .prop_filter("no voter", |shape: &Vec<Share>| shape.iter().any(|(.., role)| *role == MemberRole::Voter))
}

#[derive(Clone, Debug)]
enum Disturbance {
    Restart(prop::sample::Index),
    Rollout,
    SilentApi(prop::sample::Index),
    Away(prop::sample::Index),
    OnlyTheFirstStep,
}

fn disturbance() -> impl Strategy<Value = Disturbance> {
    prop_oneof![
        any::<prop::sample::Index>().prop_map(Disturbance::Restart),
        Just(Disturbance::Rollout),
        any::<prop::sample::Index>().prop_map(Disturbance::SilentApi),
        any::<prop::sample::Index>().prop_map(Disturbance::Away),
        Just(Disturbance::OnlyTheFirstStep),
    ]
}

fn disturb(world: &mut World, what: &Disturbance) {
    let pods: Vec<PodName> = world.members.keys().cloned().collect();
    match what {
        Disturbance::Restart(at) => {
            let pod = at.get(&pods);
            let leaves_majority = world.members.values().filter(|m| !m.up).count() == 0
                && world.sets[SHARD].config.as_ref().is_some_and(|c| c.voters().count() > 2);
            if leaves_majority {
                let member = world.member(pod.as_str());
                (member.up, member.pod) = (false, kogge_mongo::Pod::Absent);
            }
        }
        Disturbance::Rollout => world.revision.push('+'),
        Disturbance::SilentApi(at) => {
            let member = world.member(at.get(&pods).as_str());
            member.reachable = !member.reachable;
        }
        Disturbance::Away(at) => {
            let vdc = Vdc::from(*at.get(&NAMES));
            if !world.goal.away_from.remove(&vdc) {
                world.goal.away_from.insert(vdc);
            }
        }
        Disturbance::OnlyTheFirstStep => {
            if let Some(step) = world.plan().steps.first() {
                world.apply(step);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn every_goal_is_reached_and_then_nothing_is_done(
        from in shape(),
        to in shape(),
        disturbances in prop::collection::vec(disturbance(), 0..12),
    ) {
        let shard = SetRole::Shard { index: 0 };
        let mut world = World::shard(&[]);
        world.want(SHARD, shard, &from);
        world.run_until_settled(400);
        world.want(SHARD, shard, &to);
        for what in &disturbances {
            disturb(&mut world, what);
            for step in world.plan().steps {
                world.apply(&step);
            }
            world.tick();
        }
        for member in world.members.values_mut() {
            member.reachable = true;
        }
        world.run(300);
        if world.plan().waiting.iter().any(|waiting| waiting.what.contains("outside of the vdcs")) {
            world.goal.away_from.clear();
        }
        world.run_until_settled(600);
        let plan = world.plan();
        prop_assert!(plan.steps.is_empty() && plan.waiting.is_empty() && plan.findings.is_empty());

        let config = world.config(SHARD);
        let members = &world.goal.sets[0].members;
        prop_assert_eq!(config.members.len(), members.len());
        let mut candidates = Vec::new();
        for member in members {
            let listed = config.by_host(&member.host).unwrap();
            prop_assert_eq!(listed.hidden, member.role == MemberRole::Standby);
            prop_assert_eq!(&listed.tags, &member.tags());
            let votes_now = listed.votes > 0;
            prop_assert!(!votes_now || member.role == MemberRole::Voter);
            if member.role == MemberRole::Voter {
                let (pod, vdc) = (member.pod.clone(), member.vdc.clone());
                candidates.push(votes::Candidate { pod, vdc, priority: member.priority, votes_now });
            }
        }
        let voting: BTreeSet<_> = candidates.iter().filter(|c| c.votes_now).map(|c| c.pod.clone()).collect();
        prop_assert_eq!(&voting, &votes::allot(&candidates, 0));
        let primary = world.primary(SHARD);
        let primary = members.iter().find(|m| m.pod == primary).unwrap();
        prop_assert!(!world.goal.away_from.contains(&primary.vdc), "the primary is where it should not be");
    }
}
