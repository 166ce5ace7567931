//! Three members in two to three placements: every state within the bounds.

use crate::checker::{Extent, explore};
use crate::protocol::Mask;
use crate::scenario::{Bounds, READER, STANDBY, Scenario, VOTER, Want};

const THREE: [usize; 3] = [0, 1, 2];
const TWO: [usize; 3] = [0, 0, 1];
/// Views that lack something, and an operator that dies: once each.
const OPERATOR: Bounds = Bounds { term: 1, log: 1, version: 8, partial_views: 1, deaths: 1, ..Bounds::NONE };
/// Elections and a process that dies.
const SERVERS: Bounds = Bounds { term: 2, log: 2, version: 7, crashes: 1, ..Bounds::NONE };

fn whole(bounds: Bounds, scenario: Scenario) {
    explore(Scenario { bounds, ..scenario }, Extent::Whole);
}

fn change(name: &'static str, from: &[Option<Want>], to: &[Option<Want>]) -> Scenario {
    Scenario::settled(name, &THREE, &[from, to])
}

#[test]
fn bootstrap_of_three() {
    let bounds = Bounds { partial_views: 2, deaths: 2, ..OPERATOR };
    whole(bounds, Scenario::new("bootstrap_of_three", &THREE, &[&[VOTER; 3]]));
}

#[test]
fn bootstrap_with_elections() {
    whole(SERVERS, Scenario::new("bootstrap_with_elections", &TWO, &[&[VOTER; 3]]));
}

#[test]
fn bootstrap_by_two_operators() {
    let scenario = Scenario::new("bootstrap_by_two_operators", &TWO, &[&[VOTER; 3]]);
    whole(Bounds { version: 2, ..OPERATOR }, Scenario { operators: vec![0, 0], ..scenario });
}

#[test]
fn bootstrap_by_two_control_clusters() {
    let scenario = Scenario::new("bootstrap_by_two_control_clusters", &TWO, &[&[VOTER; 3]]);
    whole(Bounds { version: 3, ..OPERATOR }, Scenario { operators: vec![0, 1], ..scenario });
}

#[test]
fn growth_from_two_to_three() {
    let bounds = Bounds { partial_views: 1, crashes: 0, ..SERVERS };
    whole(bounds, change("growth_from_two_to_three", &[VOTER; 2], &[VOTER; 3]));
}

#[test]
fn shrinking_to_two() {
    whole(SERVERS, change("shrinking_to_two", &[VOTER; 3], &[VOTER; 2]));
}

#[test]
fn shrinking_to_one() {
    let bounds = Bounds { crashes: 0, deaths: 1, ..SERVERS };
    whole(bounds, change("shrinking_to_one", &[VOTER; 3], &[VOTER]));
}

#[test]
fn shrinking_to_the_last_one_by_name() {
    let bounds = Bounds { crashes: 0, partial_views: 1, ..SERVERS };
    whole(bounds, change("shrinking_to_the_last_one_by_name", &[VOTER; 3], &[None, None, VOTER]));
}

#[test]
fn a_voter_becomes_a_reader() {
    whole(SERVERS, change("a_voter_becomes_a_reader", &[VOTER; 3], &[VOTER, VOTER, READER]));
}

#[test]
fn a_reader_becomes_a_voter() {
    whole(SERVERS, change("a_reader_becomes_a_voter", &[VOTER, READER, READER], &[VOTER, VOTER, READER]));
}

#[test]
fn the_first_voter_becomes_a_standby() {
    let bounds = Bounds { crashes: 0, deaths: 1, ..SERVERS };
    whole(bounds, change("the_first_voter_becomes_a_standby", &[VOTER; 3], &[STANDBY, VOTER, VOTER]));
}

#[test]
fn a_switchover() {
    let scenario = change("a_switchover", &[VOTER; 3], &[VOTER; 3]);
    whole(SERVERS, Scenario { away_from: vec![Mask::default(), Mask::of(0)], ..scenario });
}

#[test]
fn the_goal_goes_to_and_fro() {
    let goals = [&[VOTER][..], &[VOTER; 2], &[VOTER], &[VOTER; 2]];
    let bounds = Bounds { deaths: 2, ..OPERATOR };
    whole(bounds, Scenario::settled("the_goal_goes_to_and_fro", &[0, 1], &goals));
}

#[test]
fn a_control_cluster_that_is_set_back() {
    let bounds = Bounds { set_back: true, ..OPERATOR };
    whole(bounds, change("a_control_cluster_that_is_set_back", &[VOTER], &[VOTER; 3]));
}

#[test]
fn a_lost_disk() {
    let bounds = Bounds { lost_disks: 1, crashes: 0, deaths: 1, partial_views: 1, ..SERVERS };
    whole(bounds, Scenario::settled("a_lost_disk", &THREE, &[&[VOTER; 3]]));
}

#[test]
fn a_disk_lost_while_the_set_grows() {
    let bounds = Bounds { lost_disks: 1, partial_views: 0, deaths: 1, ..OPERATOR };
    whole(bounds, Scenario::new("a_disk_lost_while_the_set_grows", &THREE, &[&[VOTER; 3]]));
}

#[test]
fn a_disk_lost_while_reservations_cross() {
    let bounds = Bounds { log: 0, lost_disks: 1, ..OPERATOR };
    whole(bounds, change("a_disk_lost_while_reservations_cross", &[VOTER], &[VOTER; 3]));
}

#[test]
fn a_rollout() {
    let bounds = Bounds { log: 1, rollouts: 1, crashes: 1, ..SERVERS };
    whole(bounds, Scenario::settled("a_rollout", &THREE, &[&[VOTER; 3]]));
}

#[test]
fn a_rollout_by_two_operators() {
    let bounds = Bounds { log: 1, rollouts: 1, crashes: 0, ..SERVERS };
    let scenario = Scenario::settled("a_rollout_by_two_operators", &THREE, &[&[VOTER; 3]]);
    whole(bounds, Scenario { operators: vec![0, 0], ..scenario });
}

#[test]
fn a_rollout_while_the_set_shrinks() {
    let bounds = Bounds { term: 1, log: 1, version: 8, rollouts: 1, deaths: 1, ..Bounds::NONE };
    whole(bounds, change("a_rollout_while_the_set_shrinks", &[VOTER; 3], &[VOTER; 2]));
}

#[test]
fn a_partition_while_the_set_grows() {
    let bounds = Bounds { crashes: 0, partitions: 1, ..SERVERS };
    whole(bounds, change("a_partition_while_the_set_grows", &[VOTER; 2], &[VOTER; 3]));
}

#[test]
fn two_operators_with_slow_commands() {
    let scenario = change("two_operators_with_slow_commands", &[VOTER], &[VOTER; 3]);
    let bounds = Bounds { version: 5, partial_views: 0, ..OPERATOR };
    whole(bounds, Scenario { operators: vec![0, 0], slow_commands: true, ..scenario });
}
