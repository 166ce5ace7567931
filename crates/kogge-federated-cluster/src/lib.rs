//! Pure: a FederatedCluster and what was observed of it become objects, steps, a goal and a status.
//!
//! The crate brings together what the other pure crates know: charts, placements and ownership, names, and the
//! engine. It has no client, no async, no clock and no randomness; the operator, the CLI and the tests share it.

pub mod engine;
mod identity;
pub mod revisions;
pub mod secrets;

pub use identity::{Identity, PORT};
