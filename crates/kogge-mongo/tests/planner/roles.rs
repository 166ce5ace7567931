//! Voter, ReadOnly, Standby, and the ways between them.

use kogge_mongo::{Action, ConfigMember, MemberRole, SetRole};

use crate::support::{SHARD, World, voters};

const FIVE: &[(&str, u32)] = &[("vdc1", 1), ("vdc2", 1), ("vdc3", 1), ("vdc4", 1), ("vdc5", 1)];

/// The settled five, with another role in these vdcs.
fn with_role(world: &mut World, vdcs: &[&str], role: MemberRole) {
    let mut shares = voters(FIVE);
    shares.iter_mut().filter(|(vdc, ..)| vdcs.contains(vdc)).for_each(|share| share.2 = role);
    world.want(SHARD, SetRole::Shard { index: 0 }, &shares);
}

fn listed<'a>(world: &'a World, vdc: &str) -> &'a ConfigMember {
    let start = format!("ll-shard-0-{vdc}-0.");
    world.config(SHARD).members.iter().find(|m| m.host.as_str().starts_with(&start)).unwrap()
}

fn about(world: &mut World, vdc: &str) -> Vec<&'static str> {
    let pod = format!("ll-shard-0-{vdc}-0");
    let steps = world.run_until_settled(100);
    let about_it = steps.iter().filter(|step| match &step.action {
        Action::StepDown { pod: stepped } => stepped.as_str() == pod,
        Action::Promote { change }
        | Action::Demote { change }
        | Action::SetPriority { change, .. }
        | Action::SetHidden { change, .. }
        | Action::SetTags { change, .. } => change.host.as_str().starts_with(&pod),
        _ => false,
    });
    about_it.map(|step| step.action.name()).collect()
}

#[test]
fn a_new_standby_joins_hidden_and_never_votes() {
    let mut world = World::settled(&[("vdc1", 1), ("vdc2", 1), ("vdc3", 1)]);
    let mut shares = voters(&[("vdc1", 1), ("vdc2", 1), ("vdc3", 1)]);
    shares.push(("vdc4", 1, MemberRole::Standby));
    world.want(SHARD, SetRole::Shard { index: 0 }, &shares);
    let steps = world.run_until_settled(60);
    assert!(!steps.iter().any(|s| ["SetHidden", "Promote"].contains(&s.action.name())), "{steps:?}");
    let standby = listed(&world, "vdc4");
    assert_eq!((standby.hidden, standby.votes, standby.priority), (true, 0, 0.0));
    assert_eq!(standby.tags["role"], "Standby");
}

#[test]
fn every_way_between_the_roles_takes_its_steps_in_order() {
    use MemberRole::{ReadOnly, Standby, Voter};
    let ways: [(MemberRole, MemberRole, &[&str]); 6] = [
        (Voter, ReadOnly, &["SetTags", "Demote"]),
        (ReadOnly, Voter, &["Promote", "SetPriority", "SetTags"]),
        (Voter, Standby, &["SetTags", "Demote", "SetHidden"]),
        (Standby, Voter, &["SetHidden", "Promote", "SetPriority", "SetTags"]),
        (ReadOnly, Standby, &["SetHidden", "SetTags"]),
        (Standby, ReadOnly, &["SetHidden", "SetTags"]),
    ];
    for (from, to, steps) in ways {
        let mut world = World::settled(FIVE);
        // Two change, so that the number of voters stays odd.
        with_role(&mut world, &["vdc4", "vdc5"], from);
        world.run_until_settled(100);
        with_role(&mut world, &["vdc4", "vdc5"], to);
        assert_eq!(about(&mut world, "vdc5"), steps, "{from} to {to}");
        let member = listed(&world, "vdc5");
        let votes = u32::from(to == Voter);
        assert_eq!((member.hidden, member.votes, member.priority), (to == Standby, votes, f64::from(votes)));
        assert_eq!(world.config(SHARD).voters().count(), if to == Voter { 5 } else { 3 });
    }
}

#[test]
fn a_primary_that_becomes_a_reader_hands_over_before_any_vote_is_taken() {
    let mut world = World::settled(FIVE);
    let primary = world.primary(SHARD);
    assert_eq!(primary.as_str(), "ll-shard-0-vdc1-0");
    with_role(&mut world, &["vdc1", "vdc2"], MemberRole::ReadOnly);
    let steps = world.run_until_settled(100);
    let names: Vec<_> = steps.iter().map(|s| s.action.name()).filter(|name| *name != "SetTags").collect();
    assert_eq!(names, ["SetPriority", "StepDown", "Demote", "Demote"]);
    assert!(!["ll-shard-0-vdc1-0", "ll-shard-0-vdc2-0"].contains(&world.primary(SHARD).as_str()));
}
