//! What goes into a plan and what comes out of it, as data: nothing is decided here.

pub(crate) mod executor;
pub(crate) mod finding;
pub(crate) mod goal;
pub(crate) mod in_a_row;
pub(crate) mod names;
pub(crate) mod plan;
pub(crate) mod replset;
pub(crate) mod set_status;
pub(crate) mod sharded_cluster;
pub(crate) mod sharding_action;
pub(crate) mod step;
pub(crate) mod topology;
