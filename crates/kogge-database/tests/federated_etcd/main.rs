//! An etcd cluster from its first sight to its end, in the world that plays the control cluster, the workers and the
//! servers: the pass and its laws are those that MongoDB's tests hold.

#[cfg(test)]
mod changes;
#[cfg(test)]
mod creation;
#[cfg(test)]
#[path = "../every_kind/deletion.rs"]
mod deletion;
#[cfg(test)]
mod identity;
#[cfg(test)]
#[path = "../every_kind/interrupted.rs"]
mod interrupted;
#[cfg(test)]
mod kind;
#[cfg(test)]
mod lost_disk;
#[cfg(test)]
#[path = "../world/mod.rs"]
#[allow(dead_code, unused_imports, reason = "the world has what MongoDB's tests use, too")]
mod world;
