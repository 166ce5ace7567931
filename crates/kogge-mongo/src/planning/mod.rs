//! What is planned for a set: each file for one thing, from the same view, into one draft.

pub(crate) mod admission;
pub(crate) mod bootstrap;
pub(crate) mod draft;
pub(crate) mod handover;
pub(crate) mod membership;
pub(crate) mod recovery;
pub(crate) mod report;
pub(crate) mod restart;
pub(crate) mod sharding;
