//! Every guard outside the planner, dropped one at a time: the explorer must find what it kept away. The planner's
//! own guards are dropped by `cargo xtask mutate`.

use crate::checker::{
    GOAL, MAJORITY, MEMBER_IDS, NEEDED, NO_VOTE_FIRST, NOT_UNDONE, NOTHING_LOST, ONE_PRIMARY, ONE_SET, ONE_VOTER,
    find_breach,
};
use crate::guards::Guards;
use crate::scenario::{Bounds, Scenario, VOTER, Want};

const THREE: [usize; 3] = [0, 1, 2];
const SERVERS: Bounds = Bounds { term: 3, log: 3, version: 1, ..Bounds::NONE };

fn settled(name: &'static str, goals: &[&[Option<Want>]]) -> Scenario {
    Scenario::settled(name, &THREE, goals)
}

fn is_caught(scenario: Scenario, by: &[&'static str]) {
    let (property, events) = find_breach(scenario, by);
    assert!(!events.is_empty(), "{property} fails at once");
}

/// A replica set of three that nobody operates.
fn servers_alone(name: &'static str, bounds: Bounds, drop: impl FnOnce(&mut Guards)) -> Scenario {
    let mut scenario = Scenario { bounds, unattended: true, ..settled(name, &[&[VOTER; 3]]) };
    drop(&mut scenario.guards);
    scenario
}

/// The same with an operator.
fn operated(scenario: Scenario, bounds: Bounds, drop: impl FnOnce(&mut Guards)) -> Scenario {
    let mut scenario = Scenario { bounds, ..scenario };
    drop(&mut scenario.guards);
    scenario
}

#[test]
fn dropping_one_vote_per_term_is_caught() {
    let scenario = servers_alone("one_vote_per_term", SERVERS, |guards| guards.one_vote_per_term = false);
    is_caught(scenario, &[ONE_PRIMARY]);
}

#[test]
fn dropping_the_votes_look_at_the_oplog_is_caught() {
    let scenario = servers_alone("vote_for_newer_oplog", SERVERS, |guards| guards.vote_for_newer_oplog = false);
    is_caught(scenario, &[NOTHING_LOST]);
}

#[test]
fn dropping_the_majority_of_an_election_is_caught() {
    let scenario = servers_alone("majority_elects", SERVERS, |guards| guards.majority_elects = false);
    is_caught(scenario, &[ONE_PRIMARY, NOTHING_LOST]);
}

#[test]
fn dropping_the_commit_in_the_own_term_is_caught() {
    let bounds = Bounds { term: 5, ..SERVERS };
    let scenario = servers_alone("commit_in_own_term", bounds, |guards| guards.commit_in_own_term = false);
    is_caught(scenario, &[NOTHING_LOST]);
}

#[test]
fn dropping_the_gate_in_the_pod_is_caught() {
    let bounds = Bounds { term: 2, log: 2, lost_disks: 1, ..SERVERS };
    is_caught(servers_alone("gate", bounds, |guards| guards.gate = false), &[NOTHING_LOST, ONE_PRIMARY]);
}

#[test]
fn passing_by_the_gate_when_only_the_container_is_started_again_is_caught() {
    let bounds = Bounds { term: 2, log: 2, lost_disks: 1, ..SERVERS };
    let scenario = servers_alone("gate_every_start", bounds, |guards| guards.gate_every_start = false);
    is_caught(scenario, &[NOTHING_LOST, ONE_PRIMARY]);
}

#[test]
fn taking_a_server_that_starts_for_an_empty_one_is_caught() {
    let bounds = Bounds { crashes: 1, term: 2, log: 1, version: 4, ..Bounds::NONE };
    let scenario = operated(settled("starting_is_not_empty", &[&[VOTER; 3]]), bounds, |guards| {
        guards.starting_is_not_empty = false;
    });
    is_caught(scenario, &[NEEDED]);
}

#[test]
fn a_restored_copy_is_caught() {
    let bounds = Bounds { term: 2, log: 2, copies: 1, ..SERVERS };
    let scenario = servers_alone("no_restored_copy", bounds, |guards| guards.no_restored_copy = false);
    is_caught(scenario, &[NOTHING_LOST, ONE_PRIMARY]);
}

#[test]
fn two_processes_behind_one_name_are_caught() {
    let bounds = Bounds { term: 2, log: 2, copies: 1, ..SERVERS };
    let scenario = servers_alone("one_identity", bounds, |guards| guards.one_identity = false);
    is_caught(scenario, &[NOTHING_LOST, ONE_PRIMARY]);
}

#[test]
fn a_forced_config_is_caught() {
    let bounds = Bounds { term: 2, log: 2, version: 20, ..SERVERS };
    let scenario = servers_alone("no_force", bounds, |guards| guards.no_force = false);
    is_caught(scenario, &[NOTHING_LOST, ONE_PRIMARY]);
}

#[test]
fn a_second_initiate_is_caught() {
    let bounds = Bounds { term: 1, log: 2, version: 2, ..SERVERS };
    let scenario = Scenario::new("one_initiate", &THREE, &[&[VOTER; 3]]);
    let scenario = operated(scenario, bounds, |guards| guards.one_initiate = false);
    is_caught(scenario, &[ONE_SET, ONE_PRIMARY]);
}

const OPERATOR: Bounds = Bounds { term: 1, log: 1, version: 8, partial_views: 1, deaths: 1, ..Bounds::NONE };

fn growth(name: &'static str) -> Scenario {
    settled(name, &[&[VOTER; 2], &[VOTER; 3]])
}

#[test]
fn dropping_the_votes_look_at_the_config_is_caught() {
    let bounds = Bounds { term: 3, log: 2, version: 4, ..Bounds::NONE };
    let scenario = operated(settled("vote_for_newer_config", &[&[VOTER; 3], &[VOTER]]), bounds, |guards| {
        guards.vote_for_newer_config = false;
    });
    is_caught(scenario, &[ONE_PRIMARY, NOTHING_LOST]);
}

#[test]
fn dropping_the_wait_for_the_config_is_caught() {
    // The planner waits as well for what it sees: here it does not see all.
    let bounds = Bounds { term: 3, log: 2, version: 6, partial_views: 2, ..Bounds::NONE };
    let scenario = operated(settled("config_committed", &[&[VOTER; 3], &[VOTER]]), bounds, |guards| {
        guards.config_committed = false;
    });
    is_caught(scenario, &[ONE_PRIMARY, NOTHING_LOST]);
}

#[test]
fn dropping_the_wait_for_the_oplog_is_caught() {
    let bounds = Bounds { term: 2, log: 2, version: 8, ..Bounds::NONE };
    let scenario = operated(settled("oplog_committed", &[&[VOTER], &[VOTER; 3]]), bounds, |guards| {
        guards.oplog_committed = false;
    });
    is_caught(scenario, &[ONE_PRIMARY, NOTHING_LOST]);
}

#[test]
fn dropping_the_planned_config_is_caught() {
    let goals = [&[VOTER; 3][..], &[VOTER], &[VOTER; 3]];
    let scenario = Scenario { operators: vec![0, 0], ..settled("planned_config", &goals) };
    let bounds = Bounds { log: 0, partial_views: 0, deaths: 0, ..OPERATOR };
    is_caught(operated(scenario, bounds, |guards| guards.planned_config = false), &[NO_VOTE_FIRST]);
}

#[test]
fn dropping_the_pods_state_is_caught() {
    let bounds = Bounds { log: 1, rollouts: 1, crashes: 1, term: 2, ..SERVERS };
    let scenario = operated(settled("pod_facts", &[&[VOTER; 3]]), bounds, |guards| guards.pod_facts = false);
    is_caught(scenario, &[MAJORITY]);
}

#[test]
fn dropping_the_lease_is_caught() {
    let bounds = Bounds { log: 1, rollouts: 1, term: 2, ..SERVERS };
    let scenario = Scenario { operators: vec![0, 0], ..settled("lease", &[&[VOTER; 3]]) };
    is_caught(operated(scenario, bounds, |guards| guards.lease = false), &[MAJORITY]);
}

#[test]
fn dropping_the_anchors_version_is_caught() {
    let scenario = Scenario { operators: vec![0, 0], ..settled("anchor_version", &[&[VOTER], &[VOTER; 3]]) };
    is_caught(operated(scenario, OPERATOR, |guards| guards.anchor_version = false), &[GOAL, MEMBER_IDS, ONE_SET]);
}

#[test]
fn dropping_the_first_sight_is_caught() {
    let scenario = Scenario { operators: vec![0, 1], ..Scenario::new("first_sight", &[0, 0, 1], &[&[VOTER; 3]]) };
    is_caught(operated(scenario, OPERATOR, |guards| guards.first_sight = false), &[ONE_SET, GOAL]);
}

#[test]
fn dropping_the_owner_is_caught() {
    let scenario = Scenario { operators: vec![0, 1], ..growth("owner") };
    is_caught(operated(scenario, OPERATOR, |guards| guards.owner = false), &[GOAL]);
}

#[test]
fn dropping_the_epoch_is_caught() {
    let bounds = Bounds { set_back: true, ..OPERATOR };
    is_caught(operated(growth("epoch"), bounds, |guards| guards.epoch = false), &[NOT_UNDONE]);
}

#[test]
fn dropping_the_limit_of_one_voter_is_caught() {
    let bounds = Bounds { version: 3, ..SERVERS };
    let scenario = servers_alone("one_voter_at_once", bounds, |guards| guards.one_voter_at_once = false);
    is_caught(scenario, &[ONE_VOTER]);
}
