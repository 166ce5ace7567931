//! A spec that no plan could carry out.

/// Why a spec is refused before anything is made for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidSpec {
    /// A stable word in CamelCase.
    pub reason: &'static str,
    /// What is wrong, with its numbers, and what to do.
    pub message: String,
}
