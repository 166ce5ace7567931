//! What clients asked of a store with one register per key, and what came of it.

mod entry;
mod whole;

pub use entry::{Answer, Effect, Entry, Expected, Operation, Outcome, Version};
pub use whole::{History, InvalidHistory};
