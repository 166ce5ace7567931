//! Watches of a worker: what is watched, the watches themselves, and what they have told.

pub(crate) mod kinds;
pub(crate) mod store;
pub(crate) mod supervisor;
