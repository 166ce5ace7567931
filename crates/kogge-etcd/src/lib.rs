//! Pure: the etcd engine's planner; a topology and a goal become steps.
//!
//! [`plan()`] takes a [`Goal`] (what the database shall be), a [`Topology`] (what was observed, with its age) and the time,
//! and returns a [`Plan`]: [`Step`]s to take now, what is waited for, what you must know, and how the group is. A *group*
//! is the etcd cluster, its *members* are the etcd servers. The planner has no memory: the plan is made again from a fresh
//! observation after every step, so a crash anywhere resumes by itself.
//!
//! The caller
//! - builds the goal from its spec, its anchors and its view of the fleet;
//! - carries out steps by [`Action::executor`]: anchor records in one guarded write before anything else, pod restarts
//!   through the worker's API, the rest through a client of etcd, each call with a deadline;
//! - observes again, and counts on from the observation before with [`Topology::after`].
//!
//! Rules that every plan keeps:
//! - a plan holds at most one step that changes a server or a pod, and that step changes at most one member;
//! - a group begins once, on the seed that the anchors name under ids that are known before, and only when every member is
//!   proven empty and every placement has been seen completely;
//! - what is on a disk is what the gate saw at this start of the server; no error and no silence means "empty";
//! - a server without data starts only as its record says, in the pod whose gate found the empty disk, and once;
//! - nothing that was seen once costs a vote or an id, and nothing that was seen once gives a vote;
//! - a member joins as a learner and is promoted once it follows the leader closely, by its own word and the leader's;
//! - no step takes the live voters below a quorum, as far as the voters themselves are seen; only a group of one or two
//!   cannot be restarted otherwise;
//! - the leader hands over before it is restarted or removed, and the last voter stays;
//! - what has no answer is unknown and is read again: a member that was added is found by its URL, never added twice;
//! - an id that was removed never comes back, and neither does a disk that was written under it;
//! - nothing is forced, but what you approved for this group as it is (a recovery, a second beginning), once;
//! - what is not ours is reported and left alone;
//! - what is not seen is unknown, and unknown is neither dead nor ready;
//! - when the goal is reached, the plan is empty.
//!
//! ```
//! use kogge_etcd::{Goal, MemberAnchor, MemberGoal, MemberRole, Topology, Version, Window, plan};
//!
//! let member = MemberGoal {
//!     pod: "orders-vdc1-0".into(),
//!     peer_url: "https://orders-vdc1-0.orders.db.svc:2380".into(),
//!     client_url: "https://orders-vdc1-0.orders.db.svc:2379".into(),
//!     placement: "vdc1".into(),
//!     vdc: "vdc1".into(),
//!     role: MemberRole::Voter,
//!     anchor: MemberAnchor::default(),
//! };
//! let goal = Goal {
//!     database: "orders".to_owned(),
//!     uid: "0b1cf6a4".to_owned(),
//!     members: vec![member],
//!     leaving: Vec::new(),
//!     seed: None,
//!     unseen: [("vdc1".into(), "its API is not responding".to_owned())].into(),
//!     rollout_order: Vec::new(),
//!     rolling: false,
//!     away_from: [].into(),
//!     max_learners: 1,
//!     version: Version::new(3, 6, 14),
//!     quota_bytes: 2 << 30,
//!     window: Window::NotSet,
//!     auto_compaction: true,
//!     recovery: Default::default(),
//!     paused: false,
//! };
//! // Nothing has been observed yet, so nothing is done, and the plan says why.
//! let plan = plan(&goal, &Topology::default(), 0);
//! assert!(plan.steps.is_empty());
//! assert!(plan.waiting[0].message.contains("its API is not responding"));
//! ```

mod alarms;
mod approval;
mod bootstrap;
mod draft;
mod engine;
mod first_start;
mod goal;
mod ground;
mod handover;
mod held_out;
mod identity;
pub mod ids;
mod in_a_row;
mod joining;
mod lost_disk;
mod maintenance;
mod membership;
mod names;
mod outcome;
mod plan;
mod promotion;
mod records;
mod recovery;
mod rename;
mod report;
mod restart;
mod shrink;
mod status;
mod step;
mod switchover;
mod topology;
mod version;
mod version_rules;
mod view;
pub mod votes;

pub use engine::{CLIENT, Etcd, PEER};
pub use goal::{
    Goal, GoalError, LeavingMember, MemberAnchor, MemberGoal, MemberRole, Recovery, Seed, SeedSource, Start,
    StartState, Window,
};
pub use kogge_engine::Health;
pub use names::{ClusterId, MemberId, Placement, PodName, Token, Url, Vdc};
pub use outcome::{Approval, Finding, FindingKind, GroupStatus, MemberState, MemberStatus, Plan, Waiting};
pub use plan::plan;
pub use step::{Action, Executor, Step};
pub use topology::{
    Alarm, AlarmKind, ListedMember, MemberObservation, Millis, OBSERVATION_MAX_AGE, OBSERVATIONS_IN_SYNC,
    OBSERVATIONS_TO_BELIEVE, PeerAnswer, Pod, PodFacts, RefusedPeer, SMALL_LAG, Server, ServerState, Topology,
};
pub use version::{Series, Version, VersionError};
