//! The engine against real server processes on loopback: mongosim, or a mongod and mongos named by `$MONGOD`
//! and `$MONGOS`.

#[cfg(test)]
mod cluster;
#[cfg(test)]
mod goal;
#[cfg(test)]
mod history;
#[cfg(test)]
mod process;
#[cfg(test)]
mod recovery;
#[cfg(test)]
mod replica_set;
#[cfg(test)]
mod roles;
#[cfg(test)]
mod sharded;
#[cfg(test)]
mod silent;
#[cfg(test)]
mod tls;
#[cfg(test)]
mod users;
