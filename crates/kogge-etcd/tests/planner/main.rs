//! The planner against a small simulated etcd: the cases of etcd's admin surface that a pure planner can show
//! (`etcd_NN_…`), and convergence from arbitrary states.
//!
//! Of the 57 cases, these are to be shown elsewhere, whole or in part:
//! - 47 (the control cluster was restored from an old backup: no write): epochs and anchors, in the operator;
//! - 48: that only one operator's calls reach a member is the lease's and the anchors' part; here, that two plans on one
//!   view add one member;
//! - 55 (a leaf certificate needs no restart): revisions leave it out, in the charts, and servers read it, in the lab;
//! - 56 (a CA needs a bundle, two rollouts and new leaves): the operator's certificates, and the lab; the rollouts
//!   themselves are case 32's;
//! - 57: that the address is found is the client's part, from the server's log or metrics; here, that it is told;
//! - 7, 8, 25, 26, 27, 28, 30: that the gate holds, opens once and recognises an older image is the gate's own part; here
//!   a gate is simulated, and what the planner writes for it and makes of its word is shown;
//! - 11, 17, 18, 23, 34: that a deadline, UA, FP and NotFound are unknown, retried or success is the client's part; here,
//!   that the plan after them is right whatever the answer was;
//! - 43 and 46: that members serve on, and that a removed member gets 410, is for the lab.

#[cfg(test)]
mod bootstrap;
#[cfg(test)]
mod convergence;
#[cfg(test)]
mod data;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod growth;
#[cfg(test)]
mod guards;
#[cfg(test)]
mod recovery;
#[cfg(test)]
mod replacing;
#[cfg(test)]
mod rollout;
#[cfg(test)]
mod shape;
#[cfg(test)]
mod shrinking;
#[cfg(test)]
mod support;
