//! The planner against a small model of etcd, every state within the bounds of a scenario explored by a model checker.
//!
//! - `world`: disks, gates, servers, the group's membership, the anchors, and what happens to them;
//! - `operator`: a view of the world, what the real planner says to it, and its steps carried out one by one: it may die
//!   between any two of them, and go on with what it planned on an older view;
//! - `checker`: the state machine for `stateright`, its properties and its counts;
//! - `scenarios`: what is explored.
//!
//! Time is left out: every view counts as one that was seen several times in a row. The planner's tests show what is seen
//! once.
#![expect(clippy::disallowed_methods, reason = "an exploration is timed, and tells how far it is")]

#[cfg(test)]
mod checker;
#[cfg(test)]
mod operator;
#[cfg(test)]
mod scenarios;
#[cfg(test)]
mod world;
