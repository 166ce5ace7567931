//! Four and five members: every state within tight bounds, or all that so many events reach.

use crate::checker::{Extent, explore};
use crate::protocol::Mask;
use crate::scenario::{Bounds, READER, Scenario, VOTER, Want};

const FOUR: [usize; 4] = [0, 1, 2, 3];
const FIVE: [usize; 5] = [0, 0, 1, 1, 2];
/// An operator that dies once, and servers that only follow.
const CALM: Bounds = Bounds { term: 2, log: 0, version: 12, deaths: 1, ..Bounds::NONE };

fn five(name: &'static str, from: &[Option<Want>], to: &[Option<Want>]) -> Scenario {
    Scenario::settled(name, &FIVE, &[from, to])
}

fn within(depth: usize, bounds: Bounds, scenario: Scenario) {
    explore(Scenario { bounds, ..scenario }, Extent::Depth(depth));
}

#[test]
fn a_member_is_replaced() {
    let goals = [&[VOTER, VOTER, VOTER, None][..], &[VOTER, VOTER, None, VOTER]];
    within(30, Bounds { term: 1, ..CALM }, Scenario::settled("a_member_is_replaced", &FOUR, &goals));
}

#[test]
fn bootstrap_of_five() {
    let bounds = Bounds { term: 1, deaths: 0, ..CALM };
    within(40, bounds, Scenario::new("bootstrap_of_five", &FIVE, &[&[VOTER; 5]]));
}

#[test]
fn growth_to_five() {
    let bounds = Bounds { term: 1, ..CALM };
    within(26, bounds, five("growth_to_five", &[VOTER, None, VOTER, None, VOTER], &[VOTER; 5]));
}

#[test]
fn shrinking_from_five() {
    within(16, CALM, five("shrinking_from_five", &[VOTER; 5], &[VOTER, None, VOTER, None, VOTER]));
}

#[test]
fn the_primarys_data_centre_is_drained() {
    within(16, CALM, five("the_primarys_data_centre_is_drained", &[VOTER; 5], &[None, None, VOTER, VOTER, VOTER]));
}

#[test]
fn a_data_centre_becomes_readers_and_primaries_leave_it() {
    let to = [READER, READER, VOTER, VOTER, VOTER];
    let scenario = five("a_data_centre_becomes_readers_and_primaries_leave_it", &[VOTER; 5], &to);
    within(14, CALM, Scenario { away_from: vec![Mask::default(), Mask::of(0)], ..scenario });
}

#[test]
fn two_of_five_lose_their_disks() {
    let bounds = Bounds { lost_disks: 2, crashes: 0, ..CALM };
    within(12, bounds, Scenario::settled("two_of_five_lose_their_disks", &FIVE, &[&[VOTER; 5]]));
}

#[test]
fn a_rollout_over_five_with_a_crash_and_a_partition() {
    let bounds = Bounds { term: 3, rollouts: 1, crashes: 1, partitions: 1, ..CALM };
    let scenario = Scenario::settled("a_rollout_over_five_with_a_crash_and_a_partition", &FIVE, &[&[VOTER; 5]]);
    within(7, bounds, scenario);
}
