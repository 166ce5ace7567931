//! Who answered.

use crate::names::PodName;

/// A server that was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heard {
    /// Its pod.
    pub pod: PodName,
    /// What it is, in one word: `member`, `router`.
    pub kind: &'static str,
    /// Why it did not answer; none where it did.
    pub silent: Option<String>,
}
