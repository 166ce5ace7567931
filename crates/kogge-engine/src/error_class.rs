//! What a failed call to a server asks of the operator.

use serde::{Deserialize, Serialize};

/// What an error asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ErrorClass {
    /// Nothing changed, and the same may succeed a little later.
    Transient,
    /// What the step was planned on does not hold any more, or the outcome is unknown: observe, then
    /// plan again.
    NeedsObservation,
    /// It will fail again until you change something.
    NeedsPerson,
}
