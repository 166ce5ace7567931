//! Requests to the operator: annotations and fields of a database's resource, which kubectl or GitOps could set as well.
//! The operator does what they ask; the command line only writes them and waits for the answer in the status.

pub(crate) mod recover;
mod recovery_view;
pub(crate) mod rotate;
pub(crate) mod switchover;
