//! What the model checker found, in the shortest form that still fails without its mend.

use kogge_mongo::{Action, MemberAnchor, MemberId, Step, plan};

use crate::support::{SHARD, World, hold_an_older_config};

const THREE: &[(&str, u32)] = &[("vdc1", 1), ("vdc2", 1), ("vdc3", 1)];

fn steps_until(world: &mut World, name: &str) -> Vec<Step> {
    let mut taken = Vec::new();
    for _ in 0..60 {
        for step in world.plan().steps {
            if step.action.name() == name {
                taken.push(step);
                return taken;
            }
            world.apply(&step);
            taken.push(step);
        }
        world.tick();
    }
    panic!("no {name} in {taken:#?}");
}

#[test]
fn a_voter_is_made_electable_before_the_next_one_gets_its_vote() {
    let mut world = World::settled(&[("vdc1", 1)]);
    world.reshape(THREE);
    let taken = world.run_until_settled(200);
    let order: Vec<&str> = taken
        .iter()
        .map(|step| step.action.name())
        .filter(|name| ["Promote", "SetPriority"].contains(name))
        .collect();
    assert_eq!(order, ["Promote", "SetPriority", "Promote", "SetPriority"]);
}

#[test]
fn case_11_an_id_that_a_member_left_with_is_not_given_to_it_again() {
    let mut world = World::settled(THREE);
    world.reshape(&[("vdc1", 1), ("vdc2", 1), ("vdc3", 1), ("vdc4", 1)]);
    let added = steps_until(&mut world, "AddMember").pop().unwrap();
    world.apply(&added);
    // It never syncs, and is not wanted any more; then it is wanted again, before its record is gone.
    world.reshape(THREE);
    let removed = steps_until(&mut world, "RemoveMember").pop().unwrap();
    world.apply(&removed);
    world.reshape(&[("vdc1", 1), ("vdc2", 1), ("vdc3", 1), ("vdc4", 1)]);
    let again = steps_until(&mut world, "AddMember").pop().unwrap();
    let id = |step: &Step| match &step.action {
        Action::AddMember { member, .. } => member.id,
        other => panic!("{other}"),
    };
    assert!(id(&again) > id(&added), "{again} after {added}");
}

#[test]
fn an_id_that_two_records_name_is_nobodys() {
    let mut world = World::settled(THREE);
    world.reshape(&[("vdc1", 1), ("vdc2", 1), ("vdc3", 1), ("vdc4", 2)]);
    let crossed = MemberAnchor { member_id: Some(MemberId(3)), initialized: false };
    for pod in ["ll-shard-0-vdc4-0", "ll-shard-0-vdc4-1"] {
        world.wanted(pod).anchor = crossed;
    }
    world.goal.sets[0].next_member_id = 4;
    assert_eq!(world.actions(), ["ReserveMemberId"]);
    world.run_until_settled(200);
    assert!(world.config(SHARD).members.iter().all(|m| m.id != MemberId(3)));
}

/// vdc4 takes the place of vdc3, which is down, and has just got its vote when a rollout begins: three of four voters are
/// healthy, and only the primary holds the config that says so.
#[test]
fn a_member_that_has_just_got_its_vote_is_not_restarted_while_another_voter_is_down() {
    let mut world = World::settled(THREE);
    world.member("ll-shard-0-vdc3-0").up = false;
    world.reshape(&[("vdc1", 1), ("vdc2", 1), ("vdc4", 1)]);
    world.run_until(|world| world.config(SHARD).voters().count() == 4);
    for pod in ["ll-shard-0-vdc1-0", "ll-shard-0-vdc2-0", "ll-shard-0-vdc4-0"] {
        world.member(pod).facts().target_revision = Some("r2".to_owned());
    }
    assert_eq!(world.primary(SHARD).as_str(), "ll-shard-0-vdc1-0");
    let mut topology = world.observe();
    hold_an_older_config(&mut topology, &["ll-shard-0-vdc2-0", "ll-shard-0-vdc4-0"]);
    let plan = plan(&world.goal, &topology, world.now);
    assert!(plan.steps.is_empty(), "{:#?}", plan.steps);

    // Once they hold it, vdc3 loses its vote, and the rollout goes on.
    world.revision = "r2".to_owned();
    let steps = world.run_until_settled(100);
    let order: Vec<&str> = steps.iter().map(|step| step.action.name()).collect();
    let restarts = ["RestartPod", "RestartPod", "StepDown", "RestartPod"];
    assert_eq!(order, [&["SetPriority", "Demote", "RemoveMember", "ForgetMember"][..], &restarts].concat());
}
