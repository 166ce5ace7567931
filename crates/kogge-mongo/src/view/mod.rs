//! One set, and the routers, as they together tell it: what was observed, weighed, and nothing planned.

pub(crate) mod disagreement;
pub(crate) mod disk;
mod from_topology;
mod health;
pub(crate) mod identity;
pub(crate) mod routers;
mod set;
mod trouble;

pub(crate) use set::{Primary, SetView};
