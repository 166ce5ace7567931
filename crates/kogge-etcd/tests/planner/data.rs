//! Goals, observations and plans are data: they can be written down and read again.

use kogge_etcd::{Action, Executor, Goal, MemberRole, Plan, Topology};

use crate::support::{World, pod, voters};

const THREE: &[(&str, u32)] = &[("vdc1", 1), ("vdc2", 1), ("vdc3", 1)];

fn again<T: serde::Serialize + serde::de::DeserializeOwned>(value: &T) -> T {
    serde_json::from_str(&serde_json::to_string(value).unwrap()).unwrap()
}

#[test]
fn goals_observations_and_plans_read_back_at_every_step_of_a_life() {
    let mut world = World::new(THREE);
    for round in 0..80 {
        match round {
            40 => world.wipe(&pod("vdc3", 0)),
            60 => world.want(&voters(&[("vdc1", 1), ("vdc2", 1), ("vdc4", 1)])),
            _ => {}
        }
        let topology = world.look().clone();
        let plan = kogge_etcd::plan(&world.goal, &topology, world.now);
        assert_eq!(again::<Goal>(&world.goal), world.goal);
        assert_eq!(again::<Topology>(&topology), topology);
        assert_eq!(again::<Plan>(&plan), plan);
        for step in &plan.steps {
            assert_eq!(again::<Action>(&step.action), step.action);
            let anchored = step.action.executor() == Executor::Anchor;
            assert_eq!(anchored, !World::is_change(&step.action));
            // Sentences that say something by themselves.
            assert!(
                step.reason.contains(' ') && step.waits_for.contains(' ') && step.to_string().len() > 20,
                "{step}"
            );
        }
        world.carry_out(plan);
        world.tick();
    }
}

#[test]
fn a_goal_that_cannot_be_reached_is_refused() {
    let mut world = World::settled(THREE);
    let refused = |world: &mut World, words: &str| {
        let plan = world.plan();
        assert!(plan.steps.is_empty() && !plan.settled());
        assert_eq!(plan.findings[0].kind.reason(), "InvalidGoal");
        assert!(plan.findings[0].message.contains(words), "{}", plan.findings[0].message);
    };
    let good = world.goal.clone();
    world.goal.max_learners = 0;
    refused(&mut world, "maxLearners");
    world.goal = good.clone();
    world.goal.members.iter_mut().for_each(|m| m.role = MemberRole::Learner);
    refused(&mut world, "Voter");
    world.goal = good.clone();
    world.goal.members[1].peer_url = world.goal.members[0].peer_url.clone();
    refused(&mut world, "peer URL");
    world.goal = good;
    let twin = world.goal.members[0].clone();
    world.goal.members.push(twin);
    refused(&mut world, "pod name");
}

#[test]
fn no_message_speaks_in_words_that_were_retired() {
    let retired = ["anew", "for ever", "mend", "told", "a person", "stands", "office", "its turn", "set back"];
    let mut world = World::new(THREE);
    for round in 0..120 {
        match round {
            40 => world.wipe(&pod("vdc3", 0)),
            60 => world.lose(&pod("vdc2", 0)),
            70 => world.goal.recovery.lost = [pod("vdc2", 0)].into(),
            90 => world.lose(&pod("vdc3", 0)),
            _ => {}
        }
        let plan = world.plan();
        let steps = plan.steps.iter().map(ToString::to_string);
        let waits = plan.waiting.iter().map(|waiting| waiting.message.clone());
        let said = steps.chain(waits).chain(plan.findings.iter().map(|f| f.message.clone()));
        for message in said.chain(plan.approvals.iter().map(|a| a.message.clone())) {
            let words: Vec<&str> = message.split(|c: char| !c.is_alphanumeric()).collect();
            for word in retired {
                let alone = if word.contains(' ') { message.contains(word) } else { words.contains(&word) };
                assert!(!alone, "{word}: {message}");
            }
        }
        world.carry_out(plan);
        world.tick();
    }
}
