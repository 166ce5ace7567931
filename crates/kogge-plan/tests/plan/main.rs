//! The rules of planning, by invariant where they hold one.

#[cfg(test)]
mod diff;
#[cfg(test)]
mod drift;
#[cfg(test)]
mod order;
#[cfg(test)]
mod ownership;
#[cfg(test)]
mod placement;
#[cfg(test)]
mod prune;
#[cfg(test)]
mod rollout;
#[cfg(test)]
mod status;
#[cfg(test)]
mod support;
#[cfg(test)]
mod teardown;
