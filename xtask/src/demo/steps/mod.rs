//! The steps of the demo, each in a file of its own.

pub(super) mod build;
pub(super) mod clusters;
pub(super) mod create;
pub(super) mod grow;
pub(super) mod history;
pub(super) mod operator;
pub(super) mod partition;
pub(super) mod rollout;
pub(super) mod workers;
