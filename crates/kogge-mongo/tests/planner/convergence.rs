//! From any shape to any other, with crashes and outages on the way: the goal is reached, one voter at a
//! time and never below a majority (the world refuses such steps), and then nothing is done.

use kogge_mongo::{PodName, votes};
use proptest::prelude::*;

use crate::support::{SHARD, World};

const NAMES: [&str; 5] = ["vdc1", "vdc2", "vdc3", "vdc4", "vdc5"];

fn shape() -> impl Strategy<Value = Vec<(&'static str, u32)>> {
    prop::collection::vec(0_u32..4, NAMES.len())
        .prop_map(|sizes| NAMES.into_iter().zip(sizes).filter(|(_, n)| *n > 0).collect())
        .prop_filter("no member", |shape: &Vec<_>| !shape.is_empty())
}

#[derive(Clone, Debug)]
enum Disturbance {
    Restart(prop::sample::Index),
    Rollout,
    SilentApi(prop::sample::Index),
    OnlyTheFirstStep,
}

fn disturbance() -> impl Strategy<Value = Disturbance> {
    prop_oneof![
        any::<prop::sample::Index>().prop_map(Disturbance::Restart),
        Just(Disturbance::Rollout),
        any::<prop::sample::Index>().prop_map(Disturbance::SilentApi),
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
        let mut world = World::settled(&from);
        world.reshape(&to);
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
        world.run_until_settled(600);
        let plan = world.plan();
        prop_assert!(plan.steps.is_empty() && plan.waiting.is_empty() && plan.findings.is_empty());

        let config = world.config(SHARD);
        let candidates: Vec<_> = world.goal.sets[0]
            .members
            .iter()
            .map(|m| votes::Candidate {
                pod: m.pod.clone(),
                vdc: m.vdc.clone(),
                priority: m.priority,
                votes_now: config.by_host(&m.host).unwrap().votes > 0,
            })
            .collect();
        let voting: std::collections::BTreeSet<_> =
            candidates.iter().filter(|c| c.votes_now).map(|c| c.pod.clone()).collect();
        prop_assert_eq!(config.members.len(), candidates.len());
        prop_assert_eq!(voting, votes::allot(&candidates, 0));
    }
}
