//! Pure: what every engine has in common.
//!
//! An engine turns pods of several data centres into one database. Whatever its servers are, it speaks of pods, placements
//! and data centres, it looks at what Kubernetes and the gate say of a pod, and it believes nothing that is old or that was
//! seen once.

mod error_class;
mod names;
mod observation;
mod pod;

pub use error_class::ErrorClass;
pub use names::{Placement, PodName, Vdc};
pub use observation::{Millis, OBSERVATION_MAX_AGE, OBSERVATIONS_TO_BELIEVE};
pub use pod::{Pod, PodFacts};
