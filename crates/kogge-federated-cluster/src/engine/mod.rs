//! The seam to the engine: the database's goal and its pods in the engine's words.

mod goal;
mod pods;

pub use goal::{GoalInput, goal};
pub use pods::{pod_facts, routers};
