//! The wire protocol: message headers, `OP_MSG`, and the `OP_QUERY` that old handshakes use.

mod message;
mod op_msg;
mod op_query;

pub use message::{Message, WireError, read_message};
pub use op_msg::{EXHAUST_ALLOWED, MORE_TO_COME, OpMsg};
pub use op_query::OpQuery;

use std::sync::atomic::{AtomicI32, Ordering};

/// Largest message, in bytes (`maxMessageSizeBytes`).
pub const MAX_MESSAGE_BYTES: i32 = 48_000_000;
/// Largest document, in bytes (`maxBsonObjectSize`).
pub const MAX_DOCUMENT_BYTES: i32 = 16 * 1024 * 1024;

static REQUEST_ID: AtomicI32 = AtomicI32::new(1);

/// A fresh request id.
pub fn next_request_id() -> i32 {
    REQUEST_ID.fetch_add(1, Ordering::Relaxed)
}
