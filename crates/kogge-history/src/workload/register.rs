//! The seam to a store.

use std::future::Future;

use crate::history::{Answer, Operation, Outcome};

/// A client's connection to a store with one register per key.
///
/// The keys of a history must be absent before it begins, and be written by its clients only. Reads are linearizable
/// ones, and a swap is one transaction.
pub trait Register: Send + Sync {
    /// Carries out one operation. An implementation sends it once: one that is sent again after an error may take
    /// effect twice.
    fn carry_out(&self, key: &str, operation: &Operation) -> impl Future<Output = Result<Answer, Failure>> + Send;
}

/// Why an operation was not answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// It certainly had no effect and never will have. In doubt it is the other one: what is called certain here and took
    /// effect all the same makes a correct store look wrong.
    Certain(String),
    /// It may have taken effect, may still do so, or never.
    Unknown(String),
}

impl From<Failure> for Outcome {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Certain(error) => Self::Failed(error),
            Failure::Unknown(error) => Self::Unknown(error),
        }
    }
}
