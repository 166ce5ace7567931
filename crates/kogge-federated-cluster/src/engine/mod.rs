//! The seam to the engine: the database's goal and its pods in the engine's words.

mod goal;
mod pods;
mod records;
mod restart;

pub use goal::{GoalInput, goal};
pub use pods::{pod_facts, routers};
pub use records::records;
pub use restart::restart;
