//! The seam to the engine: the database's goal and its pods in the engine's words.

mod goal;
mod pods;
mod records;

pub use goal::{GoalInput, goal};
pub use pods::{pod_facts, routers};
pub use records::records;

#[cfg(test)]
pub(crate) mod fixtures {
    use crate::identity::Identity;

    /// The database that the tests of this module are about.
    pub(crate) fn identity() -> Identity {
        Identity {
            name: "ll2022".to_owned(),
            namespace: "databases".to_owned(),
            id: "abcdefgh".parse().unwrap(),
            cluster_domain: "cluster.local".to_owned(),
        }
    }
}
