//! The coordinator by itself: several of them over a network that loses messages.

use std::collections::BTreeMap;

use bson::doc;

use super::{
    Coordinator, Effect, LastVote, MemberState, Millis, ReplSetConfig, commit_point, config::ConfigVersion,
    reconfig_checks,
};
use crate::{oplog::OpTime, options::ServerVersion};

fn config(members: usize) -> ReplSetConfig {
    let members: Vec<bson::Document> =
        (0..members).map(|i| doc! { "_id": i as i32, "host": format!("m{i}:1") }).collect();
    let d = doc! { "_id": "rs", "version": 1, "term": 0, "members": members, "settings": { "electionTimeoutMillis": 1000, "heartbeatIntervalMillis": 100 } };
    ReplSetConfig::parse(&d).unwrap()
}

fn at(ts: u64, term: i64) -> OpTime {
    OpTime { ts, term }
}

/// Coordinators whose effects are carried out in virtual time; cut pairs exchange nothing.
struct World {
    now: Millis,
    nodes: Vec<Coordinator>,
    cut: Vec<(usize, usize)>,
    leaders: BTreeMap<i64, usize>,
}

impl World {
    fn new(members: usize) -> Self {
        let mut world = Self { now: 0, nodes: Vec::new(), cut: Vec::new(), leaders: BTreeMap::new() };
        for i in 0..members {
            let mut node = Coordinator::new("rs", LastVote::default(), at(1, 0), i as u64 + 7);
            node.set_follower_state(MemberState::Secondary, 0);
            world.nodes.push(node);
        }
        for i in 0..members {
            let effects = world.nodes[i].install_config(config(members), Some(i), 0);
            world.perform(i, effects);
        }
        world
    }

    fn reaches(&self, a: usize, b: usize) -> bool {
        !self.cut.contains(&(a, b)) && !self.cut.contains(&(b, a))
    }

    fn run(&mut self, millis: Millis) {
        let end = self.now + millis;
        while self.now < end {
            self.now += 10;
            for i in 0..self.nodes.len() {
                // A heartbeat's answer clears its flight; without one the deadline does.
                let effects = self.nodes[i].tick(self.now);
                self.perform(i, effects);
            }
        }
    }

    fn perform(&mut self, from: usize, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::SendHeartbeat { host } => self.heartbeat(from, &host),
                Effect::PersistVote { election, .. } => {
                    let more = self.nodes[from].on_vote_persisted(election, self.now);
                    self.perform(from, more);
                }
                Effect::RequestVotes { election, request, voters } => {
                    for (to, _) in voters {
                        let reply = self.reaches(from, to).then(|| {
                            let (reply, _, effects) = self.nodes[to].on_vote_request(&request, self.now);
                            (reply, effects)
                        });
                        let reply = reply.map(|(reply, effects)| {
                            self.perform(to, effects);
                            reply
                        });
                        let more = self.nodes[from].on_vote_reply(election, reply, self.now);
                        self.perform(from, more);
                    }
                }
                Effect::FinishDrain { term } => {
                    let taken = *self.leaders.entry(term).or_insert(from);
                    assert_eq!(taken, from, "two leaders in term {term}");
                    let first = at(self.nodes[from].applied().ts + 1, term);
                    let mut more = self.nodes[from].on_applied(first, self.now);
                    more.extend(self.nodes[from].on_drain_complete(term, first, self.now));
                    self.perform(from, more);
                }
                Effect::InstallConfig(config) => {
                    let more = self.nodes[from].install_config(*config, Some(from), self.now);
                    self.perform(from, more);
                }
                _ => {}
            }
        }
    }

    fn heartbeat(&mut self, from: usize, host: &str) {
        let to: usize = host[1..host.len() - 2].parse().unwrap();
        let request = self.nodes[from].heartbeat_request(false);
        let sent = self.now;
        let more = if self.reaches(from, to) {
            let (reply, effects) = self.nodes[to].on_heartbeat_request(&request, self.now);
            self.perform(to, effects);
            let reply = reply.unwrap();
            self.nodes[from].on_heartbeat_response(host, Ok(&reply), sent, self.now)
        } else {
            // As if the deadline had passed: the third silence in a row counts.
            self.nodes[from].on_heartbeat_response(host, Err("timeout"), sent, self.now)
        };
        self.perform(from, more);
    }

    fn writable(&self) -> Vec<usize> {
        (0..self.nodes.len()).filter(|i| self.nodes[*i].is_writable()).collect()
    }
}

#[test]
fn one_member_elects_itself_at_once() {
    let mut world = World::new(1);
    world.run(50);
    assert_eq!(world.writable(), [0]);
    assert_eq!(world.nodes[0].term(), 1);
}

#[test]
fn three_members_elect_one() {
    let mut world = World::new(3);
    world.run(3000);
    assert_eq!(world.writable().len(), 1);
}

#[test]
fn a_cut_off_primary_steps_down_and_another_is_elected_in_a_later_term() {
    let mut world = World::new(3);
    world.run(3000);
    let old = world.writable()[0];
    let term = world.nodes[old].term();
    world.cut = (0..3).filter(|i| *i != old).map(|i| (old, i)).collect();
    world.run(5000);
    let now = world.writable();
    assert_eq!(now.len(), 1);
    assert_ne!(now[0], old);
    assert!(world.nodes[now[0]].term() > term);
    world.cut.clear();
    world.run(3000);
    assert_eq!(world.writable(), now, "the one that returns does not disturb");
    assert_eq!(world.nodes[old].term(), world.nodes[now[0]].term());
}

