//! The planner against a small world of replica sets: the cases of replica-set change that must hold
//! (`case_NN_…`, as far as the first cut of the engine goes), rolling restarts, and convergence.

#[cfg(test)]
mod bootstrap;
#[cfg(test)]
mod cluster;
#[cfg(test)]
mod convergence;
#[cfg(test)]
mod members;
#[cfg(test)]
mod placements;
#[cfg(test)]
mod reconfig;
#[cfg(test)]
mod rolling;
#[cfg(test)]
mod support;
