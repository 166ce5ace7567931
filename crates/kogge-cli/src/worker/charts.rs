//! What the charts render, for which a worker's Roles are made.

use std::collections::BTreeSet;
use std::path::PathBuf;

use anyhow::{Context as _, bail};
use kogge_api::rbac::GroupKind;
use kogge_chart_store::ChartStore;

/// Every kind that a chart of these folders can render.
pub(super) fn rendered_kinds(folders: &[PathBuf]) -> anyhow::Result<BTreeSet<GroupKind>> {
    let store = ChartStore::new(folders.iter().cloned());
    let kinds = store.kinds().context("the Roles on the worker are made from what the charts render")?;
    if kinds.is_empty() {
        let folders: Vec<String> = folders.iter().map(|folder| folder.display().to_string()).collect();
        bail!(
            "no chart is in {}; the Roles on the worker are made from what the charts render, so give the operator's \
             chart folders with --chart-dir",
            folders.join(", ")
        );
    }
    Ok(kinds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kinds_of_the_charts_that_come_with_kogge() {
        let charts = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../charts"));
        let kinds: Vec<String> = rendered_kinds(&[charts]).unwrap().into_iter().map(|kind| kind.kind).collect();
        assert_eq!(kinds, ["ConfigMap", "Service", "Deployment", "StatefulSet"]);
    }

    #[test]
    fn without_charts_the_mend_is_named() {
        let error = rendered_kinds(&["/nonexistent".into()]).unwrap_err().to_string();
        assert!(error.contains("--chart-dir"), "{error}");
    }
}
