//! What the Rust driver, and whoever speaks the protocol, sees of servers, sets and sharded clusters.

#[cfg(test)]
mod authentication;
#[cfg(test)]
mod chunks;
#[cfg(test)]
mod crash;
#[cfg(test)]
mod failover;
#[cfg(test)]
mod first_sync;
#[cfg(test)]
mod quiesce;
#[cfg(test)]
mod reconfig;
#[cfg(test)]
mod refusals;
#[cfg(test)]
mod replica_set;
#[cfg(test)]
mod routers;
#[cfg(test)]
mod sessions;
#[cfg(test)]
mod sharded;
#[cfg(test)]
mod starting;
#[cfg(test)]
mod support;
#[cfg(test)]
mod sync;
#[cfg(test)]
mod tls;
#[cfg(test)]
mod versions;
