//! Who carries steps out.

use serde::{Deserialize, Serialize};

/// Who carries a step out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Executor {
    /// The operator, by a guarded write to all anchors of the database.
    Anchor,
    /// The operator, through a worker's API.
    Kubernetes,
    /// The wire executor, by a command to a member or router.
    Wire,
}
