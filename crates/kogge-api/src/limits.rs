//! What one database may be at most: what its engine refuses, and what the operator holds. The definitions refuse more by
//! their rules, and a pass refuses it before its first write.

/// Members of a replica set: more are refused by MongoDB itself.
pub const REPLICA_SET_MEMBERS: u32 = 50;
/// Members of an etcd cluster with role Voter: more only cost writes, and etcd advises against it.
pub const ETCD_VOTERS: u32 = 7;
/// Pods of a database, members and routers: 128 shards of 7 members, their config servers and 97 routers. Every pass asks
/// all of them, and the status, the anchors and the kept revisions of that many fit into one object each.
pub const DATABASE_PODS: u32 = 1000;
/// Shares of a database: its components (config servers, routers, every shard) times its placements. Every share is
/// rendered as a whole, whether it has pods or not.
pub const DATABASE_SHARES: u32 = 1000;
/// Top-level entries of chart values, of a whole database or of one placement.
pub const VALUES: u32 = 256;
/// Kinds of resources of a container.
pub const RESOURCES: u32 = 16;
/// The highest number of a rotation. It has room for whoever writes the time in seconds, and none for milliseconds.
pub const ROTATION: u32 = i32::MAX.unsigned_abs();
