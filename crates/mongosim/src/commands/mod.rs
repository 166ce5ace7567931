//! The commands of mongod, one file per family.

mod catalog;
mod cluster_parameters;
pub mod cursors;
pub mod diagnostics;
pub mod handshake;
mod oplog_read;
mod read;
mod replication;
pub mod sasl;
mod table;
mod user_admin;
mod write;
mod write_concern;
mod write_statements;

pub use cluster_parameters::{RW_CONCERN_ID, RW_CONCERN_NAMESPACE};
pub use table::privilege;
