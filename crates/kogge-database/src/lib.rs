//! Pure: a FederatedCluster and what was observed of it become objects, steps, a goal and a status.
//!
//! The crate brings together what the other pure crates know: charts, placements and ownership, names, and an
//! [engine](kogge_engine::Engine), whichever it is. It has no client, no async, no clock and no randomness; the operator,
//! the CLI and the tests share it.
//!
//! One pass goes [`Observation`] → [`Prepared`] (the goal, and where the members are) → the members are asked →
//! [`plan()`] → the plan is carried out → [`report`].

pub mod acceptance;
pub mod archive;
pub mod carrying;
mod departure;
mod desired;
mod discovery;
mod gates;
mod missing_pods;
mod observation;
pub mod pass;
mod plan;
mod pods;
mod prepared;
mod problem;
pub mod queue;
mod rehearsal;
mod replacement;
pub mod report;
mod restart;
mod retired;
pub mod revisions;
mod rivals;
pub mod secrets;
mod shares;
mod sighting;
mod teardown;
pub mod template;

pub use desired::DesiredError;
pub use discovery::Names;
pub use missing_pods::MissingPods;
pub use observation::{Observation, ObservationError};
pub use plan::{DatabasePlan, departures, plan};
pub use prepared::{Prepared, Running};
pub use replacement::Replacement;
pub use rivals::{Named, Rival};
pub use sighting::Sighting;
pub use teardown::teardown;
