//! The forty scenarios that the stand-in and a real MongoDB must agree on, `h01_…` to `h40_…`, by the numbers of
//! the reference.
//!
//! They run against mongosim in this process, or, where `$MONGOD` names one, against that mongod (and the mongos
//! that `$MONGOS` names, else the one beside it). What only the stand-in can do is not run there; the test says
//! so.
#![expect(clippy::disallowed_methods, clippy::disallowed_types, reason = "the servers are real processes")]

#[cfg(test)]
mod access;
#[cfg(test)]
mod elections;
#[cfg(test)]
mod held_up;
#[cfg(test)]
mod initiate;
#[cfg(test)]
mod interrupted;
#[cfg(test)]
mod lost_disk;
#[cfg(test)]
mod majority_lost;
#[cfg(test)]
mod membership;
#[cfg(test)]
mod reconfig;
#[cfg(test)]
mod sharding;
#[cfg(test)]
mod support;
