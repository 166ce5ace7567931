//! Up to three members in three vdcs: every state within the bounds.

use crate::checker::{Scenario, explore};
use crate::world::Bounds;

const ONE: [bool; 3] = [true, false, false];
const OTHER: [bool; 3] = [false, false, true];
const THREE: [bool; 3] = [true; 3];
const NONE: Bounds = Bounds { lost_disks: 0, kills: 0, deaths: 0, partial_views: 0, rollouts: 0 };

#[test]
fn bootstrap_of_three() {
    let bounds = Bounds { deaths: 2, partial_views: 2, ..NONE };
    explore(Scenario::bootstrap("bootstrap_of_three", THREE, bounds));
}

#[test]
fn bootstrap_of_three_with_a_pod_that_is_killed() {
    let bounds = Bounds { kills: 2, deaths: 1, partial_views: 1, ..NONE };
    explore(Scenario::bootstrap("bootstrap_of_three_with_a_pod_that_is_killed", THREE, bounds));
}

#[test]
fn bootstrap_of_three_with_a_disk_that_is_lost() {
    let bounds = Bounds { lost_disks: 1, kills: 1, deaths: 1, ..NONE };
    explore(Scenario::bootstrap("bootstrap_of_three_with_a_disk_that_is_lost", THREE, bounds));
}

#[test]
fn growth_from_one_to_three() {
    let bounds = Bounds { deaths: 2, partial_views: 1, kills: 1, ..NONE };
    explore(Scenario::settled("growth_from_one_to_three", ONE, THREE, bounds));
}

#[test]
fn a_move_from_one_to_another() {
    let bounds = Bounds { deaths: 1, kills: 1, partial_views: 1, ..NONE };
    explore(Scenario::settled("a_move_from_one_to_another", ONE, OTHER, bounds));
}

#[test]
fn shrinking_to_one() {
    let bounds = Bounds { deaths: 1, kills: 1, partial_views: 1, ..NONE };
    explore(Scenario::settled("shrinking_to_one", THREE, OTHER, bounds));
}

#[test]
fn a_lost_disk() {
    let bounds = Bounds { lost_disks: 1, deaths: 2, partial_views: 1, kills: 1, ..NONE };
    explore(Scenario::settled("a_lost_disk", THREE, THREE, bounds));
}

#[test]
fn two_lost_disks() {
    let bounds = Bounds { lost_disks: 2, deaths: 1, ..NONE };
    explore(Scenario::settled("two_lost_disks", THREE, THREE, bounds));
}

#[test]
fn a_rollout_with_a_pod_that_is_killed() {
    let bounds = Bounds { rollouts: 1, kills: 2, deaths: 1, partial_views: 1, ..NONE };
    explore(Scenario::settled("a_rollout_with_a_pod_that_is_killed", THREE, THREE, bounds));
}

#[test]
fn a_rollout_with_a_lost_disk() {
    let bounds = Bounds { rollouts: 1, lost_disks: 1, kills: 1, deaths: 1, ..NONE };
    explore(Scenario::settled("a_rollout_with_a_lost_disk", THREE, THREE, bounds));
}
