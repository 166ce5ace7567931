//! Pure: the MongoDB engine's planner; a topology and a goal become steps.
//!
//! [`plan`] takes a [`Goal`] (what the database shall be), a [`Topology`] (what was observed, with its
//! age) and the time, and returns a [`Plan`]: [`Step`]s to take now, what is waited for, what a person
//! must know, and how every set stands. It has no memory: the plan is made again from a fresh
//! observation after every step, so a crash anywhere resumes by itself.
//!
//! The caller
//! - builds the goal from its spec, its anchors and its view of the fleet;
//! - carries out steps by [`Action::executor`]: anchor records in one guarded write before anything
//!   else, pod restarts through the worker's API, the rest through `kogge-mongo-client`;
//! - observes again.
//!
//! Rules that every plan keeps:
//! - a step changes at most one voting member of one set, and a plan holds at most one step per set that
//!   changes a server or a pod;
//! - a set is initiated once, on the seed that the anchors name, and only when every member is proven
//!   empty and every placement has been seen completely;
//! - what is on a disk is what the gate saw at this start of the server; no error code and no silence means "empty";
//! - nothing that was seen once costs a vote or an `_id`;
//! - a member joins without a vote and is promoted once it is SECONDARY with small lag;
//! - no step takes the healthy voters below a majority;
//! - nothing is forced, but what a person approved for one config (`recovery`), and the new name of the only
//!   member that a set has (`rename`);
//! - what is not ours is reported and left alone;
//! - when the goal is reached, the plan is empty.

mod data;
mod engine;
pub mod errors;
mod planner;
mod planning;
mod status;
mod view;
pub mod votes;

pub use data::executor::Executor;
pub use data::finding::{Finding, FindingKind};
pub use data::goal::{
    Goal, GoalError, LeavingMember, MemberAnchor, MemberGoal, MemberRole, Recovery, RouterGoal, SetGoal, SetRole,
    Turns,
};
pub use data::names::{Host, MemberId, Placement, PodName, SetName, Vdc};
pub use data::plan::{Approval, Plan, Waiting};
pub use data::replset::{
    ConfigMember, ConfigStamp, InitialSync, KeptRanges, LOWERED_PRIORITY, MAX_VOTERS, MemberState, OpTime,
    ReplConfig, ReplStatus, StatusMember, majority,
};
pub use data::set_status::{Draining, MemberStatus, SetStatus};
pub use data::sharded_cluster::{BalancerWindow, Chunks, ClusterState, CollectionChunks};
pub use data::sharding_action::ShardingAction;
pub use data::step::{Action, Change, LostMember, NewMember, Step};
pub use data::topology::{
    Access, Hello, MemberObservation, Millis, OBSERVATION_MAX_AGE, OBSERVATIONS_TO_BELIEVE, Pod, PodFacts,
    Replication, RouterObservation, RouterServer, Server, ServerState, ShardEntry, Topology,
};
pub use engine::MongoDb;
pub use kogge_engine::Health;
pub use planner::plan;
pub use view::routers::listed_shards;
