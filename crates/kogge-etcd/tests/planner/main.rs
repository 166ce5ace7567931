//! The planner against a small simulated etcd: the cases of `etcd.md` that a pure planner can show (`etcd_NN_…`), and
//! convergence from arbitrary states.

#[cfg(test)]
mod bootstrap;
#[cfg(test)]
mod convergence;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod growth;
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
