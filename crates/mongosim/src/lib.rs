//! A wire-level stand-in for mongod and mongos, with real elections and replication.
//!
//! One binary plays both. The layers, top down: [`server`] reads requests, [`mongod`] and
//! [`mongos`] dispatch them to [`commands`], which read and write [`storage`] through the
//! [`oplog`]; [`repl`] keeps the members of a set in step: a pure coordinator decides, its
//! runtime does the sending and the waiting.

pub mod auth;
pub mod commands;
pub mod error;
pub mod failpoints;
pub mod mongod;
pub mod mongos;
pub mod net;
pub mod node;
pub mod oplog;
pub mod options;
pub mod probe;
pub mod query;
pub mod quiesce;
pub mod repl;
pub mod server;
pub mod sessions;
pub mod sharding;
pub mod shutdown;
pub mod storage;
pub mod testing;
pub mod wire;
