//! A database from its first sight to its end of changes, in a world that plays the control cluster, the
//! workers and the servers. The tests are named by what must hold, and by invariant where it is one.

#[cfg(test)]
mod access;
#[cfg(test)]
mod boundaries;
#[cfg(test)]
mod control_cluster;
#[cfg(test)]
mod convergence;
#[cfg(test)]
mod crashes;
#[cfg(test)]
#[path = "../every_kind/deletion.rs"]
mod deletion;
#[cfg(test)]
mod epochs;
#[cfg(test)]
mod first_sight;
#[cfg(test)]
mod growth;
#[cfg(test)]
mod held;
#[cfg(test)]
mod identity;
#[cfg(test)]
#[path = "../every_kind/interrupted.rs"]
mod interrupted;
#[cfg(test)]
mod kind;
#[cfg(test)]
mod limits;
#[cfg(test)]
mod lost_disk;
#[cfg(test)]
mod queue;
#[cfg(test)]
mod readmission;
#[cfg(test)]
mod recovery;
#[cfg(test)]
mod removal;
#[cfg(test)]
mod rollout;
#[cfg(test)]
mod shards;
#[cfg(test)]
mod status;
#[cfg(test)]
#[path = "../world/mod.rs"]
#[allow(dead_code, reason = "the world has what etcd's tests use, too")]
mod world;
