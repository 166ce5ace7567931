//! The commands of mongod, one file per family.

mod catalog;
pub mod causal;
mod cluster_parameters;
pub mod cursors;
pub mod diagnostics;
pub mod handshake;
mod indexes;
mod inspect;
mod oplog_read;
mod read;
mod replication;
pub mod sasl;
mod table;
mod time_proof;
pub mod unsupported;
mod user_admin;
mod write;
mod write_concern;
mod write_statements;

pub use catalog::show_only_readable;
pub use cluster_parameters::{FEATURE_VERSION_ID, RW_CONCERN_ID, RW_CONCERN_NAMESPACE, VERSION_NAMESPACE};
pub use table::privilege;
