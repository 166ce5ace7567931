//! The planner against a model of replica sets that follows the published specification of MongoDB's
//! replication and reconfiguration, explored by a model checker.
//!
//! - `protocol`: one server's state, and what servers do among themselves;
//! - `guards`: every precondition of servers, executor and environment, each of which can be dropped;
//! - `anchors`, `scenario`: what the workers remember, and what is wanted;
//! - `world`, `events`: the whole, and what can happen to it;
//! - `sight`, `planned`, `operator`: a view of the world, what the real planner says to it, and its steps carried
//!   out;
//! - `heal`: a fair run of the real planner once every fault has ended;
//! - `checker`: the state machine for `stateright`, its properties and its counts;
//! - `exhaustive`, `bounded`, `random`, `mutations`: what is explored.
#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "an exploration is timed, and its order is no part of what it finds"
)]

#[cfg(test)]
mod anchors;
#[cfg(test)]
mod bounded;
#[cfg(test)]
mod checker;
#[cfg(test)]
mod events;
#[cfg(test)]
mod exhaustive;
#[cfg(test)]
mod guards;
#[cfg(test)]
mod heal;
#[cfg(test)]
mod mutations;
#[cfg(test)]
mod operator;
#[cfg(test)]
mod planned;
#[cfg(test)]
mod protocol;
#[cfg(test)]
mod random;
#[cfg(test)]
mod scenario;
#[cfg(test)]
mod sight;
#[cfg(test)]
mod world;
