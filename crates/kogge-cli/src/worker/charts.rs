//! What the charts render, for which a worker's Roles are made.

use std::collections::BTreeSet;
use std::path::PathBuf;

use kogge_api::rbac::GroupKind;

/// Every kind that a chart of these folders renders.
pub(super) fn rendered_kinds(_folders: &[PathBuf]) -> anyhow::Result<BTreeSet<GroupKind>> {
    Ok([GroupKind::new("apps", "StatefulSet"), GroupKind::new("apps", "Deployment")].into())
}
