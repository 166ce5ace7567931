//! What came of a plan.

use crate::problem::Problem;

/// What came of a plan.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Carried {
    /// Whether anything was written or asked for, so that it must be observed again.
    pub changed: bool,
    /// Whether something failed that may succeed a little later.
    pub soon: bool,
    /// What stood in the way, the most pressing of it.
    pub problem: Option<Problem>,
}

impl Carried {
    /// With what came of the rest.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            changed: self.changed || other.changed,
            soon: self.soon || other.soon,
            problem: Problem::most_pressing(self.problem.into_iter().chain(other.problem)),
        }
    }
}
