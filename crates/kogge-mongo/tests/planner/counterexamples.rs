//! What the model checker found, in the shortest form that still fails without its mend.

use kogge_mongo::{Action, MemberAnchor, MemberId, Step};

use crate::support::{SHARD, World};

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
