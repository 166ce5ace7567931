//! Pure: desired and observed state become an ordered list of actions.
//!
//! The crate has no client, no async and no clock. What was observed comes in as a [`FleetView`], what should
//! be done goes out as [`Action`]s: data that the operator carries out, and that tests, the CLI and a
//! dashboard can show.

pub mod action;
pub mod fleet_view;
pub mod object;

pub use action::{Action, ApplyPrecondition};
pub use fleet_view::{FleetView, Liveness, WorkerName, WorkerView};
pub use object::{Object, ObjectKey};
