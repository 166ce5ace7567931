//! Pure: desired and observed state become an ordered list of actions.
//!
//! The crate has no client, no async and no clock. What was observed comes in as a [`FleetView`], what should
//! be done goes out as [`Action`]s: data that the operator carries out, and that tests, the CLI and a
//! dashboard can show.

pub mod action;
pub mod anchors;
pub mod api_refusal;
mod component;
mod cover;
pub mod diff;
pub mod drift;
pub mod epoch;
pub mod fleet_view;
pub mod forced;
pub mod hash;
pub mod managed_fields;
pub mod object;
mod objects;
pub mod obstacle;
pub mod order;
pub mod ownership;
pub mod placement;
pub mod prune;
mod quantity;
pub mod rollout;
pub mod status;
pub mod teardown;
pub mod workload;

pub use action::{Action, ApplyPrecondition};
pub use api_refusal::ApiRefusal;
pub use component::ComponentKey;
pub use diff::apply_if_needed;
pub use fleet_view::{FleetView, Liveness, WorkerName, WorkerView};
pub use object::{Object, ObjectKey};
pub use objects::Objects;