#[test]
fn a_minority_elects_nobody() {
    let mut world = World::new(5);
    world.cut = vec![(0, 2), (0, 3), (0, 4), (1, 2), (1, 3), (1, 4)];
    world.run(6000);
    let leaders = world.writable();
    assert_eq!(leaders.len(), 1);
    assert!(leaders[0] >= 2);
    assert_eq!(world.nodes[0].term(), 0, "dry runs raise no term");
}

#[test]
fn changing_partitions_never_make_two_leaders_of_one_term() {
    let mut world = World::new(5);
    let mut seed = 12_345_u64;
    for _ in 0..60 {
        world.cut.clear();
        for a in 0..5 {
            for b in a + 1..5 {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                if (seed >> 33).is_multiple_of(3) {
                    world.cut.push((a, b));
                }
            }
        }
        world.run(900);
    }
    world.cut.clear();
    world.run(5000);
    assert_eq!(world.writable().len(), 1);
    assert!(world.leaders.len() > 1, "the partitions caused no election at all");
}

#[test]
fn a_vote_is_given_once_a_term_and_only_to_the_up_to_date() {
    let mut node = Coordinator::new("rs", LastVote::default(), at(5, 1), 1);
    node.set_follower_state(MemberState::Secondary, 0);
    node.install_config(config(3), Some(0), 0);
    let request = |term, candidate_index, ts| super::VoteRequest {
        set_name: "rs".into(),
        term,
        dry_run: false,
        candidate_index,
        config: config(3).config_version(),
        last_applied: at(ts, 1),
    };
    assert!(!node.on_vote_request(&request(2, 1, 4), 0).0.granted, "older data");
    assert!(node.on_vote_request(&request(2, 1, 5), 0).0.granted);
    assert!(!node.on_vote_request(&request(2, 2, 9), 0).0.granted, "already voted");
    assert!(!node.on_vote_request(&request(1, 2, 9), 0).0.granted, "an old term");
    assert!(node.on_vote_request(&request(3, 2, 9), 0).0.granted);
    let mut other = request(4, 1, 9);
    other.set_name = "other".into();
    assert!(!node.on_vote_request(&other, 0).0.granted);
    let mut stale = request(5, 1, 9);
    stale.config.version = 0;
    assert!(!node.on_vote_request(&stale, 0).0.granted, "an older configuration");
}

#[test]
fn only_entries_of_the_present_term_commit() {
    let c = config(3);
    assert_eq!(commit_point::newest_committed(&c, &[at(9, 2), at(8, 2), at(1, 1)], 2), Some(at(8, 2)));
    assert_eq!(commit_point::newest_committed(&c, &[at(9, 2), at(5, 1), at(1, 1)], 2), None);
    let mut without_vote = config(3);
    without_vote.members[1].votes = 0;
    without_vote.members[1].priority = 0.0;
    assert_eq!(
        commit_point::newest_committed(&without_vote, &[at(9, 2), at(9, 2), at(1, 2)], 2),
        Some(at(1, 2)),
        "a member without a vote does not count"
    );
}

#[test]
fn newcomers_are_marked_and_do_not_count() {
    let old = config(3);
    let mut new = config(4);
    new.version = 2;
    reconfig_checks::mark_newly_added(&old, &mut new, ServerVersion::V7_0);
    assert_eq!(new.voter_count(), 3);
    assert!(reconfig_checks::check(&old, &new, false, false, ServerVersion::V7_0).is_ok());
    new.members[3].newly_added = false;
    assert!(reconfig_checks::check(&old, &new, false, false, ServerVersion::V7_0).is_ok(), "one voter more");
    let mut two_more = config(5);
    two_more.version = 2;
    assert_eq!(reconfig_checks::check(&old, &two_more, false, false, ServerVersion::V7_0).unwrap_err().code, 103);
    assert!(
        reconfig_checks::check(&old, &two_more, true, false, ServerVersion::V7_0).is_ok(),
        "force does not count voters"
    );
}

#[test]
fn an_arbiter_changes_the_implicit_write_concern() {
    let old = config(2);
    let mut new = config(3);
    new.version = 2;
    new.members[2].arbiter_only = true;
    new.members[2].priority = 0.0;
    assert_eq!(reconfig_checks::check(&old, &new, false, false, ServerVersion::V7_0).unwrap_err().code, 103);
    assert!(reconfig_checks::check(&old, &new, false, true, ServerVersion::V7_0).is_ok());
}

#[test]
fn a_configuration_that_was_heard_of_is_learnt_only_while_it_is_newer() {
    let mut world = World::new(1);
    world.run(100);
    let leader = &world.nodes[0];
    assert!(leader.is_leader());
    let version = |version, term| ConfigVersion { version, term };
    assert!(!leader.may_learn(version(9, leader.term())), "it is for a leader to make the next one");
    assert!(leader.may_learn(version(10_001, -1)), "a forced one is for all");
    let follower = &World::new(3).nodes[0];
    assert!(follower.may_learn(version(2, 0)));
    assert!(!follower.may_learn(version(1, 0)));
}

#[test]
fn a_forced_configuration_has_no_term_until_the_next_change() {
    let mut forced = config(1);
    (forced.version, forced.term) = (10_001, -1);
    let mut node = Coordinator::new("rs", LastVote::default(), at(1, 0), 7);
    node.set_follower_state(MemberState::Secondary, 0);
    node.install_config(forced, Some(0), 0);
    assert_eq!(node.config_of_term(node.term()).map(|config| config.term), Some(-1));
}
