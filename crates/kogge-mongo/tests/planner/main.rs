//! The planner against a small world of replica sets: the cases of replica-set change that must hold
//! (`case_NN_…`, all 47), roles, switchovers, rolling restarts, and convergence.

#[cfg(test)]
mod adopt;
#[cfg(test)]
mod answers;
#[cfg(test)]
mod balancer;
#[cfg(test)]
mod beside;
#[cfg(test)]
mod bootstrap;
#[cfg(test)]
mod cluster;
#[cfg(test)]
mod convergence;
#[cfg(test)]
mod counterexamples;
#[cfg(test)]
mod guards;
#[cfg(test)]
mod lost_disk;
#[cfg(test)]
mod members;
#[cfg(test)]
mod placements;
#[cfg(test)]
mod reconfig;
#[cfg(test)]
mod recovery;
#[cfg(test)]
mod roles;
#[cfg(test)]
mod rolling;
#[cfg(test)]
mod shards;
#[cfg(test)]
mod starting;
#[cfg(test)]
mod support;
#[cfg(test)]
mod switchover;
#[cfg(test)]
mod traps;
#[cfg(test)]
mod wire;
