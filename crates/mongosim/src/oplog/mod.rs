//! The oplog: what changed, in one order, on every member.

mod apply;
mod entry;
mod optime;
mod writer;

pub use apply::{apply, undo};
pub use entry::{Operation, OplogEntry, Statement};
pub use optime::OpTime;
pub use writer::OplogWriter;

/// The namespace under which the oplog is read.
pub const NAMESPACE: &str = "local.oplog.rs";
